//! `cargo xtask <command>`: everything a person does with this repository besides editing it. One command per file.
//!
//! It must not link a host room other than `catalog` and `pack`: it builds the host and runs it from outside, as users do.

mod bench;
mod build;
mod check;
mod debian;
mod demo;
mod new;
mod python;
mod registry;
mod say;
mod table;
mod template;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, tests, measures and shows this project", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the main job from end to end on this machine: 500 affiliates, a failing vendor, a kill in the middle
    Demo(demo::Flags),
    /// Write demo/rewardful.csv anew
    #[command(hide = true)]
    DemoData,
    /// fmt, tidy, connectors, clippy, host, all tests
    Test(test::Flags),
    /// Build every connector to target/connectors/<slug>.wasm
    Build(build::Flags),
    /// Stamp a new connector folder that passes as it stands
    New(new::Flags),
    /// Build, pack and check connectors: size, imports, manifest, every scenario; one line each at the end
    Check(check::Flags),
    /// Build what `new` stamps, for the test that it passes as it stands
    #[command(hide = true)]
    Template,
    /// Check the house rules
    Tidy,
    /// Measure
    Bench(bench::Flags),
    /// Make sure that WebAssembly can be built here, and say with which compiler
    Toolchain,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = Workspace::find().and_then(|workspace| match cli.command {
        Command::Demo(flags) => demo::run(&workspace, &flags),
        Command::DemoData => demo::write_data(&workspace),
        Command::Test(flags) => test::run(&workspace, &flags),
        Command::Build(flags) => build::run(&workspace, &flags),
        Command::New(flags) => new::run(&workspace, &flags),
        Command::Check(flags) => check::run(&workspace, &flags),
        Command::Template => template::build(&workspace),
        Command::Tidy => tidy::run(&workspace),
        Command::Bench(flags) => bench::run(&workspace, &flags),
        Command::Toolchain => toolchain::run(&workspace),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::note(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
