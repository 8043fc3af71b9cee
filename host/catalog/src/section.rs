//! What travels inside a component file besides its code: custom sections at its top level, one for the manifest, one for the WIT version,
//! and one for the fixtures ([`fixtures`]) if its author packed them. Works on bytes that it is handed; whether the rest of the component is
//! sound is the engine's question.

mod fixtures;

use wasm_encoder::{CustomSection, Encode, Section};
use wasmparser::BinaryReader;

use crate::parse::MAX_MANIFEST_BYTES;

pub use fixtures::{
    FIXTURES_SECTION, MAX_FIXTURE_BYTES, MAX_FIXTURES, MAX_INFLATED_BYTES, MAX_PACKED_BYTES, PackedFixture, embed_fixtures, read_fixtures,
    without_fixtures,
};

/// Custom section that holds the text of `connector.toml`.
pub const MANIFEST_SECTION: &str = "rekomi:connector-manifest";
/// Custom section that holds the WIT version, such as `0.1.0`.
pub const WIT_SECTION: &str = "rekomi:wit-version";
const MAX_WIT_BYTES: usize = 32;

const MAGIC: &[u8; 4] = b"\0asm";
/// Version 13, layer 1: a component. A core module has version 1, layer 0.
const COMPONENT: [u8; 4] = [0x0d, 0x00, 0x01, 0x00];
const CORE_MODULE: [u8; 4] = [0x01, 0x00, 0x00, 0x00];
const CUSTOM: u8 = 0;

/// What travels in a connector file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    pub manifest_text: String,
    /// `MAJOR.MINOR.PATCH`.
    pub wit_version: String,
}

