//! Puts Ghost below `target/real/ghost/<version>`, once for all runs: Node and pnpm at exact versions by npm, Ghost's package
//! by its checksum, its dependencies by its own lock file. No install script of a dependency of Ghost is run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crm_test_support::run_logged;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(600);
const PACKAGE: &str = include_str!("../../ghost/package.json");
const LOCK: &str = include_str!("../../ghost/package-lock.json");
const DATABASE: &str = include_str!("../../ghost/better-sqlite3.js");
/// Holds what was installed by, and is written last.
const STAMP: &str = "installed-by";

/// Where things are.
#[derive(Clone, Debug)]
pub struct Installed {
    pub version: String,
    pub node: PathBuf,
    /// Ghost's own folder, which must be its working directory.
    pub ghost: PathBuf,
}

impl Installed {
    /// What is there already, or a new installation. Waits while another process installs.
    pub fn get() -> Result<Self> {
        let package: Value = serde_json::from_str(PACKAGE).context("package.json")?;
        let part = |name: &str| package["ghost"][name].as_str().map(str::to_owned).with_context(|| format!("package.json: ghost.{name}"));
        let (version, integrity) = (part("version")?, part("integrity")?);
        let all = crm_test_support::target_dir()?.join("real/ghost");
        fs::create_dir_all(&all).with_context(|| format!("cannot create {}", all.display()))?;
        let lock = File::create(all.join("lock")).context("cannot create the lock file")?;
        lock.lock().context("cannot wait for the lock file")?;
        let root = all.join(&version);
        let recipe = [PACKAGE, LOCK, DATABASE].concat();
        if fs::read_to_string(root.join(STAMP)).ok().as_deref() != Some(&recipe) {
            if root.exists() {
                fs::remove_dir_all(&root).with_context(|| format!("cannot empty {}", root.display()))?;
            }
            install(&root, &version, &integrity).with_context(|| format!("installing Ghost {version}"))?;
            fs::write(root.join(STAMP), recipe).context("cannot write the stamp")?;
        }
        Ok(Self { version, node: node(&root), ghost: root.join("ghost") })
    }
}

fn node(root: &Path) -> PathBuf {
    root.join("node_modules/node/bin/node")
}

fn install(root: &Path, version: &str, integrity: &str) -> Result<()> {
    let ghost = root.join("ghost");
    fs::create_dir_all(&ghost)?;
    fs::write(root.join("package.json"), PACKAGE)?;
    fs::write(root.join("package-lock.json"), LOCK)?;
    let log = root.join("install.log");
    let npm = |args: &[&str]| {
        let mut command = Command::new("npm");
        command.current_dir(root).args(args);
        command
    };
    run_logged(npm(&["ci", "--no-audit", "--no-fund"]), &log, LIMIT).context("npm must be on the PATH, and its registry in reach")?;
    let answer = root.join("ghost.json");
    run_logged(npm(&["pack", &format!("ghost@{version}"), "--json"]), &answer, LIMIT)?;
    // A file's checksum cannot be in package-lock.json without its dependencies, which npm must not install.
    let said = fs::read_to_string(&answer)?;
    let now = said.lines().find(|line| line.contains("\"integrity\"")).unwrap_or_default().trim();
    ensure!(said.contains(integrity), "the registry's ghost {version} is another file than {integrity}: {now}");
    let mut tar = Command::new("tar");
    tar.current_dir(root).args(["xzf", &format!("ghost-{version}.tgz"), "--strip-components=1", "-C", "ghost"]);
    run_logged(tar, &log, LIMIT)?;
    let mut pnpm = Command::new(node(root));
    pnpm.current_dir(&ghost).arg(root.join("node_modules/pnpm/bin/pnpm.mjs"));
    pnpm.args(["install", "--prod", "--frozen-lockfile", "--ignore-scripts", "--reporter", "append-only", "--store-dir"]);
    pnpm.arg(root.join("store"));
    for kind in ["DATA", "CACHE", "STATE"] {
        pnpm.env(format!("XDG_{kind}_HOME"), root.join("pnpm"));
    }
    run_logged(pnpm, &log, LIMIT)?;
    let entry = ghost.join("node_modules/better-sqlite3/lib/index.js");
    // Not written over: it may be one file with the store's.
    fs::remove_file(&entry).context("better-sqlite3 has no lib/index.js")?;
    fs::write(&entry, DATABASE)?;
    Ok(())
}
