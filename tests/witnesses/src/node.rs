//! Node and npm: installs what `node/package-lock.json` pins, once, below the target directory, and runs the vendors'
//! scripts there. Everything has a time limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::places;

const INSTALL: Duration = Duration::from_secs(300);
const RUN: Duration = Duration::from_secs(60);

/// A folder in which every client library is installed.
pub struct Node {
    dir: PathBuf,
}

/// The installed libraries; `Err` says why there are none here.
pub async fn installed() -> Result<&'static Node, &'static str> {
    static NODE: OnceCell<Result<Node, String>> = OnceCell::const_new();
    let node = NODE.get_or_init(|| async { prepare().await.map_err(|error| format!("{error:#}")) }).await;
    node.as_ref().map_err(String::as_str)
}

/// The exact version of a package that `node/package.json` asks for.
///
/// # Errors
/// When it asks for none.
pub fn version(package: &str) -> Result<String> {
    let text = fs::read_to_string(source().join("package.json")).context("package.json cannot be read")?;
    let asked: Value = serde_json::from_str(&text).context("package.json is no JSON")?;
    let version = asked["dependencies"][package].as_str().with_context(|| format!("package.json does not ask for {package}"))?;
    Ok(version.to_owned())
}

fn source() -> PathBuf {
    places::here().join("node")
}

async fn prepare() -> Result<Node> {
    for program in ["node", "npm"] {
        quiet(Command::new(program).arg("--version"), RUN).await.with_context(|| format!("{program} is not on this machine"))?;
    }
    let dir = crm_test_support::target_dir()?.join("witnesses");
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    for entry in fs::read_dir(source()).context("the scripts cannot be listed")? {
        let file = entry.context("the scripts cannot be listed")?.path();
        if let (true, Some(name)) = (file.is_file(), file.file_name()) {
            fs::copy(&file, dir.join(name)).with_context(|| format!("{} cannot be copied", file.display()))?;
        }
    }
    let (lock, stamp) = (fs::read(dir.join("package-lock.json"))?, dir.join("installed.lock"));
    if fs::read(&stamp).is_ok_and(|held| held == lock) {
        return Ok(Node { dir });
    }
    let flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    let out = quiet(Command::new("npm").args(flags).current_dir(&dir), INSTALL).await.context("npm ci")?;
    if !out.status.success() {
        bail!("npm ci failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    fs::write(stamp, lock)?;
    Ok(Node { dir })
}

impl Node {
    /// Runs a script, and reads the JSON lines that it printed.
    ///
    /// # Errors
    /// When it fails, prints something else, or does not end in time.
    pub async fn run(&self, script: &str, variables: &[(&str, String)]) -> Result<Vec<Value>> {
        let file = format!("{script}.mjs");
        let mut command = Command::new("node");
        command.arg(&file).current_dir(&self.dir);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name);
        }
        let out = quiet(command.envs(variables.iter().map(|(name, value)| (name, value))), RUN).await.context(file.clone())?;
        let (said, complaint) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        if !out.status.success() {
            bail!("{file} failed ({}):\n{said}{complaint}", out.status);
        }
        said.lines().map(|line| serde_json::from_str(line).with_context(|| format!("{file} printed {line:?}"))).collect()
    }
}

async fn quiet(command: &mut Command, limit: Duration) -> Result<Output> {
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output();
    Ok(timeout(limit, run).await.context("it did not end in time")??)
}

/// Whether the lock file was stripped of where things were fetched from.
///
/// # Errors
/// When it cannot be read.
pub fn lock_names_no_host() -> Result<bool> {
    let lock = fs::read_to_string(Path::new(&source()).join("package-lock.json"))?;
    Ok(!lock.contains("\"resolved\""))
}
