//! What the contract's world holds, by name. The names are the first thing compared; wasmtime's linker compares the
//! types afterwards. Must not touch files or guests.

use crate::error::ScanFault;

/// The contract version that this host speaks; the folder `wit/since-v0.1.0`.
pub(crate) const WIT_VERSION: &str = "0.1.0";

/// All that a first-party connector may import. `types` carries no function.
const IMPORTS: [&str; 3] = ["rekomi:crm-connector/types@0.1.0", "rekomi:crm-connector/egress@0.1.0", "rekomi:crm-connector/log@0.1.0"];

/// Every export of the world; all must be there, whether the manifest supports them or not.
pub(crate) const EXPORTS: [&str; 6] = ["verify", "list-choices", "prepare", "sync-contact", "untag-contact", "lookup-contact"];

/// WASI packages that are linked to an inert context for connectors that may have them.
const INERT: [&str; 5] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"];

/// Packages that would be a second way out, refused by name even where WASI is allowed.
const NETWORK: [&str; 2] = ["wasi:http/", "wasi:sockets/"];

/// Whether the import `name` may be there.
pub(crate) fn check_import(name: &str, wasi_allowed: bool) -> Result<(), ScanFault> {
    if IMPORTS.contains(&name) {
        return Ok(());
    }
    let starts = |list: &[&str]| list.iter().any(|p| name.starts_with(p));
    if starts(&NETWORK) {
        Err(ScanFault::NetworkImport { name: name.to_owned() })
    } else if !starts(&INERT) {
        Err(ScanFault::ForeignImport { name: name.to_owned() })
    } else if wasi_allowed {
        Ok(())
    } else {
        Err(ScanFault::WasiNotAllowed { name: name.to_owned() })
    }
}

/// Whether `name` belongs to WASI, so that the run needs an inert context.
pub(crate) fn is_wasi(name: &str) -> bool {
    name.starts_with("wasi:")
}

/// The first export of the world that `names` lacks.
pub(crate) fn check_exports(names: &[String]) -> Result<(), ScanFault> {
    match EXPORTS.iter().find(|wanted| !names.iter().any(|n| n == *wanted)) {
        Some(name) => Err(ScanFault::MissingExport { name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_2_only_the_worlds_imports_pass() {
        for name in IMPORTS {
            assert_eq!(check_import(name, false), Ok(()));
        }
        for name in ["rekomi:crm-connector/egress@0.2.0", "rekomi:crm-connector/egress", "env", "", "wasi:nn/graph@0.2.0"] {
            for allowed in [false, true] {
                assert!(matches!(check_import(name, allowed), Err(ScanFault::ForeignImport { .. })), "{name}");
            }
        }
    }

    #[test]
    fn invariant_2_wasi_needs_permission_and_never_brings_a_network() {
        assert!(matches!(check_import("wasi:clocks/wall-clock@0.2.6", false), Err(ScanFault::WasiNotAllowed { .. })));
        assert_eq!(check_import("wasi:clocks/wall-clock@0.2.6", true), Ok(()));
        for name in ["wasi:http/outgoing-handler@0.2.0", "wasi:sockets/tcp@0.2.6"] {
            for allowed in [false, true] {
                assert!(matches!(check_import(name, allowed), Err(ScanFault::NetworkImport { .. })), "{name}");
            }
        }
    }
}
