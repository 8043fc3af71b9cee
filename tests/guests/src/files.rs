//! Connector files made by hand, for what no compiler would produce: bombs, broken files, foreign imports. Must not
//! judge them.

use std::fmt::Write;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// WebAssembly text to bytes.
///
/// # Panics
/// When the text is wrong: a mistake of the test.
#[must_use]
pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"))
}

/// `component` with the manifest of the guest `hostile` and the contract version.
///
/// # Panics
/// When it cannot be embedded: a mistake of the test.
#[must_use]
pub fn embed(component: &[u8]) -> Vec<u8> {
    embed_as(component, "0.1.0")
}

/// As [`embed`], with another contract version.
///
/// # Panics
/// As [`embed`].
#[must_use]
pub fn embed_as(component: &[u8], wit: &str) -> Vec<u8> {
    let manifest = crate::manifest("hostile").unwrap_or_else(|e| panic!("{e:#}"));
    crm_catalog::section::embed(component, &manifest, wit).unwrap_or_else(|e| panic!("{e}"))
}

/// A component that fits the world and whose core module also holds `fields` (in text form). `memory` is the module's
/// memory, such as `(memory (export "memory") 1)`.
///
/// # Panics
/// When the text is wrong: a mistake of the test.
#[must_use]
pub fn component(memory: &str, fields: &str) -> Vec<u8> {
    // How the world's functions look to a core module: connection flattens to ten values, a job goes by pointer.
    let functions =
        [("verify", 10), ("list-choices", 1), ("prepare", 15), ("sync-contact", 1), ("untag-contact", 1), ("lookup-contact", 1)];
    let mut text = format!("(module {memory}\n");
    for (name, params) in functions {
        let params = "i32 ".repeat(params);
        writeln!(text, "(func (export \"{name}\") (param {params}) (result i32) unreachable)").unwrap_or_else(|e| panic!("{e}"));
    }
    text.push_str("(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) i32.const 1024)\n");
    text.push_str(fields);
    text.push(')');
    let mut module = wat(&text);
    let mut resolve = Resolve::default();
    let encoded = (|| {
        let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/since-v0.1.0"))?;
        let world = resolve.select_world(&[package], Some("connector"))?;
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        ComponentEncoder::default().module(&module)?.encode()
    })();
    encoded.unwrap_or_else(|e| panic!("{e:#}"))
}

/// [`component`] with one page of memory, as a finished file.
#[must_use]
pub fn connector(fields: &str) -> Vec<u8> {
    embed(&component("(memory (export \"memory\") 1)", fields))
}
