//! Fixtures on their way into a connector file and out of it. Reads files; the section's form is `crm_catalog`'s.

use std::path::Path;

use anyhow::Context;
use crm_catalog::section::PackedFixture;

use crate::fixture::{Fixtures, files};

/// Every `*.json` of a folder as it travels. What is in them is not looked at: a file that says nonsense is refused when it proves itself.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn gather(fixtures: &Path) -> anyhow::Result<Vec<PackedFixture>> {
    let one = |file: &Path| {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = file.file_name().and_then(|name| name.to_str()).with_context(|| format!("{} is no text", file.display()))?;
        Ok(PackedFixture { name: name.to_owned(), text })
    };
    files(fixtures)?.iter().map(|file| one(file)).collect()
}

/// What a file packs, as its author knows it: below `fixtures/`.
pub(crate) fn unpacked(packed: &[PackedFixture]) -> Fixtures {
    let mut all = Fixtures::default();
    for PackedFixture { name, text } in packed {
        all.add(Path::new(name), format!("fixtures/{name}"), text.clone());
    }
    all
}
