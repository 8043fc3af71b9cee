//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::say;

/// The repository on this machine.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// `CARGO_TARGET_DIR` or `target`.
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().and_then(Path::parent).context("xtask lies outside a workspace")?.to_owned();
        let target = setting("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// Where connector files go.
    pub(crate) fn connectors_out(&self) -> PathBuf {
        self.target.join("connectors")
    }

    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(setting("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }

    /// Builds what end-to-end runs need: the test host (with dev endpoints) and the twins.
    pub(crate) fn build_host_and_twins(&self) -> Result<()> {
        let mut command = self.cargo();
        command.args(["build", "-p", "crm-app", "-p", "crm-twins", "--bins", "--features", "crm-app/dev-endpoints"]);
        run("cargo build (host and twins)", command)
    }
}

/// Runs a command with its output shown; a failure names `what`.
pub(crate) fn run(what: &str, mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: cannot start {}", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Runs a command quietly; its standard output if it succeeds.
pub(crate) fn output_of(mut command: Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Named stages with their times.
pub(crate) struct Stages {
    done: Vec<(&'static str, Duration)>,
}

impl Stages {
    pub(crate) fn new() -> Self {
        Self { done: Vec::new() }
    }

    /// Runs one stage; its failure ends the run and is named in one line.
    pub(crate) fn stage(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        say::heading(name);
        let started = Instant::now();
        let outcome = work();
        self.done.push((name, started.elapsed()));
        outcome.with_context(|| format!("FAILED at stage `{name}`"))
    }

    pub(crate) fn summary(&self) -> String {
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        let parts: Vec<String> = self.done.iter().map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f64())).collect();
        format!("{} | total {:.1} s", parts.join(" | "), total.as_secs_f64())
    }
}

/// An environment variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "xtask is a program of its own and reads cargo's environment here only")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
