//! A running Ghost: killed when dropped, and ending by itself when the test is gone. Knows nothing of what is inside.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use crm_test_support::{Client, Process};

use super::Installed;

pub struct Ghost {
    installed: Installed,
    data: PathBuf,
    process: Process,
    pub url: String,
    port: u64,
}

impl Ghost {
    /// Starts a site whose database and files are in `data`, on a port of the system's choice, and waits until it serves.
    pub fn start(installed: &Installed, data: &Path) -> Result<Self> {
        std::fs::create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
        Self::on_port(installed, data, 0)
    }

    fn on_port(installed: &Installed, data: &Path, port: u64) -> Result<Self> {
        let mut command = Command::new(&installed.node);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("ghost/run.js"));
        command.arg(&installed.ghost).arg(data).arg(port.to_string());
        let (process, ready) = Process::start(command, &data.with_extension("log"))?;
        let url = ready["url"].as_str().context("the ready line names no url")?.to_owned();
        let port = ready["port"].as_u64().context("the ready line names no port")?;
        Ok(Self { installed: installed.clone(), data: data.to_owned(), process, url, port })
    }

    /// The Admin API, without anybody's key.
    pub fn client(&self) -> Client {
        Client::new(&format!("{}/ghost/api/admin", self.url))
    }

    /// SIGKILL, as when the machine goes down under it.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill9()
    }

    /// Starts it again after [`Ghost::kill`], at the same address.
    pub fn restart(&mut self) -> Result<()> {
        *self = Self::on_port(&self.installed, &self.data, self.port)?;
        Ok(())
    }

    /// All it has printed, over all starts.
    pub fn logs(&self) -> String {
        self.process.output()
    }
}
