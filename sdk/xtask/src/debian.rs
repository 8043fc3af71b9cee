//! Debian's packages, unpacked below `target/` where a machine lacks them: nothing is installed and no root is needed. Among them its own
//! compiler for the web target, for machines where rustup cannot fetch a target.
//!
//! `rustc-web` brings no standard library for the target, so cargo builds it from `rust-web-src`; and the linker of the
//! rustup toolchain does not serve this compiler's LLVM, hence `wasm-ld-22`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::say;
use crate::workspace::{Workspace, output_of, run};

/// Of one Debian release: compiler, its libraries, the standard library's source, LLVM and the linker.
const PACKAGES: &[&str] = &["rustc-web", "libstd-rust-web-1.96", "libstd-rust-web-dev", "rust-web-src", "libllvm22", "lld-22"];

pub(crate) struct DebianRust {
    root: PathBuf,
}

impl DebianRust {
    /// Uses what an earlier run unpacked, or fetches and unpacks it.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        let root = workspace.target.join("debian-rust");
        let here = Self { root };
        let complete = here.root.join("complete");
        if complete.exists() {
            return Ok(here);
        }
        say::note(&format!("fetching Debian's compiler (about 140 MB): {}", PACKAGES.join(" ")));
        unpack(&here.root, PACKAGES)?;
        if here.version().is_empty() {
            bail!("the unpacked compiler does not run on this machine");
        }
        std::fs::write(&complete, PACKAGES.join("\n")).context("cannot finish the unpacking")?;
        Ok(here)
    }

    /// Points cargo at this compiler, its library source and its linker.
    pub(crate) fn configure(&self, cargo: &mut Command) {
        cargo.env("RUSTC", self.rustc());
        cargo.env("LD_LIBRARY_PATH", self.libraries());
        // The compiler is a stable one; building the standard library is not a stable feature of cargo.
        cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", self.root.join("usr/bin/wasm-ld-22"));
    }

    /// Such as `rustc 1.96.0 (...)`; empty when it does not run.
    pub(crate) fn version(&self) -> String {
        let mut command = Command::new(self.rustc());
        command.arg("--version").env("LD_LIBRARY_PATH", self.libraries());
        output_of(command).unwrap_or_default().trim().to_owned()
    }

    fn rustc(&self) -> PathBuf {
        self.root.join("usr/bin/rustc")
    }

    fn libraries(&self) -> PathBuf {
        self.root.join("usr/lib/x86_64-linux-gnu")
    }
}

/// Fetches packages by their names and unpacks them below `root`.
pub(crate) fn unpack(root: &Path, names: &[&str]) -> Result<()> {
    for tool in ["apt-get", "dpkg-deb"] {
        let mut command = Command::new(tool);
        command.arg("--version");
        output_of(command).with_context(|| format!("{tool} is not there"))?;
    }
    let packages = root.join("packages");
    std::fs::create_dir_all(&packages).with_context(|| format!("cannot create {}", packages.display()))?;
    fetch(&packages, names)?;
    for entry in std::fs::read_dir(&packages).context("cannot list the fetched packages")? {
        let file = entry.context("cannot list the fetched packages")?.path();
        if file.extension().is_some_and(|e| e == "deb") {
            let mut command = Command::new("dpkg-deb");
            command.arg("-x").arg(&file).arg(root);
            run("dpkg-deb", command)?;
        }
    }
    std::fs::remove_dir_all(&packages).context("cannot remove the fetched packages")
}

/// Downloads into `packages`; with package lists of our own when the machine has none (that needs no root).
fn fetch(packages: &Path, names: &[&str]) -> Result<()> {
    if download(packages, names, &[]) {
        return Ok(());
    }
    let lists = packages.join("lists");
    std::fs::create_dir_all(lists.join("partial")).context("cannot create a directory for package lists")?;
    let options = [format!("Dir::State::lists={}", lists.display()), format!("Dir::Cache={}", packages.display())];
    let mut update = apt_get(packages, &options);
    update.args(["-q", "update"]);
    if output_of(update).is_some() && download(packages, names, &options) {
        return Ok(());
    }
    bail!("apt-get could not download {}", names.join(", "))
}

fn download(packages: &Path, names: &[&str], options: &[String]) -> bool {
    let mut command = apt_get(packages, options);
    command.args(["-q", "download"]).args(names);
    output_of(command).is_some()
}

fn apt_get(packages: &Path, options: &[String]) -> Command {
    let mut command = Command::new("apt-get");
    command.current_dir(packages);
    for option in options {
        command.args(["-o", option]);
    }
    command
}
