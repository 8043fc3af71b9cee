//! Builds what `cargo xtask new` stamps, in a scratch workspace below `target/template`, so that a test can show that it passes as it
//! stands. An author's own workspace looks the same: the SDK by path, and the profile.

use std::path::Path;

use anyhow::{Context, Result};
use crm_pack::template::{Home, stamp};

use crate::build::fixtures;
use crate::new;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{Workspace, run as run_command};

const SLUG: &str = "acme-mail";

pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let dir = workspace.target.join("template");
    let folder = dir.join("connectors").join(SLUG);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    new::write(&folder, &stamp(SLUG, None, Home::Workspace)?)?;
    write(&dir.join("Cargo.toml"), root_manifest(&workspace.root).as_bytes())?;
    // The versions that this repository has chosen, so that nothing is fetched anew.
    let lock = workspace.root.join("Cargo.lock");
    std::fs::copy(&lock, dir.join("Cargo.lock")).with_context(|| format!("cannot copy {}", lock.display()))?;

    let toolchain = Toolchain::ensure(workspace)?;
    let mut command = toolchain.cargo_build(workspace);
    command.current_dir(&dir).args(["-p", &format!("connector-{SLUG}")]);
    run_command("cargo build (template)", command)?;
    let module = workspace.target.join("wasm").join(TARGET).join("connector").join(format!("connector_{}.wasm", SLUG.replace('-', "_")));
    let module = std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let manifest = folder.join("connector.toml");
    let text = std::fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let composed = crm_pack::compose(&module, &text, "connector.toml", Some(SLUG), &fixtures(&folder)?)?;
    write(&dir.join(format!("{SLUG}.wasm")), &composed.bytes)
}

fn root_manifest(root: &Path) -> String {
    format!(
        r#"[workspace]
resolver = "3"
members = ["connectors/*"]

[workspace.package]
version = "0.1.0"
edition = "2024"
rust-version = "1.95"
license = "Apache-2.0"
publish = false

[workspace.dependencies]
crm-connector-sdk = {{ path = {sdk:?} }}

[workspace.lints.rust]
unsafe_code = "deny"

[profile.connector]
inherits = "release"
opt-level = "s"
lto = "fat"
codegen-units = 1
panic = "abort"
strip = true
"#,
        sdk = root.join("sdk")
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
