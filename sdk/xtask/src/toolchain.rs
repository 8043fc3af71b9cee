//! Makes sure that connectors can be compiled: with the active toolchain, else with Debian's compiler unpacked below
//! `target/`, else it says in one sentence what to install. Nothing is installed and no root is needed.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::debian::DebianRust;
use crate::say;
use crate::workspace::{Workspace, output_of, setting};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Forces one way: `rustup` or `debian`.
const CHOICE: &str = "CRM_XTASK_TOOLCHAIN";

/// The compiler that builds connectors.
pub(crate) enum Toolchain {
    /// The active one has the target.
    Active,
    Debian(DebianRust),
}

impl Toolchain {
    /// Finds one, fetching what is missing.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        let choice = setting(CHOICE);
        match choice.as_deref() {
            None | Some("rustup") => {
                if has_target() || (add_target(TARGET) && has_target()) {
                    return Ok(Self::Active);
                }
                if choice.is_some() {
                    bail!("the active toolchain has no {TARGET} and `rustup target add {TARGET}` failed");
                }
            }
            Some("debian") => {}
            Some(other) => bail!("{CHOICE} is `rustup` or `debian`, not `{other}`"),
        }
        match DebianRust::ensure(workspace) {
            Ok(debian) => Ok(Self::Debian(debian)),
            Err(error) => bail!(
                "connectors need the Rust target {TARGET}: run `rustup target add {TARGET}`, or use a Debian whose packages can be fetched with apt-get ({error:#})"
            ),
        }
    }

    /// `cargo build` for connectors, up to the packages.
    pub(crate) fn cargo_build(&self, workspace: &Workspace) -> Command {
        let mut command = workspace.cargo();
        command.args(["build", "--target", TARGET, "--profile", "connector"]);
        // A directory of its own: its lock and its profile do not meet those of the host's build, which may be under way.
        command.env("CARGO_TARGET_DIR", workspace.target.join("wasm"));
        if let Self::Debian(debian) = self {
            debian.configure(&mut command);
        }
        command
    }

    fn described(&self) -> String {
        match self {
            Self::Active => format!("the active toolchain has {TARGET}"),
            Self::Debian(debian) => format!("{TARGET} is built with {}", debian.version()),
        }
    }
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let toolchain = Toolchain::ensure(workspace)?;
    say::result(&toolchain.described());
    // Only the guest that tests the WASI tier wants it; that test says so when it is missing.
    let wasi = add_target("wasm32-wasip2");
    say::result(if wasi { "wasm32-wasip2 is there too" } else { "wasm32-wasip2 is not available; connectors do not need it" });
    Ok(())
}

/// Tries `rustup target add`; quiet, since there may be no rustup at all.
pub(crate) fn add_target(target: &str) -> bool {
    let mut command = Command::new("rustup");
    command.args(["target", "add", target]);
    output_of(command).is_some()
}

fn has_target() -> bool {
    let mut command = Command::new(setting("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--print", "target-libdir", "--target", TARGET]);
    output_of(command).is_some_and(|dir| holds_core(Path::new(dir.trim())))
}

/// A directory of that name may exist and be empty: the core library is what counts.
fn holds_core(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_library_directory_is_no_target() {
        let dir = tempfile::tempdir().expect("temp dir");
        assert!(!holds_core(dir.path()));
        assert!(!holds_core(&dir.path().join("absent")));
        std::fs::write(dir.path().join("libcore-0123.rlib"), "").expect("written");
        assert!(holds_core(dir.path()));
    }
}
