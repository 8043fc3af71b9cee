//! A twin as a process, steered through its control pages: for runs in which it must outlive the host, or this program.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::artefacts;
use crate::client::Client;
use crate::process::Process;

#[derive(Clone, Debug, Default)]
pub struct TwinOptions {
    /// Flags of the twin's program.
    pub flags: Vec<String>,
}

/// A running twin; killed when dropped.
pub struct TwinProcess {
    /// What to give the host as dev endpoint.
    pub api_url: String,
    pub base_url: String,
    /// The line that it printed: `endpoints`, `credentials` and `connect` say how to connect to it.
    pub ready: Value,
    control: Client,
    process: Process,
}

impl TwinProcess {
    /// Starts the twin of `slug`, writing its output to `log`, and waits until it is ready.
    pub fn start(slug: &str, options: &TwinOptions, log: &Path) -> Result<Self> {
        let mut command = Command::new(artefacts::twin_bin()?);
        command.arg(slug);
        command.args(&options.flags);
        let (process, ready) = Process::start(command, log)?;
        let part = |name: &str| ready[name].as_str().map(str::to_owned).with_context(|| format!("the ready line names no {name}"));
        let base_url = part("url")?;
        Ok(Self { api_url: part("api")?, control: Client::new(&base_url), base_url, ready, process })
    }

    /// Reads a control page: `state`, `contacts?limit=5`, `verdict?mark=kill` ...
    pub fn look(&self, page: &str) -> Result<Value> {
        self.control.get(&format!("/_twin/{page}"))?.good().with_context(|| format!("twin: {page}"))
    }

    /// Changes something: `faults`, `limit`, `tags` with a body; `mark?name=kill`, `opt-out?email=..` without.
    pub fn steer(&self, page: &str, body: &Value) -> Result<Value> {
        self.control.post(&format!("/_twin/{page}"), body)?.good().with_context(|| format!("twin: {page}"))
    }

    /// Lets it run on after this program; answers its process id.
    pub fn leave(self) -> u32 {
        self.process.leave()
    }
}
