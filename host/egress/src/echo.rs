//! Blanks every echo of a live secret in an answer, in each spelling in which a vendor may give it back, before the guest,
//! the journal or a log sees it. Holds secrets (inside the automaton) and therefore neither prints nor outlives a credential.

use std::collections::BTreeSet;
use std::fmt::Write;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroize;

use crate::request::RESERVED;

/// Shorter secrets would blank ordinary words.
pub(crate) const MIN_SECRET: usize = 6;
const BLANK: &[u8] = b"[redacted]";

/// No `Debug`, no `Clone`.
pub struct Echo {
    automaton: Option<AhoCorasick>,
}

impl Echo {
    /// An automaton over all spellings of `secrets`.
    pub fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut spellings = BTreeSet::new();
        for secret in secrets {
            spell(secret, &mut spellings);
        }
        let automaton = (!spellings.is_empty())
            .then(|| {
                AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::ContiguousNFA)).build(&spellings)
            })
            .and_then(Result::ok);
        for mut spelling in spellings {
            spelling.zeroize();
        }
        Self { automaton }
    }

    /// Whether `text` holds a secret in any spelling.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.automaton.as_ref().is_some_and(|automaton| automaton.is_match(text))
    }

    /// Blanks `text` in place; says how many echoes there were.
    pub fn blank(&self, text: &mut Vec<u8>) -> usize {
        let Some(automaton) = &self.automaton else { return 0 };
        if !automaton.is_match(text.as_slice()) {
            return 0;
        }
        let mut clean = Vec::with_capacity(text.len());
        let mut from = 0;
        let mut hits = 0;
        for hit in automaton.find_iter(text.as_slice()) {
            clean.extend_from_slice(&text[from..hit.start()]);
            clean.extend_from_slice(BLANK);
            from = hit.end();
            hits += 1;
        }
        clean.extend_from_slice(&text[from..]);
        text.zeroize();
        *text = clean;
        hits
    }
}

/// All spellings of one secret.
fn spell(secret: &[u8], out: &mut BTreeSet<Vec<u8>>) {
    if secret.len() < MIN_SECRET {
        return;
    }
    out.insert(secret.to_vec());
    out.insert(hex::encode(secret).into_bytes());
    out.insert(hex::encode_upper(secret).into_bytes());
    for shift in 0..3 {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            out.insert(base64_core(engine, secret, shift));
        }
    }
    let Ok(text) = std::str::from_utf8(secret) else { return };
    let trimmed = text.trim();
    if trimmed.len() >= MIN_SECRET {
        out.insert(trimmed.as_bytes().to_vec());
    }
    for set in [NON_ALPHANUMERIC, RESERVED] {
        let percent = utf8_percent_encode(text, set).to_string();
        // Form encoding writes a space as `+`.
        out.insert(percent.replace("%20", "+").into_bytes());
        out.insert(lower_escapes(&percent).replace("%20", "+").into_bytes());
        out.insert(lower_escapes(&percent).into_bytes());
        out.insert(percent.into_bytes());
    }
    for slash in [false, true] {
        for beyond in [Escape::Never, Escape::Lower, Escape::Upper] {
            for markup in [false, true] {
                out.insert(json_escaped(text, slash, beyond, markup).into_bytes());
            }
        }
    }
    let entities = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    out.insert(entities.replace('"', "&quot;").replace('\'', "&#39;").into_bytes());
    out.insert(entities.replace('"', "&#34;").replace('\'', "&#x27;").into_bytes());
    out.insert(entities.into_bytes());
}

/// The characters of a base64 text that depend on `secret` alone, when it starts at byte `shift` of a group of three.
fn base64_core(engine: &base64::engine::GeneralPurpose, secret: &[u8], shift: usize) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(secret);
    let encoded = engine.encode(&padded);
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    padded.zeroize();
    encoded.as_bytes()[first..last].to_vec()
}

/// `%2F` -> `%2f`.
fn lower_escapes(percent: &str) -> String {
    let mut out = String::with_capacity(percent.len());
    let mut left = 0;
    for c in percent.chars() {
        if c == '%' {
            left = 3;
        }
        out.push(if left > 0 { c.to_ascii_lowercase() } else { c });
        left = if left > 0 { left - 1 } else { 0 };
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Escape {
    Never,
    Lower,
    Upper,
}

/// The inside of a JSON string: `slash` as PHP escapes, `beyond` = non-ASCII as `\u....`, `markup` as Go and Rails escape.
fn json_escaped(text: &str, slash: bool, beyond: Escape, markup: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let escape = |out: &mut String, c: char| {
        let mut units = [0u16; 2];
        for unit in c.encode_utf16(&mut units) {
            let written = if beyond == Escape::Upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
    };
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '/' if slash => out.push_str("\\/"),
            '<' | '>' | '&' | '\'' if markup => escape(&mut out, c),
            c if c.is_control() => escape(&mut out, c),
            c if !c.is_ascii() && beyond != Escape::Never => escape(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "echo_tests.rs"]
mod tests;
