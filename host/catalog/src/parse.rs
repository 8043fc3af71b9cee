//! The way in: TOML text to a [`Manifest`] that keeps every promise of `model`, or everything that is wrong with it.

use crate::check;
use crate::error::{ManifestError, Report};
use crate::model::Manifest;
use crate::structure;

/// Larger texts are refused unread; `section` holds to the same figure.
pub const MAX_MANIFEST_BYTES: usize = 256 * 1024;

/// What may be let through that a released host refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Allow `http://` and IP addresses for loopback hosts: for an author's twin, never for merchants.
    pub dev: bool,
}

/// Parses and validates as a released host does. `file_name` is only used in errors.
///
/// # Errors
/// Every error of the text, in the order of its lines.
pub fn parse(text: &str, file_name: &str) -> Result<Manifest, Vec<ManifestError>> {
    parse_with(text, file_name, ParseOptions::default())
}

/// As [`parse`], with options.
///
/// # Errors
/// Every error of the text, in the order of its lines.
pub fn parse_with(text: &str, file_name: &str, options: ParseOptions) -> Result<Manifest, Vec<ManifestError>> {
    let mut report = Report::new(file_name);
    if text.len() > MAX_MANIFEST_BYTES {
        report.whole_file(None, format!("is {} bytes long; at most {MAX_MANIFEST_BYTES} are allowed", text.len()));
        return Err(report.into_errors());
    }
    let Some(value) = structure::check(text, &mut report) else {
        return Err(report.into_errors());
    };
    let manifest: Manifest = match serde_json::from_value(value) {
        Ok(manifest) => manifest,
        Err(error) => {
            // Reached only if schema and model drift apart, which a test guards; still an answer, never a panic.
            if !report.has_errors() {
                report.whole_file(None, error.to_string());
            }
            return Err(report.into_errors());
        }
    };
    check::all(&manifest, options, &mut report);
    if report.has_errors() { Err(report.into_errors()) } else { Ok(manifest) }
}
