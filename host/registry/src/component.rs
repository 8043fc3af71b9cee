//! What a component imports and exports, as the config beside it in a registry names it. Read from its outermost level; nothing is validated.

use wasmparser::{ComponentExternalKind, Parser, Payload};

use crate::RegistryError;

pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

pub(crate) fn surface(file: &[u8]) -> Result<Surface, RegistryError> {
    if !Parser::is_component(file) {
        return Err(RegistryError::NotPushable("the file is no WebAssembly component".to_owned()));
    }
    let broken = |error: wasmparser::BinaryReaderError| RegistryError::NotPushable(format!("the component cannot be read: {error}"));
    let mut surface = Surface { imports: Vec::new(), exports: Vec::new() };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(file) {
        match payload.map_err(broken)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(broken)?;
                    if import.ty.kind() != ComponentExternalKind::Type {
                        surface.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(broken)?;
                    if export.kind != ComponentExternalKind::Type {
                        surface.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}