/// Why a file is no connector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    #[error("the file is no WebAssembly")]
    NotWasm,
    #[error("the file is a core WebAssembly module, not a component: build it with `cargo xtask build`")]
    CoreModule,
    #[error("the file is WebAssembly of an encoding that this host does not know")]
    UnknownEncoding,
    #[error("the file is cut off or damaged at byte {0}")]
    Truncated(usize),
    #[error("the component holds no section `{0}`: build it with `cargo xtask build`")]
    Missing(&'static str),
    #[error("the component holds the section `{0}` more than once")]
    Repeated(&'static str),
    #[error("the section `{name}` has {size} bytes; at most {max} are allowed")]
    TooLarge { name: &'static str, size: usize, max: usize },
    #[error("the section `{0}` is no UTF-8 text")]
    NotText(&'static str),
    #[error("`{0}` is no WIT version: three numbers such as `0.1.0`")]
    BadVersion(String),
    /// Whoever unpacked it would run out of memory.
    #[error("the packed fixtures become more than {max} bytes when they are unpacked: pack fewer or shorter ones")]
    Bomb { max: usize },
    #[error("the section of fixtures cannot be unpacked ({0}): pack the connector anew")]
    BadFixtures(String),
    #[error("{found} fixtures; at most {max} are allowed")]
    TooManyFixtures { found: usize, max: usize },
    #[error("the fixture `{name}` has {size} bytes; at most {max} are allowed")]
    LargeFixture { name: String, size: usize, max: usize },
    #[error(
        "{0:?} is no name of a fixture: `SCENARIO.json` or `SCENARIO.WORD.json`, lower-case letters, digits, `-` and `_`, each name once"
    )]
    FixtureName(String),
}

/// Puts manifest and WIT version into a component, replacing what an earlier call put there. Fixtures that it packs stay.
///
/// # Errors
/// When the bytes are no component, or a text is too large or no version.
pub fn embed(component: &[u8], manifest_text: &str, wit_version: &str) -> Result<Vec<u8>, SectionError> {
    within(MANIFEST_SECTION, manifest_text.len(), MAX_MANIFEST_BYTES)?;
    check_version(wit_version)?;
    replaced(component, &[(MANIFEST_SECTION, Some(manifest_text.as_bytes())), (WIT_SECTION, Some(wit_version.as_bytes()))])
}

/// The component with these sections anew at its end, whatever it held of them before. `None`: taken away.
fn replaced(component: &[u8], sections: &[(&'static str, Option<&[u8]>)]) -> Result<Vec<u8>, SectionError> {
    let more: usize = sections.iter().map(|(name, data)| name.len() + data.map_or(0, <[u8]>::len) + 16).sum();
    let mut out = Vec::with_capacity(component.len() + more);
    out.extend_from_slice(header(component)?);
    for section in Sections::of(component)? {
        let section = section?;
        if !section.custom_name().is_some_and(|name| sections.iter().any(|(replaced, _)| *replaced == name)) {
            out.extend_from_slice(section.whole);
        }
    }
    for (name, data) in sections {
        if let Some(data) = data {
            let section = CustomSection { name: (*name).into(), data: (*data).into() };
            out.push(section.id());
            section.encode(&mut out);
        }
    }
    Ok(out)
}

/// Reads manifest and WIT version, and of the fixtures no more than that they are there once and within their size: unpacking is
/// [`read_fixtures`]. Looks at the component's own sections only, never at those of modules or components inside it.
///
/// # Errors
/// When the bytes are no component, or a section is missing, repeated, too large or no text.
pub fn read(component: &[u8]) -> Result<Embedded, SectionError> {
    let (mut manifest, mut version, mut fixtures) = (None, None, None);
    for section in Sections::of(component)? {
        let section = section?;
        match section.custom_name() {
            Some(MANIFEST_SECTION) => once(&mut manifest, MANIFEST_SECTION, &section, MAX_MANIFEST_BYTES)?,
            Some(WIT_SECTION) => once(&mut version, WIT_SECTION, &section, MAX_WIT_BYTES)?,
            Some(FIXTURES_SECTION) => once(&mut fixtures, FIXTURES_SECTION, &section, MAX_PACKED_BYTES)?,
            _ => {}
        }
    }
    let manifest = manifest.map(|data| text(MANIFEST_SECTION, data)).transpose()?;
    let wit_version = version.map(|data| text(WIT_SECTION, data)).transpose()?.ok_or(SectionError::Missing(WIT_SECTION))?;
    check_version(&wit_version)?;
    Ok(Embedded { manifest_text: manifest.ok_or(SectionError::Missing(MANIFEST_SECTION))?, wit_version })
}

fn text(name: &'static str, data: &[u8]) -> Result<String, SectionError> {
    Ok(std::str::from_utf8(data).map_err(|_| SectionError::NotText(name))?.to_owned())
}

fn once<'a>(slot: &mut Option<&'a [u8]>, name: &'static str, section: &TopSection<'a>, max: usize) -> Result<(), SectionError> {
    if slot.is_some() {
        return Err(SectionError::Repeated(name));
    }
    let data = section.custom_data();
    within(name, data.len(), max)?;
    *slot = Some(data);
    Ok(())
}

fn within(name: &'static str, size: usize, max: usize) -> Result<(), SectionError> {
    if size > max { Err(SectionError::TooLarge { name, size, max }) } else { Ok(()) }
}

fn check_version(text: &str) -> Result<(), SectionError> {
    if text.len() <= MAX_WIT_BYTES && !text.contains('-') && crate::shape::is_version(text) {
        Ok(())
    } else {
        Err(SectionError::BadVersion(text.chars().take(MAX_WIT_BYTES).collect()))
    }
}

fn header(bytes: &[u8]) -> Result<&[u8], SectionError> {
    match bytes.get(..8) {
        Some(header) if header.starts_with(MAGIC) => match header.get(4..) {
            Some(v) if v == COMPONENT => Ok(header),
            Some(v) if v == CORE_MODULE => Err(SectionError::CoreModule),
            _ => Err(SectionError::UnknownEncoding),
        },
        None if bytes.len() >= 4 && bytes.starts_with(MAGIC) => Err(SectionError::Truncated(bytes.len())),
        _ => Err(SectionError::NotWasm),
    }
}

/// One section of the top level; a nested module or component is one such section, and stays closed.
struct TopSection<'a> {
    id: u8,
    /// With id and size.
    whole: &'a [u8],
    name: Option<&'a str>,
    data: &'a [u8],
}

impl<'a> TopSection<'a> {
    fn custom_name(&self) -> Option<&'a str> {
        self.name.filter(|_| self.id == CUSTOM)
    }

    fn custom_data(&self) -> &'a [u8] {
        self.data
    }
}

struct Sections<'a> {
    bytes: &'a [u8],
    reader: BinaryReader<'a>,
    failed: bool,
}

impl<'a> Sections<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, SectionError> {
        let start = header(bytes)?.len();
        let rest = bytes.get(start..).unwrap_or_default();
        Ok(Self { bytes, reader: BinaryReader::new(rest, start), failed: false })
    }

    fn section(&mut self) -> wasmparser::Result<TopSection<'a>> {
        let start = self.reader.original_position();
        let id = self.reader.read_u8()?;
        let size = self.reader.read_var_u32()?;
        let data = self.reader.read_bytes(size as usize)?;
        let whole = self.bytes.get(start..self.reader.original_position()).unwrap_or_default();
        let (mut name, mut rest) = (None, data);
        if id == CUSTOM {
            let mut inner = BinaryReader::new(data, start);
            name = Some(inner.read_string()?);
            rest = data.get(data.len() - inner.bytes_remaining()..).unwrap_or_default();
        }
        Ok(TopSection { id, whole, name, data: rest })
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<TopSection<'a>, SectionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.eof() {
            return None;
        }
        let at = self.reader.original_position();
        let section = self.section().map_err(|_| SectionError::Truncated(at));
        self.failed = section.is_err();
        Some(section)
    }
}

#[cfg(test)]
mod tests;
