//! Where things lie, and what happens when a witness cannot be asked. Reads the environment; nothing else here does.

use std::io::Write;
use std::path::{Path, PathBuf};

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

/// Says, past the test harness, that a witness was not heard.
///
/// # Panics
/// When `CRM_WITNESSES=required`: then nobody may be missing.
pub fn skipped(who: &str, why: &str) {
    let line = format!("witness skipped: {who}: {why}");
    assert!(setting("CRM_WITNESSES").as_deref() != Some("required"), "{line} (CRM_WITNESSES=required)");
    // The harness keeps what `eprintln!` says of a test that passes to itself.
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}

#[expect(clippy::disallowed_methods, reason = "where the descriptions lie is the machine's to say")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
