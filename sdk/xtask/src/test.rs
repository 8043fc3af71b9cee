//! `cargo xtask test`: everything that must hold before a change is merged, cheapest first, in the open.

use anyhow::{Context, Result};
use clap::Args;

use crate::say;
use crate::toolchain::{self, Toolchain};
use crate::workspace::{Stages, Workspace, run as run_command};
use crate::{build, python, registry, template, tidy};

#[derive(Args)]
pub(crate) struct Flags {
    /// Leave out clippy
    #[arg(long)]
    quick: bool,
    /// At the end also what installs a vendor's own program from its registry and runs against it; needs npm and a network
    #[arg(long)]
    real: bool,
    /// Passed on to `cargo test`, such as `-p crm-store` or a test's name
    #[arg(last = true)]
    rest: Vec<String>,
}

/// The host's test build and the workspace's tests agree on this, so that dependencies are built once.
const FEATURES: [&str; 2] = ["--features", "crm-app/dev-endpoints"];

pub(crate) fn run(workspace: &Workspace, flags: &Flags) -> Result<()> {
    let mut stages = Stages::new();
    let outcome = all(workspace, flags, &mut stages);
    say::note(&format!("\n{}", stages.summary()));
    outcome
}

fn all(workspace: &Workspace, flags: &Flags, stages: &mut Stages) -> Result<()> {
    stages.stage("fmt", || {
        let mut command = workspace.cargo();
        command.args(["fmt", "--all", "--check"]);
        run_command("cargo fmt --check", command).context("`cargo fmt` mends it")
    })?;
    stages.stage("tidy", || tidy::run(workspace))?;
    stages.stage("toolchain", || {
        Toolchain::ensure(workspace)?;
        // For the guest of the WASI tier only; its test says so when the target is missing.
        toolchain::add_target("wasm32-wasip2");
        python::ensure(workspace);
        registry::ensure(workspace);
        Ok(())
    })?;
    stages.stage("connectors", || build::all_connectors(workspace).map(drop))?;
    stages.stage("template", || template::build(workspace))?;
    if !flags.quick {
        stages.stage("clippy", || {
            let mut command = workspace.cargo();
            command.args(["clippy", "--workspace", "--all-targets"]).args(FEATURES).args(["--", "-D", "warnings"]);
            run_command("cargo clippy", command)
        })?;
    }
    // Exactly what the test stage would build, so that nothing is built twice: the host's own tests bring its program along.
    stages.stage("build", || {
        let mut command = workspace.cargo();
        command.args(["test", "--workspace", "--no-run"]).args(FEATURES);
        run_command("cargo test --no-run", command)
    })?;
    stages.stage("test", || {
        let mut command = workspace.cargo();
        command.arg("test");
        if flags.rest.is_empty() {
            command.args(["--workspace", "--no-fail-fast"]).args(FEATURES);
        }
        command.args(&flags.rest).env("CRM_HOST_BIN", kept_host(workspace)?);
        command.env("CRM_CONNECTORS_DIR", workspace.connectors_out());
        run_command("cargo test", command)
    })?;
    if flags.real {
        stages.stage("real", || {
            let mut command = workspace.cargo();
            command.args(["test", "--workspace", "--test", "ghost"]).args(FEATURES).args(["--", "--ignored", "--nocapture"]);
            command.env("CRM_HOST_BIN", kept_host(workspace)?).env("CRM_CONNECTORS_DIR", workspace.connectors_out());
            run_command("cargo test (real vendors)", command)
        })?;
        stages.stage("fleet", || {
            let mut command = workspace.cargo();
            command.args(["test", "--workspace", "--test", "fleet"]).args(FEATURES).args(["--", "--nocapture"]);
            command.env("CRM_HOST_BIN", kept_host(workspace)?).env("CRM_CONNECTORS_DIR", workspace.connectors_out());
            command.env("CRM_FLEET_AFFILIATES", "200");
            run_command("cargo test (the fleet, 200 affiliates each)", command)
        })?;
    }
    Ok(())
}

/// A copy of the host that end-to-end tests run, since `cargo test` may build its own over the original meanwhile.
fn kept_host(workspace: &Workspace) -> Result<std::path::PathBuf> {
    let from = workspace.target.join("debug/crm-host");
    let dir = workspace.target.join("test-host");
    let to = dir.join("crm-host");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    // A running copy cannot be written over, but it can be replaced.
    let part = dir.join("crm-host.part");
    std::fs::copy(&from, &part).with_context(|| format!("cannot copy {}", from.display()))?;
    std::fs::rename(&part, &to).with_context(|| format!("cannot replace {}", to.display()))?;
    Ok(to)
}
