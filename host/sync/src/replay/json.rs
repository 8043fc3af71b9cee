//! Two JSON values, compared by what they mean: where they differ, by JSON pointer. Pure.

use serde_json::Value;

/// One place that differs: its pointer, and what stands there before and after; `None` = nothing does.
pub(super) type Found = (String, Option<String>, Option<String>);

/// Where `after` differs from `before`. The order of keys means nothing, the order of a list does; a null is not the same as nothing,
/// because a null that is sent wipes a field at many vendors.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    walk(String::new(), Some(before), Some(after), &mut found);
    found
}

fn walk(at: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Found>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                walk(format!("{at}/{}", step(key)), before.get(key), after.get(key), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                walk(format!("{at}/{index}"), before.get(index), after.get(index), found);
            }
        }
        (before, after) if before == after => {}
        (before, after) => found.push((at, before.map(Value::to_string), after.map(Value::to_string))),
    }
}

/// A key as one step of a JSON pointer.
fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The text as a JSON object or list; a bare word or number is taken for text.
pub(super) fn container(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}
