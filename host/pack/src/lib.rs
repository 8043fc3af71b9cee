//! A core module (or a component), a manifest and its fixtures become a connector file: stripped, componentized, validated, with both
//! inside. Must not run what it packs, and reads no file: that is its callers' job.

mod outline;
pub mod template;

use std::fmt;

use crm_catalog::section::{self, PackedFixture};
use wasm_encoder::{Module, RawSection};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

pub use outline::{Outline, outline};

/// Custom sections that componentizing reads; all others (names, producers, debug) only make the file larger.
const TYPES: &str = "component-type";
/// What a compiler for WASI imports, which componentizing cannot give it.
const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// A finished connector file.
#[derive(Debug)]
pub struct Composed {
    /// The file's content.
    pub bytes: Vec<u8>,
    /// How much of it is no fixtures: what the size rule is about.
    pub bare: usize,
    /// What it imports.
    pub outline: Outline,
}

/// Why nothing was packed: each says what its author does next.
#[derive(Debug)]
pub enum PackError {
    /// Mend the manifest: one line each, with file and line.
    Manifest(Vec<String>),
    /// The folder and the manifest name different connectors.
    Slug { shown: String, slug: String, folder: String },
    /// Build another file, or name the right one.
    NotWasm,
    /// Build for another target.
    WasiModule,
    /// Export a connector.
    NoConnector(String),
    /// Import nothing but the contract.
    Import(String),
    /// Mend the component.
    Unsound(String),
    /// Pack fewer, shorter or better named ones.
    Fixtures(String),
}

impl fmt::Display for PackError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(lines) => out.write_str(&lines.join("\n")),
            Self::Slug { shown, slug, folder } => write!(out, "{shown} says slug = \"{slug}\", but the folder is `{folder}`"),
            Self::NotWasm => out.write_str("this is no WebAssembly file: name the `.wasm` that the compiler wrote"),
            Self::WasiModule => write!(
                out,
                "the module imports `{WASI_MODULE}`, so it was built for WASI: build it for the target wasm32-unknown-unknown, \
                 or hand over a component (wasm32-wasip2)"
            ),
            Self::NoConnector(why) => write!(
                out,
                "the module is no connector ({why}): lib.rs needs `crm_connector_sdk::export!(...)`, and Cargo.toml \
                 `crate-type = [\"cdylib\"]`"
            ),
            Self::Import(name) => {
                write!(out, "it imports `{name}`; a connector may import `{}...` only (rule S32)", outline::PACKAGE)
            }
            Self::Unsound(why) => write!(out, "the file cannot become a connector: {why}"),
            Self::Fixtures(why) => write!(out, "the fixtures cannot be packed: {why}"),
        }
    }
}

impl std::error::Error for PackError {}

/// `shown` names the manifest in errors. `slug` is what the manifest must agree with, where the file stands in a folder of that name.
/// `fixtures` are what the file proves itself with; whatever a component held of them before is replaced.
///
/// # Errors
/// The manifest's own errors, all of them, or why the module is no connector.
pub fn compose(module: &[u8], manifest: &str, shown: &str, slug: Option<&str>, fixtures: &[PackedFixture]) -> Result<Composed, PackError> {
    let parsed = crm_catalog::parse(manifest, shown)
        .map_err(|errors| PackError::Manifest(errors.iter().map(ToString::to_string).collect::<Vec<_>>()))?;
    if let Some(folder) = slug
        && parsed.connector.slug != folder
    {
        return Err(PackError::Slug { shown: shown.to_owned(), slug: parsed.connector.slug, folder: folder.to_owned() });
    }
    if !module.starts_with(b"\0asm") {
        return Err(PackError::NotWasm);
    }
    let component = if Parser::is_component(module) { module.to_vec() } else { componentized(module)? };
    let outline = outline(&component)?;
    let Some(version) = &outline.version else {
        return Err(PackError::NoConnector("it imports nothing of the contract".to_owned()));
    };
    let unsound = |error: section::SectionError| PackError::Unsound(error.to_string());
    let bare = section::embed(&section::without_fixtures(&component).map_err(unsound)?, manifest, version).map_err(unsound)?;
    let bytes = section::embed_fixtures(&bare, fixtures).map_err(|error| PackError::Fixtures(error.to_string()))?;
    Ok(Composed { bytes, bare: bare.len(), outline })
}

fn componentized(module: &[u8]) -> Result<Vec<u8>, PackError> {
    let (stripped, types) = stripped(module)?;
    if !types {
        return Err(PackError::NoConnector("it holds no types of the contract".to_owned()));
    }
    let encoder = ComponentEncoder::default().validate(true);
    let mut encoder = encoder.module(&stripped).map_err(|error| PackError::NoConnector(format!("{error:#}")))?;
    encoder.encode().map_err(|error| PackError::Unsound(format!("{error:#}")))
}

/// The module without the custom sections that nothing reads, and whether it holds the contract's types.
fn stripped(module: &[u8]) -> Result<(Vec<u8>, bool), PackError> {
    let mut out = Module::new();
    let mut types = false;
    let unsound = |why: String| PackError::Unsound(why);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| unsound(error.to_string()))?;
        match &payload {
            Payload::CustomSection(custom) if !custom.name().starts_with(TYPES) => continue,
            Payload::CustomSection(_) => types = true,
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import.map_err(|error| unsound(error.to_string()))?;
                    if import.module == WASI_MODULE {
                        return Err(PackError::WasiModule);
                    }
                }
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let data = module.get(range).ok_or_else(|| unsound("a section lies outside the module".to_owned()))?;
            out.section(&RawSection { id, data });
        }
    }
    Ok((out.finish(), types))
}
