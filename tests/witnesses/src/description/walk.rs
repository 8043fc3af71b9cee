//! Fields that no schema names. A JSON Schema lets them pass, and so a misspelt key would look right; here they are refused,
//! unless the description says that the keys are the user's own.

use serde_json::Value;

/// Fields whose keys are the account's own, though a description names some as examples.
const OWN_KEYS: &[&str] = &["custom_fields"];

/// Pointers of all fields that none of the schemas that hold for their place knows.
pub(super) fn unknown(root: &Value, main: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(root, vec![main], value, "", &mut found);
    found
}

fn walk<'s>(root: &'s Value, schemas: Vec<&'s Value>, value: &Value, at: &str, found: &mut Vec<String>) {
    let mut all = Vec::new();
    for schema in schemas {
        spread(root, schema, &mut all);
    }
    match value {
        Value::Object(map) => {
            // Without named fields it is a place for anything: custom properties.
            let own = OWN_KEYS.iter().any(|name| at.rsplit('/').next() == Some(name));
            let closed = !own && all.iter().any(|schema| schema["properties"].as_object().is_some_and(|named| !named.is_empty()));
            let extra: Vec<&Value> =
                all.iter().map(|schema| &schema["additionalProperties"]).filter(|more| more.is_object() || **more == true).collect();
            for (key, value) in map {
                let at = format!("{at}/{key}");
                let named: Vec<&Value> = all.iter().filter_map(|schema| schema["properties"].get(key)).collect();
                if !named.is_empty() {
                    walk(root, named, value, &at, found);
                } else if !extra.is_empty() {
                    walk(root, extra.clone(), value, &at, found);
                } else if closed {
                    found.push(at);
                }
            }
        }
        Value::Array(items) => {
            let schemas: Vec<&Value> = all.iter().filter_map(|schema| schema.get("items")).collect();
            for (index, item) in items.iter().enumerate() {
                walk(root, schemas.clone(), item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The schema, what it refers to, and every branch of its combinations.
fn spread<'s>(root: &'s Value, schema: &'s Value, all: &mut Vec<&'s Value>) {
    if all.iter().any(|known| std::ptr::eq(*known, schema)) {
        return;
    }
    all.push(schema);
    if let Some(referred) = schema["$ref"].as_str().and_then(|pointer| root.pointer(pointer.trim_start_matches('#'))) {
        spread(root, referred, all);
    }
    for branch in ["allOf", "anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten() {
        spread(root, branch, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_that_nobody_names_is_found_but_not_where_names_are_free() {
        let root = json!({ "$defs": { "P": { "properties": { "email": {}, "custom": { "type": "object" }, "vars": { "additionalProperties": { "properties": { "x": {} } } } } } } });
        let main = json!({ "allOf": [{ "properties": { "people": { "items": { "$ref": "#/$defs/P" } } } }] });
        let value =
            json!({ "people": [{ "email": 1, "mail": 1, "custom": { "a": 1 }, "vars": { "k": { "x": 1, "y": 1 } } }], "person": 1 });
        assert_eq!(unknown(&root, &main, &value), ["/people/0/mail", "/people/0/vars/k/y", "/person"]);
    }
}
