//! A core module and a manifest become a connector file: stripped, componentized, validated, with the manifest inside.

use anyhow::{Context, Result, bail};
use wasm_encoder::{Module, RawSection};
use wasmparser::{ComponentExternalKind, Parser, Payload};
use wit_component::ComponentEncoder;

/// The package whose interfaces are all that a connector may import.
const PACKAGE: &str = "rekomi:crm-connector/";

/// Custom sections that componentizing reads; all others (names, producers, debug) only make the file larger.
const TYPES: &str = "component-type";

pub(crate) struct Composed {
    pub(crate) bytes: Vec<u8>,
    /// Interfaces that it imports, without package and version.
    pub(crate) imports: Vec<String>,
}

/// `shown` names the manifest in errors; `slug` is the folder, which the manifest must agree with.
pub(crate) fn compose(module: &[u8], manifest: &str, shown: &str, slug: &str) -> Result<Composed> {
    let parsed = match crm_catalog::parse(manifest, shown) {
        Ok(parsed) => parsed,
        Err(errors) => bail!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    if parsed.connector.slug != slug {
        bail!("{shown} says slug = \"{}\", but the folder is `{slug}`", parsed.connector.slug);
    }
    let stripped = stripped(module)?;
    let encoder = ComponentEncoder::default().validate(true);
    let mut encoder = encoder.module(&stripped).context("the module is no connector")?;
    let component = encoder.encode().context("the module cannot become a component")?;
    let (imports, version) = imports(&component)?;
    let bytes = crm_catalog::section::embed(&component, manifest, &version).context("the manifest cannot be embedded")?;
    Ok(Composed { bytes, imports })
}

/// The module without the custom sections that nothing reads.
fn stripped(module: &[u8]) -> Result<Vec<u8>> {
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("the compiler's output cannot be read")?;
        if let Payload::CustomSection(custom) = &payload
            && !custom.name().starts_with(TYPES)
        {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            out.section(&RawSection { id, data: module.get(range).context("a section lies outside the module")? });
        }
    }
    Ok(out.finish())
}

/// The imported interfaces, and the version of the contract that they name.
fn imports(component: &[u8]) -> Result<(Vec<String>, String)> {
    let mut names = Vec::new();
    let mut version: Option<String> = None;
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.context("the component cannot be read")? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.context("an import cannot be read")?;
                    // Names that the world gives to types of the contract; they bring nothing in.
                    if import.ty.kind() == ComponentExternalKind::Type {
                        continue;
                    }
                    let name = import.name.name;
                    let Some((interface, at)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else {
                        bail!("it imports `{name}`; a connector may import `{PACKAGE}...` only");
                    };
                    if *version.get_or_insert_with(|| at.to_owned()) != *at {
                        bail!("it imports two versions of the contract, {} and {at}", version.unwrap_or_default());
                    }
                    names.push(interface.to_owned());
                }
            }
            _ => {}
        }
    }
    let version = version.context("it imports nothing of the contract: does lib.rs export a connector?")?;
    Ok((names, version))
}
