//! The reference of `connector.toml`, written from the schema: the chapter in `connectors/SPEC.md` is this text, and a test
//! holds the two together.

use crate::scenarios::{Asked, SCENARIOS};
use crate::schema::{Key, Kind, MANIFEST, Table};

/// The tables of every key, as Markdown.
pub fn manifest() -> String {
    let mut out = String::new();
    for key in MANIFEST.keys {
        match &key.kind {
            Kind::Table(t) => table(&mut out, &format!("[{}]", key.name), key, t, key.name),
            Kind::Tables(t) => table(&mut out, &format!("[[{}]]", key.name), key, t, key.name),
            _ => {
                out.push_str(&format!("#### `[{}]` ({})\n\n{} {}.\n\n", key.name, need(key), key.doc, capital(&key.kind.words())));
            }
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The scenarios of the conformance suite, as a Markdown table.
pub fn scenarios() -> String {
    let mut out = String::from("| scenario | function | asked | what must hold |\n| --- | --- | --- | --- |\n");
    for s in SCENARIOS {
        let asked = match s.asked {
            Asked::Always => "always",
            Asked::TwoCredentials => "with two secrets or more to type",
            Asked::Picker => "with a picker that the vendor fills",
            Asked::Prepare => "with `supports.prepare`",
            Asked::Later => "with `[later]`",
            Asked::Destination => "with a required picker",
            Asked::Untag => "with `supports.untag`",
            Asked::Lookup => "with `supports.lookup`",
        };
        out.push_str(&format!("| `{}` | `{}` | {asked} | {} |\n", s.name, s.function, s.demand));
    }
    out
}

fn table(out: &mut String, title: &str, key: &Key, table: &Table, path: &str) {
    out.push_str(&format!("#### `{title}` ({})\n\n{}\n\n", need(key), table.doc));
    rows(out, table.keys);
    for variant in table.variants {
        out.push_str(&format!("`type = \"{}\"`: {}\n\n", variant.name, variant.doc));
        rows(out, variant.keys);
    }
    let variants = table.variants.iter().flat_map(|v| v.keys);
    for inner in table.keys.iter().chain(variants) {
        let path = format!("{path}.{}", inner.name);
        match &inner.kind {
            Kind::Table(t) => self::table(out, &format!("[{path}]"), inner, t, &path),
            Kind::Tables(t) => self::table(out, &format!("[[{path}]]"), inner, t, &path),
            _ => {}
        }
    }
}

fn rows(out: &mut String, keys: &[Key]) {
    out.push_str("| key | type | default | meaning, and what is allowed |\n| --- | --- | --- | --- |\n");
    for key in keys {
        let doc = match &key.kind {
            Kind::Table(t) | Kind::Tables(t) if key.doc.is_empty() => t.doc,
            _ => key.doc,
        };
        out.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            key.name,
            key.kind.words(),
            key.default.unwrap_or("**required**"),
            doc.replace('|', "\\|")
        ));
    }
    out.push('\n');
}

fn need(key: &Key) -> String {
    key.default.map_or("required".into(), |d| format!("optional; default: {d}"))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
