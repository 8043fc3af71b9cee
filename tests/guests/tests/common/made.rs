//! Parts of files that no compiler would produce. Must not judge them.

use std::fmt::Write;

use crm_guests::files::{connector, embed, wat};

pub const PAGE: &str = "(memory (export \"memory\") 1)";

pub fn repeat(text: &str, n: usize) -> String {
    text.repeat(n)
}

/// `n` numbered copies.
pub fn each(n: usize, one: impl Fn(usize) -> String) -> String {
    (0..n).fold(String::new(), |mut all, i| {
        all.push_str(&one(i));
        all
    })
}

/// A component from text, as a finished file.
pub fn whole(text: &str) -> Vec<u8> {
    embed(&wat(text))
}

/// The world's exports under the right names and a wrong type, for components that are judged by something else.
pub const MISTYPED: &str = r#"
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (export "verify" (func $f)) (export "list-choices" (func $f)) (export "prepare" (func $f))
    (export "sync-contact" (func $f)) (export "untag-contact" (func $f)) (export "lookup-contact" (func $f))"#;

pub fn custom(name: &str, data: &[u8]) -> Vec<u8> {
    let mut section = wasm_section_len(name.len());
    section.extend(name.as_bytes());
    section.extend(data);
    [vec![0], wasm_section_len(section.len()), section].concat()
}

/// LEB128.
pub fn wasm_section_len(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Dense arithmetic over many locals: within every structural limit, and far too much for a compiler's ten seconds.
pub fn slow_to_compile() -> Vec<u8> {
    let locals = 490;
    let mut body = format!("(local {})", repeat("i32 ", locals));
    let mut seed = 1u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (seed >> 16) as usize % locals
    };
    for _ in 0..5_200 {
        let (a, b, c) = (next(), next(), next());
        write!(body, "(if (local.get {a}) (then (local.set {b} (local.get {c}))))").unwrap_or_else(|e| panic!("{e}"));
    }
    connector(&each(60, |_| format!("(func {body})")))
}
