//! The authorization server that others wrote: installed once with npm by exact versions, started with node on loopback.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use serde_json::Value;

use crate::PUBLIC_URL;

/// A running server; killed when dropped.
pub struct Real {
    pub url: String,
    process: Child,
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Starts it. `None`, and a line that says so, where there is no node, or no way to the registry outside of CI.
pub fn start() -> Result<Option<Real>> {
    if !runs("node") || !runs("npm") {
        return skipped("node and npm are not here: the tests against npm oidc-provider did not run");
    }
    let dir = match installed() {
        Ok(dir) => dir,
        Err(error) if !in_ci() => return skipped(&format!("npm oidc-provider cannot be installed, its tests did not run: {error:#}")),
        Err(error) => return Err(error),
    };
    let mut command = Command::new("node");
    command.arg("server.mjs").arg(format!("{PUBLIC_URL}/v1/oauth/acme/callback")).current_dir(dir);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("node cannot be started")?;
    let out = process.stdout.take().context("node has no output")?;
    let mut real = Real { url: String::new(), process };
    let mut lines = BufReader::new(out).lines();
    while let Some(line) = lines.next() {
        let line: Value = serde_json::from_str(&line?).unwrap_or_default();
        if let Some(url) = line["url"].as_str() {
            url.clone_into(&mut real.url);
            // A server whose output nobody reads would end at its next word.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(Some(real));
        }
    }
    bail!("the authorization server ended before it was ready")
}

#[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
fn skipped(why: &str) -> Result<Option<Real>> {
    eprintln!("SKIPPED: {why}");
    Ok(None)
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

#[expect(clippy::disallowed_methods, reason = "a test learns whether it may be left out")]
fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}

/// Its folder below the target directory, with what `package-lock.json` names, each by version and checksum.
fn installed() -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("server");
    let to = crm_test_support::target_dir()?.join("oauth-server");
    std::fs::create_dir_all(&to)?;
    let lock = std::fs::read(from.join("package-lock.json"))?;
    let fresh = std::fs::read(to.join("installed.json")).is_ok_and(|done| done == lock);
    for file in ["package.json", "package-lock.json", "server.mjs"] {
        std::fs::copy(from.join(file), to.join(file)).with_context(|| format!("{file} cannot be copied"))?;
    }
    if !fresh {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&to);
        let done = npm.output().context("npm cannot be started")?;
        if !done.status.success() {
            bail!("npm ci: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        std::fs::write(to.join("installed.json"), lock)?;
    }
    Ok(to)
}
