//! What a component imports, read from its outermost level. Neither validates nor runs it: the engine does that.

use wasmparser::{ComponentExternalKind, Parser, Payload};

use crate::PackError;

/// The package whose interfaces are all that a connector may import.
pub(crate) const PACKAGE: &str = "rekomi:crm-connector/";
const WASI: &str = "wasi:";

/// A component's imports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Interfaces of the contract, without package and version.
    pub contract: Vec<String>,
    /// Interfaces of WASI: only an operator can allow them, and they reach nothing then.
    pub wasi: Vec<String>,
    /// The version of the contract that they name; `None` when it imports nothing of it.
    pub version: Option<String>,
}

/// Reads the imports of a component.
///
/// # Errors
/// When the bytes cannot be read, or it imports anything but the contract and WASI.
pub fn outline(component: &[u8]) -> Result<Outline, PackError> {
    let mut outline = Outline::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| PackError::Unsound(error.to_string()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| PackError::Unsound(error.to_string()))?;
                    // Names that the world gives to types of the contract; they bring nothing in.
                    if import.ty.kind() != ComponentExternalKind::Type {
                        outline.add(import.name.name)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(outline)
}

impl Outline {
    fn add(&mut self, name: &str) -> Result<(), PackError> {
        if name.starts_with(WASI) {
            self.wasi.push(name.to_owned());
            return Ok(());
        }
        let Some((interface, at)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else {
            return Err(PackError::Import(name.to_owned()));
        };
        let version = self.version.get_or_insert_with(|| at.to_owned());
        if version != at {
            return Err(PackError::Unsound(format!("it imports two versions of the contract, {version} and {at}")));
        }
        self.contract.push(interface.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_wasi_and_anything_else_are_told_apart() {
        let mut outline = Outline::default();
        assert!(outline.add("rekomi:crm-connector/egress@0.1.0").is_ok());
        assert!(outline.add("wasi:clocks/wall-clock@0.2.6").is_ok());
        assert_eq!((outline.contract.as_slice(), outline.wasi.len()), (["egress".to_owned()].as_slice(), 1));
        assert_eq!(outline.version.as_deref(), Some("0.1.0"));
        assert!(matches!(outline.add("acme:files/all@1.0.0"), Err(PackError::Import(_))));
        assert!(matches!(outline.add("rekomi:crm-connector/log@0.2.0"), Err(PackError::Unsound(_))));
    }
}
