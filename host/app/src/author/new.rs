//! `connector new`: the folder that an author without this repository begins with.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use crm_pack::template::{Home, stamp};

use super::say;

pub(super) fn run(slug: &str, name: Option<&str>, sdk: &str) -> Result<ExitCode> {
    // A folder is written into the new crate as it is found from there.
    let found = if Path::new(sdk).is_dir() {
        std::fs::canonicalize(sdk).with_context(|| format!("the SDK's folder {sdk} cannot be read"))?.display().to_string()
    } else {
        sdk.to_owned()
    };
    let files = stamp(slug, name, Home::Alone { sdk: &found })?;
    let folder = Path::new(slug);
    if folder.exists() {
        bail!("{slug} is there already; choose another slug, or remove it first");
    }
    for (path, text) in &files {
        let file = folder.join(path);
        let dir = file.parent().context("a file of the template has no folder")?;
        std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        std::fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    say(&format!("{slug}: {} files. It is an invented vendor's connector, and passes as it stands:", files.len()));
    let module = format!("target/wasm32-unknown-unknown/release/connector_{}.wasm", slug.replace('-', "_"));
    say(&format!("  cd {slug}"));
    say("  cargo build --release --target wasm32-unknown-unknown");
    say(&format!("  crm-host connector pack {module} -o {slug}.wasm"));
    say(&format!("  crm-host connector check {slug}.wasm"));
    Ok(ExitCode::SUCCESS)
}
