//! Expected against actual JSON, with a readable difference. Exact, but for one pattern: `{"$contains": "text"}` (or a list
//! of texts) stands for any text that holds them, because a vendor's words are quoted inside ours.

use serde_json::Value;

use crate::failure::Found;

const CONTAINS: &str = "$contains";

/// Where `actual` differs from `expected`, by JSON pointer. Nulls and absent keys are the same.
pub(crate) fn differences(expected: &Value, actual: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    walk("", expected, actual, &mut found);
    found
}

fn walk(at: &str, expected: &Value, actual: &Value, found: &mut Vec<Found>) {
    match (expected, actual) {
        (Value::Object(pattern), actual) if pattern.len() == 1 && pattern.contains_key(CONTAINS) => {
            let wanted: Vec<&str> = match &pattern[CONTAINS] {
                Value::String(text) => vec![text.as_str()],
                Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            let text = actual.as_str().unwrap_or_default();
            for missing in wanted.iter().filter(|wanted| !text.contains(**wanted)) {
                found.push(Found::new(at, format!("{} does not hold {missing:?}", short(actual))));
            }
        }
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, value) in expected {
                walk(&format!("{at}/{}", step(key)), value, actual.get(key).unwrap_or(&Value::Null), found);
            }
            for (key, value) in actual.iter().filter(|(key, value)| !expected.contains_key(*key) && !value.is_null()) {
                found.push(Found::new(format!("{at}/{}", step(key)), format!("{} is there and not expected", short(value))));
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            for (index, value) in expected.iter().enumerate() {
                walk(&format!("{at}/{index}"), value, actual.get(index).unwrap_or(&Value::Null), found);
            }
            if actual.len() > expected.len() {
                found.push(Found::new(at, format!("{} items, expected {}", actual.len(), expected.len())));
            }
        }
        (expected, actual) if expected == actual => {}
        _ => found.push(Found::new(at, format!("{} instead of {}", short(actual), short(expected)))),
    }
}

/// A key as one step of a JSON pointer.
fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Lists of names and values, compared without regard to order.
pub(crate) fn pair_differences(what: &str, expected: &[(String, String)], actual: &[(String, String)]) -> Vec<Found> {
    let sorted = |pairs: &[(String, String)]| {
        let mut pairs = pairs.to_vec();
        pairs.sort();
        pairs
    };
    let (expected, actual) = (sorted(expected), sorted(actual));
    if expected == actual {
        Vec::new()
    } else {
        vec![Found::new(format!("/{what}"), format!("{} instead of {}", shown(&actual), shown(&expected)))]
    }
}

fn shown(pairs: &[(String, String)]) -> String {
    let shown: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(" ") }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 300 { text } else { text.chars().take(300).chain("…".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_difference_is_named_with_its_place() {
        let expected = json!({ "a": 1, "b": { "c": [1, 2] }, "d": { "$contains": ["key", "id"] } });
        let actual = json!({ "a": 2, "b": { "c": [1], "x": true }, "d": "the key", "e": "new" });
        let found = differences(&expected, &actual);
        for place in ["/a", "/b/c/1", "/b/x", "/d", "/e"] {
            assert!(found.iter().any(|found| found.at == place), "{place} not in {found:?}");
        }
        assert_eq!(found.len(), 5, "{found:?}");
    }

    #[test]
    fn null_equals_absent_and_order_of_keys_does_not_matter() {
        assert!(differences(&json!({ "a": null, "b": 1, "c": 2 }), &json!({ "c": 2, "b": 1, "d": null })).is_empty());
    }

    #[test]
    fn a_longer_list_is_a_difference() {
        assert_eq!(differences(&json!([1]), &json!([1, 2])).len(), 1);
    }
}
