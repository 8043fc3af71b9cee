//! The fixtures' place inside a component file, so that the file proves itself wherever it is taken. Packs and unpacks within bounds; what a
//! fixture says is the conformance suite's question.
//!
//! The section holds one zlib stream (RFC 1950) of a JSON list, sorted by name: `[{"name": "sync-new.json", "text": "{...}"}, ...]`. The
//! texts are kept to the byte, so that a failure names the line that the author knows.

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use serde::{Deserialize, Serialize};

use super::{SectionError, Sections, once, replaced, within};

/// Custom section that holds the fixtures, compressed.
pub const FIXTURES_SECTION: &str = "rekomi:connector-fixtures";
/// Bytes of the section. Fixtures shrink to a twentieth: a hundred of them have 15 kB.
pub const MAX_PACKED_BYTES: usize = 256 << 10;
/// Bytes of all fixtures, unpacked.
pub const MAX_INFLATED_BYTES: usize = 4 << 20;
/// Bytes of one fixture.
pub const MAX_FIXTURE_BYTES: usize = 512 << 10;
/// Fixtures in one file.
pub const MAX_FIXTURES: usize = 500;
const MAX_NAME: usize = 100;
/// The slowest: files are packed once and carried often.
const LEVEL: u8 = 9;

/// One fixture as it travels: the name of its file and its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedFixture {
    pub name: String,
    pub text: String,
}

/// Puts fixtures into a component, replacing what an earlier call put there; an empty list takes them away. The same fixtures give the same
/// bytes, in whichever order they come.
///
/// # Errors
/// When the bytes are no component, or the fixtures are too many, too large or badly named.
pub fn embed_fixtures(component: &[u8], fixtures: &[PackedFixture]) -> Result<Vec<u8>, SectionError> {
    let mut sorted: Vec<&PackedFixture> = fixtures.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    check(&sorted)?;
    if sorted.is_empty() {
        return without_fixtures(component);
    }
    let json = serde_json::to_vec(&sorted).map_err(|error| SectionError::BadFixtures(error.to_string()))?;
    if json.len() > MAX_INFLATED_BYTES {
        return Err(SectionError::Bomb { max: MAX_INFLATED_BYTES });
    }
    let packed = compress_to_vec_zlib(&json, LEVEL);
    within(FIXTURES_SECTION, packed.len(), MAX_PACKED_BYTES)?;
    replaced(component, &[(FIXTURES_SECTION, Some(&packed))])
}

/// The fixtures that a component packs, by name. `None`: it packs none, which is its author's choice.
///
/// # Errors
/// When the bytes are no component, or the section is repeated, too large (packed or unpacked) or holds something else.
pub fn read_fixtures(component: &[u8]) -> Result<Option<Vec<PackedFixture>>, SectionError> {
    let mut packed = None;
    for section in Sections::of(component)? {
        let section = section?;
        if section.custom_name() == Some(FIXTURES_SECTION) {
            once(&mut packed, FIXTURES_SECTION, &section, MAX_PACKED_BYTES)?;
        }
    }
    let Some(packed) = packed else { return Ok(None) };
    let json = decompress_to_vec_zlib_with_limit(packed, MAX_INFLATED_BYTES).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => SectionError::Bomb { max: MAX_INFLATED_BYTES },
        _ => SectionError::BadFixtures("it is no whole zlib stream".to_owned()),
    })?;
    let mut fixtures: Vec<PackedFixture> =
        serde_json::from_slice(&json).map_err(|error| SectionError::BadFixtures(format!("it holds no list of fixtures: {error}")))?;
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    check(&fixtures.iter().collect::<Vec<_>>())?;
    Ok(Some(fixtures))
}

/// The component as it is without fixtures: what its size is measured by.
///
/// # Errors
/// When the bytes are no component.
pub fn without_fixtures(component: &[u8]) -> Result<Vec<u8>, SectionError> {
    replaced(component, &[(FIXTURES_SECTION, None)])
}

/// `sorted` by name.
fn check(sorted: &[&PackedFixture]) -> Result<(), SectionError> {
    if sorted.len() > MAX_FIXTURES {
        return Err(SectionError::TooManyFixtures { found: sorted.len(), max: MAX_FIXTURES });
    }
    let twice = sorted.windows(2).find(|pair| matches!(pair, [a, b] if a.name == b.name)).and_then(|pair| pair.first());
    if let Some(bad) = twice.or_else(|| sorted.iter().find(|fixture| !is_name(&fixture.name))) {
        return Err(SectionError::FixtureName(bad.name.chars().take(MAX_NAME).collect()));
    }
    match sorted.iter().find(|fixture| fixture.text.len() > MAX_FIXTURE_BYTES) {
        Some(large) => Err(SectionError::LargeFixture { name: large.name.clone(), size: large.text.len(), max: MAX_FIXTURE_BYTES }),
        None => Ok(()),
    }
}

/// A file's name and no way to anywhere: whoever unpacks writes it below a folder of his own.
fn is_name(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    name.len() <= MAX_NAME && name.strip_suffix(".json").is_some_and(|stem| stem.split('.').all(word))
}

#[cfg(test)]
mod tests;
