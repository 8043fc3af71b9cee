//! Where `cargo xtask` and cargo put what they build, seen from a test or from xtask itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The profile directory (`target/debug`) that the running program was built into.
pub fn profile_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("the running program has no path")?;
    let dir = exe.parent().context("the running program has no directory")?;
    // Tests and benches lie one deeper than binaries; examples too.
    let nested = matches!(dir.file_name().and_then(OsStr::to_str), Some("deps" | "examples"));
    Ok(if nested { dir.parent().context("`deps` has no parent")?.to_owned() } else { dir.to_owned() })
}

/// The target directory: the parent of the profile directory.
pub fn target_dir() -> Result<PathBuf> {
    Ok(profile_dir()?.parent().context("the profile directory has no parent")?.to_owned())
}

/// `crm-host`: `CRM_HOST_BIN`, or what was built beside the running program.
pub fn host_bin() -> Result<PathBuf> {
    binary("CRM_HOST_BIN", "crm-host", "cargo build -p crm-app --features dev-endpoints")
}

/// The program that stands in for vendors: `crm-twin <slug>`.
pub fn twin_bin() -> Result<PathBuf> {
    binary("", "crm-twin", "cargo build -p crm-twins --bin crm-twin")
}

/// Where connector files are: `CRM_CONNECTORS_DIR`, or `target/connectors`.
pub fn connectors_dir() -> Result<PathBuf> {
    match setting("CRM_CONNECTORS_DIR") {
        Some(dir) => Ok(dir.into()),
        None => Ok(target_dir()?.join("connectors")),
    }
}

/// The built component of one connector.
pub fn connector(slug: &str) -> Result<PathBuf> {
    existing(connectors_dir()?.join(format!("{slug}.wasm")), "cargo xtask build")
}

/// One of the built connectors, for those to whom it is the same which.
pub fn some_connector() -> Result<PathBuf> {
    let folder = connectors_dir()?;
    let files = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let files = files.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let first = files.filter(|path| path.extension().is_some_and(|e| e == "wasm")).min();
    first.with_context(|| format!("{} holds no connector: run `cargo xtask build`", folder.display()))
}

fn binary(variable: &str, name: &str, build: &str) -> Result<PathBuf> {
    match setting(variable) {
        Some(path) => existing(path.into(), build),
        None => existing(profile_dir()?.join(name), build),
    }
}

fn existing(path: PathBuf, build: &str) -> Result<PathBuf> {
    if !Path::exists(&path) {
        bail!("{} is not built; `cargo xtask test` builds it, or run `{build}`", path.display());
    }
    Ok(path)
}

#[expect(clippy::disallowed_methods, reason = "tests find artefacts through this crate, and only through it")]
pub(crate) fn setting(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
