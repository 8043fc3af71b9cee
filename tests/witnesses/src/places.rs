//! Where things lie. Reads the environment; nothing else here does.

use std::path::{Path, PathBuf};

pub use crm_test_support::skipped;

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of one connector.
pub fn connector(slug: &str) -> PathBuf {
    repository().join("connectors").join(slug)
}

/// The vendors' API descriptions, which are not ours to commit: `CRM_SPECS_DIR`, or beside the checkout.
pub fn specs() -> PathBuf {
    setting("CRM_SPECS_DIR").map_or_else(|| repository().join("../shared/specs"), PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "where the descriptions lie is the machine's to say")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
