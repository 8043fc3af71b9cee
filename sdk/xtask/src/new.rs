//! `cargo xtask new <slug>`: a connector folder that builds, packs and passes as it stands, stamped from `sdk/template`. The folder is all
//! there is to it: no list names the connectors.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use crm_pack::template::{Home, stamp};

use crate::say;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Flags {
    /// Names folder, file and API path for ever: lower-case letters and digits in words joined by `-`
    slug: String,
    /// The vendor's name as merchants know it; the slug's words if left out
    #[arg(long)]
    name: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, flags: &Flags) -> Result<()> {
    let slug = flags.slug.as_str();
    let files = stamp(slug, flags.name.as_deref(), Home::Workspace)?;
    let folder = workspace.root.join("connectors").join(slug);
    if folder.exists() {
        bail!("connectors/{slug} is there already; choose another slug, or remove the folder first");
    }
    write(&folder, &files)?;
    say::result(&format!("connectors/{slug}: {} files. It is an invented vendor's connector, and passes as it stands:", files.len()));
    say::result(&format!("  cargo xtask check {slug}"));
    say::result("Then make it yours: connector.toml first, fixtures next, lib.rs last. docs/authoring.md goes with you.");
    Ok(())
}

pub(crate) fn write(folder: &Path, files: &[(PathBuf, String)]) -> Result<()> {
    for (path, text) in files {
        let file = folder.join(path);
        let dir = file.parent().context("a file of the template has no folder")?;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_stamped_and_never_over_another() {
        let dir = tempfile::tempdir().expect("a directory");
        let workspace = Workspace { root: dir.path().to_owned(), target: dir.path().join("target") };
        let new = |slug: &str| run(&workspace, &Flags { slug: slug.to_owned(), name: None });
        new("acme-mail").expect("stamped");
        let folder = workspace.root.join("connectors/acme-mail");
        for file in ["Cargo.toml", "connector.toml", "lib.rs", "fixtures/sync-new.json"] {
            assert!(folder.join(file).exists(), "{file}");
        }
        let again = new("acme-mail").expect_err("refused").to_string();
        assert!(again.contains("there already"), "{again}");
        assert!(new("Acme").is_err());
        assert!(!workspace.root.join("connectors/Acme").exists());
    }
}
