//! `crm-host` as a process: start, kill, stop, start again on the same data.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::artefacts;
use crate::client::Client;
use crate::process::Process;

/// How to run it. `Default` uses built artefacts, a 1-2-4-8 s retry schedule and no dev endpoints.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// `None` = [`artefacts::host_bin`].
    pub bin: Option<PathBuf>,
    /// Data directory; the log is written beside it.
    pub data: PathBuf,
    /// `None` = [`artefacts::connectors_dir`].
    pub connectors: Option<PathBuf>,
    /// `connector.endpoint` and the loopback URL that stands in for it.
    pub dev_endpoints: Vec<(String, String)>,
    /// Seconds before attempt 2, 3, ...
    pub retry_schedule: Vec<u32>,
    /// Further flags of `serve`.
    pub flags: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl HostOptions {
    pub fn new(data: &Path) -> Self {
        Self {
            bin: None,
            data: data.to_owned(),
            connectors: None,
            dev_endpoints: Vec::new(),
            retry_schedule: vec![1, 2, 4, 8],
            flags: Vec::new(),
            env: Vec::new(),
        }
    }

    /// Sends the calls of an endpoint (`ontraport.api`) to a twin.
    pub fn dev_endpoint(mut self, name: &str, url: &str) -> Self {
        self.dev_endpoints.push((name.to_owned(), url.to_owned()));
        self
    }

    fn bin(&self) -> Result<PathBuf> {
        self.bin.clone().map_or_else(artefacts::host_bin, Ok)
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(self.bin()?);
        let connectors = self.connectors.clone().map_or_else(artefacts::connectors_dir, Ok)?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&self.data).arg("--connectors").arg(connectors);
        for (name, url) in &self.dev_endpoints {
            command.arg("--dev-endpoint").arg(format!("{name}={url}"));
        }
        let schedule: Vec<String> = self.retry_schedule.iter().map(u32::to_string).collect();
        command.arg("--retry-schedule").arg(schedule.join(","));
        command.args(&self.flags).envs(self.env.iter().map(|(k, v)| (k, v)));
        Ok(command)
    }
}

/// A running host; killed when dropped.
pub struct HostProcess {
    pub base_url: String,
    process: Process,
    options: HostOptions,
}

impl HostProcess {
    /// Starts it and waits until it is ready.
    pub fn start(options: HostOptions) -> Result<Self> {
        let log = options.data.with_extension("host.log");
        let (process, ready) = Process::start(options.command()?, &log)?;
        let base_url = ready["url"].as_str().context("the ready line names no url")?.to_owned();
        Ok(Self { base_url, process, options })
    }

    /// A client without a key.
    pub fn client(&self) -> Client {
        Client::new(&self.base_url)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// SIGKILL: what a power cut is to the process.
    pub fn kill9(&mut self) -> Result<()> {
        self.process.kill9()
    }

    /// SIGTERM: the host drains and ends.
    pub fn sigterm(&mut self) -> Result<ExitStatus> {
        self.process.sigterm()
    }

    /// Starts it anew on the same data, after [`HostProcess::kill9`] or [`HostProcess::sigterm`]. The port changes.
    pub fn restart(&mut self) -> Result<()> {
        *self = Self::start(self.options.clone())?;
        Ok(())
    }

    /// Everything it printed and logged, over all starts on this data.
    pub fn logs(&self) -> String {
        self.process.output()
    }

    /// Lets it run on after this program; answers its process id.
    pub fn leave(self) -> u32 {
        self.process.leave()
    }
}

/// An organization and its first API key.
#[derive(Clone, Debug)]
pub struct Key {
    pub organization: String,
    /// `rk_live_...`; shown by the host this once.
    pub key: String,
}

/// Creates an organization by the host's own command. The host must not be running on this data.
pub fn create_organization(options: &HostOptions, name: &str) -> Result<Key> {
    let answer = admin(options, &["create-organization", "--name", name])?;
    Ok(Key { organization: part(&answer, "organization")?, key: part(&answer, "key")? })
}

/// Creates a key of the operator (`rk_op_...`). The host must not be running on this data.
pub fn create_operator_key(options: &HostOptions) -> Result<String> {
    part(&admin(options, &["create-operator-key"])?, "key")
}

fn admin(options: &HostOptions, arguments: &[&str]) -> Result<Value> {
    let what = format!("crm-host admin {}", arguments[0]);
    let mut command = Command::new(options.bin()?);
    command.arg("admin").args(arguments).arg("--data").arg(&options.data);
    command.envs(options.env.iter().map(|(k, v)| (k, v)));
    let output = command.output().with_context(|| format!("cannot run {what}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{what} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let answer = text.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    answer.with_context(|| format!("{what} answered no JSON: {text}"))
}

fn part(answer: &Value, name: &str) -> Result<String> {
    answer[name].as_str().map(str::to_owned).with_context(|| format!("no `{name}` in {answer}"))
}
