//! The shape of `connector.toml` as data: every table, every key, its type, its default and what is allowed. The
//! structural check and the reference in SPEC.md are both made from it, so they cannot disagree; a test holds it
//! against the types in `model`. What one key demands of another is not here but in `check`.

mod auth;
mod form;
mod rules;
mod wire;

/// What a key holds.
pub(crate) enum Kind {
    Text,
    Flag,
    /// A whole number within bounds, both included.
    Whole(u64, u64),
    OneOf(&'static [&'static str]),
    Texts,
    SomeOf(&'static [&'static str]),
    Wholes(u64, u64),
    /// Key -> text.
    TextMap,
    /// Key -> any JSON value.
    ValueMap,
    Table(&'static Table),
    /// `[[...]]`
    Tables(&'static Table),
}

impl Kind {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Flag => "true or false".into(),
            Self::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Self::OneOf(names) => format!("one of {}", quoted(names)),
            Self::Texts => "a list of texts".into(),
            Self::SomeOf(names) => format!("a list of {}", quoted(names)),
            Self::Wholes(low, high) => format!("a list of whole numbers from {low} to {high}"),
            Self::TextMap => "a table of texts".into(),
            Self::ValueMap => "a table of values".into(),
            Self::Table(_) => "a table".into(),
            Self::Tables(_) => "a list of tables".into(),
        }
    }
}

pub(crate) fn quoted(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing, because none is declared".into();
    }
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// `None` = required; else the default in words.
    pub(crate) default: Option<&'static str>,
    pub(crate) doc: &'static str,
}

/// A required key.
const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, default: None, doc }
}

/// An optional key and its default in words.
const fn may(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default: Some(default), doc }
}

/// Keys that exist only when the table's `type` has this value.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
}

pub(crate) struct Table {
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
    /// By the value of `type`; empty for a table that has one shape.
    pub(crate) variants: &'static [Variant],
}

const fn table(doc: &'static str, keys: &'static [Key]) -> Table {
    Table { doc, keys, variants: &[] }
}

/// The file.
pub(crate) static MANIFEST: Table = table(
    "",
    &[
        must("connector", Kind::Table(&form::CONNECTOR), ""),
        may("credentials", Kind::Tables(&form::CREDENTIAL), "none", ""),
        may("settings", Kind::Tables(&form::SETTING), "none", ""),
        may("pickers", Kind::Tables(&form::PICKER), "none", ""),
        may("derived", Kind::Tables(&form::DERIVED), "none", ""),
        may("auth", Kind::Tables(&auth::AUTH), "none", ""),
        must("endpoints", Kind::Tables(&wire::ENDPOINT), ""),
        may("limits", Kind::Tables(&wire::LIMIT), "none", ""),
        must("calls", Kind::Tables(&wire::CALL), ""),
        may("tags", Kind::Table(&rules::TAGS), "model `none`", ""),
        may("later", Kind::Table(&rules::LATER), "the vendor never answers later", ""),
        may("sync", Kind::Table(&rules::SYNC), "3, 3 and 4", ""),
        must("supports", Kind::Table(&rules::SUPPORTS), ""),
        must("setup", Kind::Table(&rules::SETUP), ""),
        may("waived", Kind::TextMap, "none", "Scenario of the conformance suite (chapter 3) -> why it cannot exist for this vendor."),
        may("differences", Kind::Tables(&rules::DIFFERENCE), "none", ""),
        may("witnesses", Kind::Tables(&rules::WITNESS), "none", ""),
    ],
);

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The types write every key, also those without a value: so the two sets must be equal, table by table.
    fn compare(value: &Value, table: &Table, path: &str) {
        let Value::Object(map) = value else { panic!("{path} is no table") };
        let variant = table.variants.iter().find(|v| map.get("type").and_then(Value::as_str) == Some(v.name));
        let keys: Vec<&Key> = table.keys.iter().chain(variant.iter().flat_map(|v| v.keys)).collect();
        let mut schema: Vec<&str> = keys.iter().map(|k| k.name).collect();
        let mut types: Vec<&str> = map.keys().map(String::as_str).collect();
        schema.sort_unstable();
        types.sort_unstable();
        assert_eq!(schema, types, "{path}");
        for key in keys {
            let (value, path) = (&map[key.name], format!("{path}.{}", key.name));
            match &key.kind {
                Kind::Table(table) if !value.is_null() => compare(value, table, &path),
                Kind::Tables(table) => value.as_array().into_iter().flatten().for_each(|v| compare(v, table, &path)),
                _ => {}
            }
        }
    }

    #[test]
    fn schema_and_types_have_the_same_keys() {
        let manifest = crate::parse(include_str!("../tests/good/full.toml"), "full.toml").unwrap();
        compare(&serde_json::to_value(&manifest).unwrap(), &MANIFEST, "");
    }

    #[test]
    fn every_key_says_what_it_means() {
        fn walk(table: &Table) {
            for key in table.keys.iter().chain(table.variants.iter().flat_map(|v| v.keys)) {
                match &key.kind {
                    Kind::Table(inner) | Kind::Tables(inner) => {
                        assert!(!inner.doc.is_empty(), "{}", key.name);
                        walk(inner);
                    }
                    _ => assert!(!key.doc.is_empty(), "{}", key.name),
                }
            }
        }
        walk(&MANIFEST);
    }
}
