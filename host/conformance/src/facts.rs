//! What can be said of a connector file without running it: its size, and what it imports. Must not run or compile anything.

use anyhow::Result;
use crm_catalog::model::Manifest;

use crate::failure::Failure;

/// Largest connector file without its fixtures, in bytes (rule S39). The usual one has 150 to 200 kB; a host keeps dozens of them.
pub const MAX_BYTES: usize = 250_000;

/// What is wrong with the file itself, its fixtures left out. `wasi`: an operator allows it to import WASI.
///
/// # Errors
/// When the component cannot be read.
pub(crate) fn failures(component: &[u8], wasi: bool) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    if component.len() > MAX_BYTES {
        let what = format!(
            "the file has {} kB without its fixtures; at most {} kB: build for wasm32-unknown-unknown with opt-level \"s\", lto, panic \"abort\" and strip",
            component.len().div_ceil(1000),
            MAX_BYTES / 1000
        );
        failures.push(Failure::of_file(Some("S39"), what));
    }
    let outline = crm_pack::outline(component)?;
    if !outline.wasi.is_empty() && !wasi {
        let what = format!(
            "imports {}: WASI runs only where an operator allows it for this connector (check with --allow-wasi)",
            outline.wasi.join(", ")
        );
        failures.push(Failure::of_file(Some("S32"), what));
    }
    Ok(failures)
}

/// Hosts that the code should not know: they belong in the manifest, where they are shown and compared. A remark each.
pub(crate) fn hosts_in_code(component: &[u8], manifest: &Manifest) -> Vec<String> {
    // The manifest inside the file names them all; it is no code.
    let text = crm_catalog::section::read(component).map(|embedded| embedded.manifest_text).unwrap_or_default();
    let mut remarks = Vec::new();
    for endpoint in &manifest.endpoints {
        let host = endpoint.url.strip_prefix("https://").unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
        if host.is_empty() || host.contains('{') {
            continue;
        }
        if count(component, host.as_bytes()) > count(text.as_bytes(), host.as_bytes()) {
            remarks.push(format!("[S33] the code holds the host name {host}: it belongs in connector.toml alone"));
        }
    }
    remarks
}

fn count(text: &[u8], word: &[u8]) -> usize {
    text.windows(word.len()).filter(|window| *window == word).count()
}
