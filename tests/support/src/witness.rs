//! What happens when an independent witness (a vendor's library, an interpreter, an index of packages) cannot be asked on this machine.

use std::io::Write;

use crate::artefacts::setting;

/// Says, past the test harness, that a witness was not heard.
///
/// # Panics
/// When `CRM_WITNESSES=required`: then nobody may be missing.
pub fn skipped(who: &str, why: &str) {
    let line = format!("SKIPPED, a witness was not heard: {who}: {why}");
    assert!(setting("CRM_WITNESSES").as_deref() != Some("required"), "{line} (CRM_WITNESSES=required)");
    // The harness keeps what `eprintln!` says of a test that passes to itself.
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}
