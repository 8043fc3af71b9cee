//! `connector pack`: one file of a compiled module, its manifest and its fixtures.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use crm_pack::PackError;

use super::{note, say};

pub(super) fn run(file: &Path, manifest: &Path, fixtures: Option<&Path>, output: &Path) -> Result<ExitCode> {
    let module = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = std::fs::read_to_string(manifest).with_context(|| format!("the manifest {} cannot be read", manifest.display()))?;
    let beside = manifest.parent().unwrap_or(Path::new("")).join("fixtures");
    let fixtures = match fixtures {
        Some(folder) => crm_conformance::gather(folder)?,
        None if beside.is_dir() => crm_conformance::gather(&beside)?,
        None => Vec::new(),
    };
    let packed = crm_pack::compose(&module, &text, &manifest.display().to_string(), None, &fixtures).map_err(|error| match error {
        // These lines name their file themselves.
        error @ PackError::Manifest(_) => anyhow::anyhow!("{error}"),
        error => anyhow::anyhow!("{}: {error}", file.display()),
    })?;
    std::fs::write(output, &packed.bytes).with_context(|| format!("{} cannot be written", output.display()))?;
    if !packed.outline.wasi.is_empty() {
        note(&format!(
            "note: it imports WASI ({}). A host loads it only where its operator allows that for this connector, and gives it nothing then: \
             no files, no sockets, a clock made from the job. Build for wasm32-unknown-unknown to do without.",
            packed.outline.wasi.join(", ")
        ));
    }
    if fixtures.is_empty() {
        note("note: it packs no fixtures, so a host that takes it can prove no more than its form. Name their folder with --fixtures.");
    }
    let kilobytes = |bytes: usize| bytes as f64 / 1_000.0;
    say(&format!(
        "packed {}: {:.1} kB and {} fixtures in {:.1} kB, imports {}",
        output.display(),
        kilobytes(packed.bare),
        fixtures.len(),
        kilobytes(packed.bytes.len() - packed.bare),
        packed.outline.contract.join(", ")
    ));
    Ok(ExitCode::SUCCESS)
}
