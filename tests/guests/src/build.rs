//! Builds guests: cargo for the wasm target, `wit-component` where the target's linker does not do that itself, then the
//! manifest. Once per process; cargo's own lock keeps several test processes apart. Must not touch the network beyond
//! what cargo does.
//!
//! `CRM_WASM_RUSTC`, `CRM_WASM_LINKER` and `CRM_WASM_BUILD_STD=1` name another compiler for `wasm32-unknown-unknown`,
//! whose standard library is then built from source.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};

const WIT_VERSION: &str = "0.1.0";
const PLAIN: &str = "wasm32-unknown-unknown";
const WASI: &str = "wasm32-wasip2";

/// Why a guest cannot be had here.
#[derive(Debug)]
pub enum Missing {
    /// It needs a target that this toolchain does not have; the tests of `wasi` cover what can be covered without.
    Target,
    Failed(anyhow::Error),
}

static BUILT: LazyLock<Mutex<HashMap<String, Vec<u8>>>> = LazyLock::new(Mutex::default);

/// A finished connector file: component, manifest, contract version.
///
/// # Panics
/// When it cannot be built: without guests there is nothing to test.
#[must_use]
pub fn guest(name: &str) -> Vec<u8> {
    match try_guest(name) {
        Ok(file) => file,
        Err(Missing::Target) => panic!("guest `{name}` needs a target that is not installed"),
        Err(Missing::Failed(error)) => panic!("guest `{name}`: {error:#}"),
    }
}

/// As [`guest`], for guests that not every toolchain can build.
///
/// # Errors
/// [`Missing::Target`] where the target is not installed.
pub fn try_guest(name: &str) -> Result<Vec<u8>, Missing> {
    let component = component(name)?;
    let manifest = manifest(name).map_err(Missing::Failed)?;
    crm_catalog::section::embed(&component, &manifest, WIT_VERSION).map_err(|e| Missing::Failed(e.into()))
}

/// The component without manifest and version, for tests of files that lack them.
///
/// # Errors
/// As [`try_guest`].
pub fn component(name: &str) -> Result<Vec<u8>, Missing> {
    // A panic of another test must not hide this one's result.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(component) = built.get(name) {
        return Ok(component.clone());
    }
    let wasi = name.starts_with("wasip2");
    if wasi && !has_wasi_target().map_err(Missing::Failed)? {
        return Err(Missing::Target);
    }
    let component = build(name, if wasi { WASI } else { PLAIN }).map_err(Missing::Failed)?;
    built.insert(name.to_owned(), component.clone());
    Ok(component)
}

/// The text of a guest's `connector.toml`.
///
/// # Errors
/// When the file cannot be read.
pub fn manifest(name: &str) -> Result<String> {
    let path = workspace().join(name).join("connector.toml");
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Writes the finished file of a guest as `<dir>/<name>.wasm` and returns its path: for benchmarks, which cannot
/// depend on this package.
///
/// # Errors
/// As [`try_guest`], and when the file cannot be written.
pub fn write(name: &str) -> Result<PathBuf, Missing> {
    let file = try_guest(name)?;
    let path = target_dir().join(format!("{name}.wasm"));
    std::fs::write(&path, file).map_err(|e| Missing::Failed(e.into()))?;
    Ok(path)
}

#[expect(clippy::disallowed_methods, reason = "the toolchain is told through the environment, as cargo does")]
fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

fn target_dir() -> PathBuf {
    let ours = env("CARGO_TARGET_DIR").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    ours.join("guests")
}

fn build(name: &str, target: &str) -> Result<Vec<u8>> {
    let mut cargo = Command::new(env("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--locked", "--target", target, "--package", &format!("guest-{name}")])
        .current_dir(workspace())
        .env("CARGO_TARGET_DIR", target_dir())
        // Flags meant for the host's build do not fit another target.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    if target == PLAIN {
        other_compiler(&mut cargo);
    }
    let out = cargo.output().context("cargo could not be started")?;
    ensure!(out.status.success(), "cargo build failed:\n{}", String::from_utf8_lossy(&out.stderr));
    let path = target_dir().join(target).join("release").join(format!("guest_{}.wasm", name.replace('-', "_")));
    let wasm = std::fs::read(&path).with_context(|| path.display().to_string())?;
    // The WASI target's linker makes components itself.
    if target == WASI {
        return Ok(wasm);
    }
    let encoder = wit_component::ComponentEncoder::default().validate(true).module(&wasm);
    match encoder.and_then(|mut encoder| encoder.encode()) {
        Ok(component) => Ok(component),
        Err(error) => bail!("wit-component: {error:#}"),
    }
}

fn other_compiler(cargo: &mut Command) {
    if let Some(rustc) = env("CRM_WASM_RUSTC") {
        cargo.env("RUSTC", rustc);
    }
    if let Some(linker) = env("CRM_WASM_LINKER") {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    if env("CRM_WASM_BUILD_STD").is_some_and(|v| v == "1") {
        cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
    }
}

fn has_wasi_target() -> Result<bool> {
    if env("CRM_WASM_RUSTC").is_some() {
        return Ok(false);
    }
    let rustc = env("RUSTC").unwrap_or_else(|| "rustc".into());
    let out = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", WASI])
        .current_dir(workspace())
        .output()
        .context("rustc could not be started")?;
    let dir = String::from_utf8_lossy(&out.stdout);
    Ok(out.status.success() && Path::new(dir.trim()).is_dir())
}
