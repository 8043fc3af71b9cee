//! Reading a vendor's JSON, whose ids are now text, now numbers, and whose counts are text.

pub use serde_json::Value;

/// The value at a path such as `/data/0/id`: keys and indexes, each after a slash. Keys that hold a slash cannot be named;
/// in exchange this is a tenth of the code of full JSON pointers, in every component.
///
/// ```
/// use crm_connector_sdk::json;
/// let reply = serde_json::json!({ "data": [{ "id": 5 }] });
/// assert_eq!(json::at(&reply, "/data/0/id"), Some(&serde_json::json!(5)));
/// assert_eq!(json::at(&reply, "/data/1"), None);
/// ```
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').filter(|step| !step.is_empty()).try_fold(value, |value, step| match value {
        Value::Object(entries) => entries.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The text or number at a path, as text. Blank text, null, objects and arrays are `None`.
///
/// ```
/// use crm_connector_sdk::json;
/// let reply = serde_json::json!({ "data": { "id": 5, "name": "Ann", "note": " " } });
/// assert_eq!(json::text(&reply, "/data/id").as_deref(), Some("5"));
/// assert_eq!(json::text(&reply, "/data/name").as_deref(), Some("Ann"));
/// assert_eq!(json::text(&reply, "/data/note"), None);
/// ```
pub fn text(value: &Value, path: &str) -> Option<String> {
    as_text(at(value, path)?)
}

/// The first of several places that holds a text or number: for vendors whose answers have more than one shape.
///
/// ```
/// use crm_connector_sdk::json;
/// let updated = serde_json::json!({ "data": { "attrs": { "id": "7" } } });
/// assert_eq!(json::first_text(&updated, &["/data/id", "/data/attrs/id"]).as_deref(), Some("7"));
/// ```
pub fn first_text(value: &Value, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| text(value, path))
}

/// The number at a path; numbers written as text count.
pub fn number(value: &Value, path: &str) -> Option<i64> {
    match at(value, path)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The array at a path, or nothing to iterate over.
pub fn rows<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `value` as JSON text.
pub fn print(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !crate::text::is_blank(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_beyond_53_bits_keeps_every_digit() {
        let value: Value = serde_json::from_str(r#"{"id": 9007199254740993123}"#).expect("json");
        assert_eq!(text(&value, "/id").as_deref(), Some("9007199254740993123"));
    }

    #[test]
    fn an_absent_array_is_empty() {
        assert!(rows(&Value::Null, "/data").is_empty());
    }
}
