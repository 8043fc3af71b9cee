//! Schemas as a description holds them, made ready for a JSON Schema validator: only what is referred to is cut out, and
//! OpenAPI 3.0's `nullable` becomes a union of types.

use anyhow::{Context, Result, anyhow};
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// Keys whose content is no schema.
const NO_SCHEMA: &[&str] = &["example", "examples", "default", "enum", "const", "required", "discriminator", "xml", "externalDocs"];

/// A schema that stands by itself.
pub(super) struct Schema {
    pub(super) root: Value,
    validator: Validator,
}

impl Schema {
    /// Cuts a schema out of a description, with all that it refers to.
    pub(super) fn cut(description: &Value, schema: &Value) -> Result<Self> {
        let old = description["openapi"].as_str().is_some_and(|version| version.starts_with("3.0"));
        let mut cut = Cut { old, wanted: Vec::new() };
        let main = cut.rewritten(schema);
        let mut parts = Map::new();
        while let Some(pointer) = cut.wanted.pop() {
            let name = name_of(&pointer);
            if !parts.contains_key(&name) {
                let found = description.pointer(pointer.trim_start_matches('#')).with_context(|| format!("{pointer} is not there"))?;
                let part = cut.rewritten(found);
                parts.insert(name, part);
            }
        }
        let root = json!({ "allOf": [main], "$defs": parts });
        // 3.0 is a dialect of the drafts in which a bound was exclusive by a flag.
        let draft = if old { Draft::Draft4 } else { Draft::Draft202012 };
        let options = jsonschema::options().with_draft(draft).should_validate_formats(true);
        let validator = options.build(&root).map_err(|error| anyhow!("no schema: {error}"))?;
        Ok(Self { root, validator })
    }

    /// What is wrong with a value, with its place.
    pub(super) fn faults(&self, value: &Value) -> Vec<(String, String)> {
        self.validator.iter_errors(value).map(|error| (error.instance_path().to_string(), error.to_string())).collect()
    }

    /// The main schema.
    pub(super) fn main(&self) -> &Value {
        &self.root["allOf"][0]
    }
}

fn name_of(pointer: &str) -> String {
    pointer.trim_start_matches("#/").replace('/', ".")
}

struct Cut {
    old: bool,
    /// References that were met.
    wanted: Vec<String>,
}

impl Cut {
    fn rewritten(&mut self, schema: &Value) -> Value {
        match schema {
            Value::Array(items) => items.iter().map(|item| self.rewritten(item)).collect(),
            Value::Object(map) => self.object(map),
            other => other.clone(),
        }
    }

    fn object(&mut self, map: &Map<String, Value>) -> Value {
        let nullable = self.old && map.get("nullable") == Some(&Value::Bool(true));
        if let Some(Value::String(pointer)) = map.get("$ref") {
            self.wanted.push(pointer.clone());
            let reference = json!({ "$ref": format!("#/$defs/{}", name_of(pointer)) });
            return if nullable { json!({ "anyOf": [reference, { "type": "null" }] }) } else { reference };
        }
        let mut new: Map<String, Value> = Map::new();
        for (key, value) in map {
            let value = match key.as_str() {
                "nullable" if value.is_boolean() => continue,
                "example" | "examples" => continue,
                key if NO_SCHEMA.contains(&key) && !value.is_object() => value.clone(),
                _ => self.rewritten(value),
            };
            new.insert(key.clone(), value);
        }
        if !nullable {
            return Value::Object(new);
        }
        if let Some(Value::Array(values)) = new.get_mut("enum") {
            values.push(Value::Null);
        }
        match new.get("type").cloned() {
            Some(Value::String(kind)) => {
                new.insert("type".to_owned(), json!([kind, "null"]));
                Value::Object(new)
            }
            _ => json!({ "anyOf": [new, { "type": "null" }] }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Value {
        json!({
            "openapi": "3.0.2",
            "components": { "schemas": {
                "Person": { "type": "object", "properties": { "email": { "type": "string" }, "home": { "$ref": "#/components/schemas/Home", "nullable": true } } },
                "Home": { "type": "object", "properties": { "town": { "type": "string", "nullable": true } } },
                "Unused": { "$ref": "#/components/schemas/NotThere" },
            } },
        })
    }

    #[test]
    fn only_what_is_referred_to_is_cut_and_null_is_allowed_where_it_may_stand() {
        let schema = Schema::cut(&description(), &json!({ "$ref": "#/components/schemas/Person" })).unwrap();
        assert_eq!(schema.root["$defs"].as_object().map(Map::len), Some(2));
        for good in [json!({ "email": "a", "home": null }), json!({ "home": { "town": null } })] {
            assert!(schema.faults(&good).is_empty(), "{good}: {:?}", schema.faults(&good));
        }
        for bad in [json!({ "email": null }), json!({ "home": { "town": 1 } }), json!([])] {
            assert!(!schema.faults(&bad).is_empty(), "{bad}");
        }
    }
}
