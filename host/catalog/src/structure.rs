//! The structural pass: holds TOML against the schema, notes on which line everything stands, and hands on a cleaned JSON
//! value that the model can be read from. Knows nothing of what keys mean.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{At, Report, join};
use crate::schema::{Key, Kind, MANIFEST, Table, quoted};

/// The cleaned value, or `None` when so much is missing that no model can be made.
pub(crate) fn check(text: &str, report: &mut Report) -> Option<Value> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.whole_file(error.span().map(|s| lines.at(s.start)), format!("not TOML: {}", error.message().trim()));
    }
    if !errors.is_empty() {
        // What a recovering parser made of the rest would only mislead.
        return None;
    }
    let mut walk = Walk { lines, report, whole: true };
    let value = walk.table(table.get_ref(), &MANIFEST, &At::root());
    walk.whole.then_some(value)
}

/// Byte offset -> 1-based line.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i).collect())
    }

    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }
}

struct Walk<'r> {
    lines: Lines,
    report: &'r mut Report,
    /// False once a value is missing that cannot be stood in for.
    whole: bool,
}

type Keys<'k> = Vec<&'k Key>;

impl Walk<'_> {
    fn table(&mut self, found: &DeTable<'_>, schema: &Table, at: &At) -> Value {
        let keys = self.keys_of(found, schema);
        let mut out = Map::new();
        for (name, value) in found {
            let line = self.lines.at(name.span().start);
            self.report.place(join(at.path(), name.get_ref()), line);
            let Some(key) = keys.iter().find(|k| k.name == name.get_ref().as_ref()) else {
                let allowed: Vec<&str> = keys.iter().map(|k| k.name).collect();
                self.report.structural(at, name.get_ref(), format!("unknown key; allowed here: {}", quoted(&allowed)));
                continue;
            };
            if let Some(value) = self.value(value, key, at) {
                out.insert(key.name.to_owned(), value);
            }
        }
        if !schema.variants.is_empty()
            && !out.get("type").and_then(Value::as_str).is_some_and(|t| schema.variants.iter().any(|v| v.name == t))
        {
            self.whole = false;
        }
        for key in keys {
            if key.default.is_none() && !out.contains_key(key.name) {
                self.missing(key, at, &mut out);
            }
        }
        Value::Object(out)
    }

    /// The keys that this table may have: with variants, those of its `type` only.
    fn keys_of<'k>(&self, found: &DeTable<'_>, schema: &'k Table) -> Keys<'k> {
        let mut keys: Keys<'k> = schema.keys.iter().collect();
        let kind = found.get("type").and_then(|v| v.get_ref().as_str());
        match schema.variants.iter().find(|v| Some(v.name) == kind) {
            Some(variant) => keys.extend(variant.keys),
            // An unknown `type` is reported by its own rule; which keys would be right is then unknowable.
            None => keys.extend(schema.variants.iter().flat_map(|v| v.keys).filter(|k| found.contains_key(k.name))),
        }
        keys
    }

    fn missing(&mut self, key: &Key, at: &At, out: &mut Map<String, Value>) {
        // A key that is there with the wrong type has been reported already.
        if !self.report.was_reported(at, key.name) {
            self.report.structural(at, "", format!("`{}` is missing: {}", key.name, key.kind.words()));
        }
        self.report.break_table(at);
        match stand_in(&key.kind) {
            Some(value) => {
                out.insert(key.name.to_owned(), value);
            }
            None => self.whole = false,
        }
    }

    fn value(&mut self, found: &Spanned<DeValue<'_>>, key: &Key, at: &At) -> Option<Value> {
        let value = match (&key.kind, found.get_ref()) {
            (Kind::Text, DeValue::String(text)) => self.text(text, key.name, at).then(|| Value::from(text.as_ref())),
            (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::from(*flag)),
            (Kind::Whole(low, high), DeValue::Integer(_)) => self.whole_number(found.get_ref(), *low, *high, key.name, at),
            (Kind::OneOf(names), DeValue::String(text)) => self.one_of(text, names, key.name, at),
            (Kind::Texts, DeValue::Array(_)) | (Kind::SomeOf(_), DeValue::Array(_)) | (Kind::Wholes(..), DeValue::Array(_)) => {
                return self.list(found, key, at);
            }
            (Kind::TextMap, DeValue::Table(table)) => Some(self.map(table, key, at, false)),
            (Kind::ValueMap, DeValue::Table(table)) => Some(self.map(table, key, at, true)),
            (Kind::Table(schema), DeValue::Table(table)) => {
                self.report.place(join(at.path(), key.name), self.lines.at(found.span().start));
                Some(self.table(table, schema, &at.child(key.name)))
            }
            (Kind::Tables(schema), DeValue::Array(_)) => return self.tables(found, key, schema, at),
            _ => {
                self.wrong_type(key, found.get_ref(), at, key.name);
                None
            }
        };
        if value.is_none() {
            self.report.break_table(at);
        }
        value
    }

    fn wrong_type(&mut self, key: &Key, found: &DeValue<'_>, at: &At, name: &str) {
        self.report.structural(at, name, format!("is {} where {} belongs", article(found.type_str()), key.kind.words()));
    }

    fn text(&mut self, text: &str, name: &str, at: &At) -> bool {
        // Invisible characters would let a page show something other than what is sent.
        let bad = text.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t' | '\r')) || is_invisible(*c));
        if let Some(c) = bad {
            self.report.structural(
                at,
                name,
                format!("holds the character U+{:04X}; control and direction characters are not allowed", c as u32),
            );
        }
        bad.is_none()
    }

    fn whole_number(&mut self, found: &DeValue<'_>, low: u64, high: u64, name: &str, at: &At) -> Option<Value> {
        let number = found.as_integer().and_then(|i| i64::from_str_radix(i.as_str(), i.radix()).ok());
        match number.and_then(|n| u64::try_from(n).ok()) {
            Some(n) if (low..=high).contains(&n) => Some(Value::from(n)),
            _ => {
                self.report.structural(at, name, format!("must be a whole number from {low} to {high}"));
                Some(Value::from(low))
            }
        }
    }

    fn one_of(&mut self, text: &str, names: &[&str], name: &str, at: &At) -> Option<Value> {
        if names.contains(&text) {
            return Some(Value::from(text));
        }
        self.report.structural(at, name, format!("`{text}` is not known; allowed: {}", quoted(names)));
        None
    }

    fn list(&mut self, found: &Spanned<DeValue<'_>>, key: &Key, at: &At) -> Option<Value> {
        let items = found.get_ref().as_array()?;
        let mut out = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let name = format!("{}[{i}]", key.name);
            self.report.place(join(at.path(), &name), self.lines.at(item.span().start));
            let value = match (&key.kind, item.get_ref()) {
                (Kind::Texts, DeValue::String(text)) => self.text(text, &name, at).then(|| Value::from(text.as_ref())),
                (Kind::SomeOf(names), DeValue::String(text)) => self.one_of(text, names, &name, at),
                (Kind::Wholes(low, high), DeValue::Integer(_)) => self.whole_number(item.get_ref(), *low, *high, &name, at),
                _ => {
                    self.wrong_type(key, item.get_ref(), at, &name);
                    None
                }
            };
            match value {
                Some(value) => out.push(value),
                None => self.report.break_table(at),
            }
        }
        Some(Value::Array(out))
    }

    fn tables(&mut self, found: &Spanned<DeValue<'_>>, key: &Key, schema: &Table, at: &At) -> Option<Value> {
        let items = found.get_ref().as_array()?;
        let mut out = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let path = join(at.path(), &format!("{}[{i}]", key.name));
            let line = self.lines.at(item.span().start);
            self.report.place(path, line);
            let DeValue::Table(table) = item.get_ref() else {
                self.wrong_type(key, item.get_ref(), at, &format!("{}[{i}]", key.name));
                continue;
            };
            let name = table.get("name").and_then(|n| n.get_ref().as_str()).unwrap_or_default();
            let here = At::item(&join(at.path(), key.name), i, name);
            out.push(self.table(table, schema, &here));
        }
        Some(Value::Array(out))
    }

    fn map(&mut self, table: &DeTable<'_>, key: &Key, at: &At, any: bool) -> Value {
        let mut out = Map::new();
        for (name, value) in table {
            let label = format!("{}.{}", key.name, name.get_ref());
            self.report.place(join(at.path(), &label), self.lines.at(name.span().start));
            let json = if any { self.any(value.get_ref(), &label, at) } else { None };
            match (json, value.get_ref()) {
                (Some(json), _) => {
                    out.insert(name.get_ref().to_string(), json);
                }
                (None, DeValue::String(text)) if !any => {
                    if self.text(text, &label, at) && self.text(name.get_ref(), &label, at) {
                        out.insert(name.get_ref().to_string(), Value::from(text.as_ref()));
                    }
                }
                (None, other) if !any => self.report.structural(at, &label, format!("is {} where text belongs", article(other.type_str()))),
                (None, _) => {}
            }
        }
        Value::Object(out)
    }

    /// TOML value -> JSON value. A date has no JSON form.
    fn any(&mut self, value: &DeValue<'_>, label: &str, at: &At) -> Option<Value> {
        let json = match value {
            DeValue::String(text) => Some(Value::from(text.as_ref())),
            DeValue::Boolean(flag) => Some(Value::from(*flag)),
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(Value::from),
            DeValue::Float(f) => f.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
            DeValue::Datetime(_) => None,
            DeValue::Array(items) => {
                return items.iter().map(|v| self.any(v.get_ref(), label, at)).collect::<Option<Vec<_>>>().map(Value::Array);
            }
            DeValue::Table(table) => {
                let mut out = Map::new();
                for (name, value) in table {
                    out.insert(name.get_ref().to_string(), self.any(value.get_ref(), label, at)?);
                }
                return Some(Value::Object(out));
            }
        };
        if json.is_none() {
            self.report.structural(at, label, "has no JSON form; allowed: text, whole numbers, finite numbers, true, false, lists, tables");
        }
        json
    }
}

/// What stands in for a missing value so that the remaining checks can run; they skip the table that it is in.
fn stand_in(kind: &Kind) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::from("")),
        Kind::Flag => Some(Value::from(false)),
        Kind::Whole(low, _) => Some(Value::from(*low)),
        Kind::OneOf(names) => names.first().map(|n| Value::from(*n)),
        Kind::Texts | Kind::SomeOf(_) | Kind::Wholes(..) | Kind::Tables(_) => Some(Value::Array(Vec::new())),
        Kind::TextMap | Kind::ValueMap => Some(Value::Object(Map::new())),
        Kind::Table(_) => None,
    }
}

fn article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {type_name}")
}

/// Zero-width and direction-changing characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206F}' | '\u{FEFF}')
}
