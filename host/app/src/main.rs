//! `crm-host`, the one binary: wiring, configuration, signals and the command line. No logic of its own: what it does is
//! to put the rooms together behind their ports.

mod admin;
mod author;
mod cli;
mod folder;
mod logging;
mod operate;
mod operator;
mod retention;
mod serve;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The child that compiles untrusted files runs before anything else is set up: it has no logger, no runtime, no files.
    if matches!(cli.command, Command::CompileWorker) {
        return ExitCode::from(u8::try_from(crm_engine::compile_worker()).unwrap_or(1));
    }
    // An author reads what a command prints; the engine's own notes would stand between.
    logging::start(if matches!(cli.command, Command::Connector(_)) { "warn" } else { "info" });
    let result = match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Admin(command) => admin::run(command),
        Command::Connector(command) => author::run(command),
        Command::CompileWorker => Ok(ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("crm-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}
