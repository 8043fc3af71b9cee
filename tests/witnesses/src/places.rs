//! Where things lie. Reads the environment; nothing else here does.

use std::path::{Path, PathBuf};
use std::{fs, io};

pub use crm_test_support::skipped;

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of the witnesses.
pub fn here() -> PathBuf {
    repository().join("tests/witnesses")
}

/// The names, without ending and in order, of this room's files in `folder` that end in `.{ending}`.
///
/// # Errors
/// When the folder cannot be read.
pub fn listed(folder: &str, ending: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(here().join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// The only vendor to ask, by its slug: `CRM_WITNESS`, while its witness is being written.
pub fn only() -> Option<String> {
    setting("CRM_WITNESS")
}

/// The folder of all connectors.
pub fn connectors() -> PathBuf {
    repository().join("connectors")
}

/// The folder of one connector.
pub fn connector(slug: &str) -> PathBuf {
    connectors().join(slug)
}

/// A vendor's descriptions, as far as they are on this machine: `<slug>.json`, `<slug>-<part>.json`.
pub fn descriptions(slug: &str) -> Vec<PathBuf> {
    let of_vendor = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rest = name.strip_suffix(".json").and_then(|name| name.strip_prefix(slug));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(specs()).into_iter().flatten().flatten().map(|entry| entry.path()).filter(of_vendor).collect();
    files.sort();
    files
}

/// The vendors' API descriptions, which are not ours to commit: `CRM_SPECS_DIR`, or beside the checkout.
pub fn specs() -> PathBuf {
    setting("CRM_SPECS_DIR").map_or_else(|| repository().join("../shared/specs"), PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "where the descriptions lie is the machine's to say, and whom to ask the author's")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
