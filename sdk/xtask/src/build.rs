//! `cargo xtask build`: every folder below `connectors/` becomes `target/connectors/<slug>.wasm`. The folder is the
//! registry; there is no list to keep.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use crm_catalog::section::PackedFixture;
use crm_pack::{Composed, compose};

use crate::say;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{Workspace, run as run_command};

#[derive(Args)]
pub(crate) struct Flags {
    /// Only these connectors
    slugs: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, flags: &Flags) -> Result<()> {
    connectors(workspace, &chosen(workspace, &flags.slugs)?).map(drop)
}

/// The connectors that were named, or all; a name that nothing answers to is refused.
pub(crate) fn chosen(workspace: &Workspace, named: &[String]) -> Result<Vec<String>> {
    let all = slugs(workspace)?;
    if let Some(unknown) = named.iter().find(|slug| !all.contains(slug)) {
        bail!("no connector `{unknown}`; there are: {}", all.join(", "));
    }
    Ok(if named.is_empty() { all } else { named.to_vec() })
}

/// Builds every connector.
pub(crate) fn all_connectors(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    connectors(workspace, &slugs(workspace)?)
}

/// Builds these, each for itself where one does not build: the others are not to blame.
pub(crate) fn each(workspace: &Workspace, slugs: &[String]) -> Result<Vec<(String, Result<PathBuf>)>> {
    let toolchain = Toolchain::ensure(workspace)?;
    let out = out(workspace)?;
    let together = compile(workspace, &toolchain, slugs);
    let one = |slug: &String| {
        let compiled = match &together {
            Ok(()) => Ok(()),
            Err(_) => compile(workspace, &toolchain, std::slice::from_ref(slug)),
        };
        (slug.clone(), compiled.and_then(|()| finish(workspace, slug, &out)))
    };
    Ok(slugs.iter().map(one).collect())
}

/// The connectors of this repository, by name.
pub(crate) fn slugs(workspace: &Workspace) -> Result<Vec<String>> {
    let dir = workspace.root.join("connectors");
    let mut slugs = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
        if entry.path().join("Cargo.toml").exists() {
            slugs.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    slugs.sort();
    Ok(slugs)
}

fn connectors(workspace: &Workspace, slugs: &[String]) -> Result<Vec<PathBuf>> {
    let toolchain = Toolchain::ensure(workspace)?;
    compile(workspace, &toolchain, slugs)?;
    let out = out(workspace)?;
    slugs.iter().map(|slug| finish(workspace, slug, &out)).collect()
}

fn compile(workspace: &Workspace, toolchain: &Toolchain, slugs: &[String]) -> Result<()> {
    let mut command = toolchain.cargo_build(workspace);
    for slug in slugs {
        command.args(["-p", &format!("connector-{slug}")]);
    }
    run_command("cargo build (connectors)", command)
}

fn out(workspace: &Workspace) -> Result<PathBuf> {
    let out = workspace.connectors_out();
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    Ok(out)
}

fn finish(workspace: &Workspace, slug: &str, out: &Path) -> Result<PathBuf> {
    let module = workspace.target.join("wasm").join(TARGET).join("connector").join(format!("connector_{}.wasm", slug.replace('-', "_")));
    let module = std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let manifest = workspace.root.join("connectors").join(slug).join("connector.toml");
    let text = std::fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let shown = format!("connectors/{slug}/connector.toml");
    let fixtures = fixtures(&workspace.root.join("connectors").join(slug))?;
    let composed = compose(&module, &text, &shown, Some(slug), &fixtures).with_context(|| format!("connector {slug}"))?;
    let Composed { bytes, bare, outline } = composed;
    let file = out.join(format!("{slug}.wasm"));
    let unchanged = std::fs::read(&file).is_ok_and(|before| before == bytes);
    if !unchanged {
        replace(&file, &bytes)?;
    }
    let state = if unchanged { "unchanged" } else { "built" };
    let packed = format!("{} fixtures in {:.1} kB", fixtures.len(), (bytes.len() - bare) as f64 / 1_000.0);
    say::note(&format!("{state} {slug}.wasm: {:.1} kB and {packed}, imports {}", bare as f64 / 1_000.0, outline.contract.join(", ")));
    Ok(file)
}

/// What a connector's file proves itself with: every fixture of its folder.
pub(crate) fn fixtures(folder: &Path) -> Result<Vec<PackedFixture>> {
    let dir = folder.join("fixtures");
    let mut fixtures = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let file = entry.with_context(|| format!("cannot read {}", dir.display()))?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            fixtures.push(PackedFixture { name, text });
        }
    }
    Ok(fixtures)
}

/// A running host watches this directory: it must never see half a file.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let part = file.with_extension("part");
    std::fs::write(&part, bytes).with_context(|| format!("cannot write {}", part.display()))?;
    std::fs::rename(&part, file).with_context(|| format!("cannot write {}", file.display()))
}
