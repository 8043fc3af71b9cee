//! An OCI registry that others wrote, as a process on loopback: Debian's package `docker-registry`, installed, or unpacked by
//! `cargo xtask test`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::artefacts::target_dir;
use crate::witness::skipped;

const WHO: &str = "docker-registry, an OCI registry";
const LISTENS: &str = "listening on ";

/// A running registry; killed when dropped.
pub struct RegistryProcess {
    /// `127.0.0.1:PORT`.
    pub address: String,
    storage: PathBuf,
    process: Child,
}

impl RegistryProcess {
    /// Starts it with its storage below `folder`. With `users` (lines as in an htpasswd file, of bcrypt) it asks everybody for a login.
    /// `None`, and a line that says so, where no such program is on this machine.
    ///
    /// # Errors
    /// When there is one, and it does not run.
    pub fn start(folder: &Path, users: Option<&str>) -> Result<Option<Self>> {
        let Some(program) = program() else {
            skipped(WHO, "it is not installed (Debian: docker-registry)");
            return Ok(None);
        };
        let storage = folder.join("storage");
        let mut config = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
            storage.display()
        );
        if let Some(users) = users {
            let file = folder.join("users");
            fs::write(&file, users).context("the registry's users cannot be written")?;
            config.push_str(&format!("auth: {{htpasswd: {{realm: here, path: '{}'}}}}\n", file.display()));
        }
        let file = folder.join("registry.yml");
        fs::write(&file, config).context("the registry's configuration cannot be written")?;
        let mut command = Command::new(program);
        command.arg("serve").arg(file).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().context("the registry cannot be started")?;
        let said = process.stderr.take().context("the registry has no output")?;
        let mut registry = Self { address: String::new(), storage, process };
        let mut lines = BufReader::new(said).lines();
        let mut all = Vec::new();
        for line in lines.by_ref() {
            let line = line.context("the registry's output cannot be read")?;
            if let Some((_, rest)) = line.split_once(LISTENS) {
                registry.address = rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
                // A server whose output nobody reads would end at its next word.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Some(registry));
            }
            all.push(line);
        }
        bail!("the registry ended before it was ready:\n{}", all.join("\n"))
    }

    /// The file in which it keeps what has this digest (`sha256:...`).
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.storage.join("docker/registry/v2/blobs/sha256").join(hex.get(..2).unwrap_or_default()).join(hex).join("data")
    }
}

impl Drop for RegistryProcess {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Debian has called it both; other programs are called `registry` too.
fn program() -> Option<PathBuf> {
    let unpacked = target_dir().ok()?.join("debian-registry/usr/bin");
    let all = ["docker-registry", "registry"].into_iter().flat_map(|name| [PathBuf::from(name), unpacked.join(name)]);
    all.into_iter().find(|program| {
        let said = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("distribution"))
    })
}
