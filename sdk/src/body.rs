//! JSON and form bodies that drop empty values, so that data which the vendor already holds is never overwritten with a
//! blank. No vendor's shape is known here.

use crate::text::is_blank;
use crate::types::Pair;
use serde_json::{Map, Number, Value};

/// A JSON object from `key: value` pairs, without the empty ones (see [`tidy`]). Keys are literals, or expressions in
/// parentheses; values are anything that is [`Json`].
///
/// ```
/// use crm_connector_sdk::prelude::*;
/// let last: Option<String> = None;
/// let field = "f1234".to_owned();
/// let body = obj! {
///     "email": "ann@example.com",
///     "last": last,
///     (field): "gold",
///     "tags": ["a", " "],
///     "address": obj! { "city": "" },
///     "score": 0,
/// };
/// assert_eq!(body, serde_json::json!({ "email": "ann@example.com", "f1234": "gold", "tags": ["a"], "score": 0 }));
/// ```
#[macro_export]
macro_rules! obj {
    (@key $key:literal) => { $key };
    (@key ($key:expr)) => { $key };
    ($($key:tt : $value:expr),* $(,)?) => {
        $crate::body::object([$((::std::string::String::from($crate::obj!(@key $key)), $crate::body::Json::into_json($value))),*])
    };
}

/// What [`obj!`](crate::obj) expands to: an object of the values that are not empty.
pub fn object(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(entries.into_iter().filter_map(|(key, value)| Some((key, tidy(value)?))).collect())
}

/// Adds a field to an object unless it is empty; for fields whose names are known at run time only.
///
/// ```
/// use crm_connector_sdk::{body, obj};
/// let mut contact = obj! { "email": "ann@example.com" };
/// body::put(&mut contact, "f12", "gold");
/// body::put(&mut contact, "f13", " ");
/// assert_eq!(contact, serde_json::json!({ "email": "ann@example.com", "f12": "gold" }));
/// ```
pub fn put(object: &mut Value, key: &str, value: impl Json) {
    if let (Value::Object(entries), Some(value)) = (object, tidy(value.into_json())) {
        entries.insert(key.to_owned(), value);
    }
}

/// `value` without what is empty, at every depth: null, blank text, and arrays and objects that hold nothing (more). `None`
/// when nothing is left. `false` and `0` are values and stay; text is kept as it is, not trimmed.
///
/// ```
/// use crm_connector_sdk::body::tidy;
/// use serde_json::json;
/// assert_eq!(tidy(json!({ "a": { "b": [null, ""] }, "c": false })), Some(json!({ "c": false })));
/// assert_eq!(tidy(json!([" "])), None);
/// ```
pub fn tidy(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!is_blank(&text)).then_some(Value::String(text)),
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(tidy).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(entries) => {
            let entries: Map<String, Value> = entries.into_iter().filter_map(|(key, value)| Some((key, tidy(value)?))).collect();
            (!entries.is_empty()).then_some(Value::Object(entries))
        }
        Value::Bool(_) | Value::Number(_) => Some(value),
    }
}

/// A form body without empty values.
///
/// ```
/// use crm_connector_sdk::{body::Form, obj};
/// let form = Form::new().set("email", "ann@example.com").set("name", "").json("vars", obj! { "tier": "gold" });
/// assert_eq!(form.into_pairs().len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<Pair>);

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field unless its value is blank. Fields may repeat.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        let value = value.to_string();
        if !is_blank(&value) {
            self.0.push(Pair::new(key, value));
        }
        self
    }

    /// Adds a field unless there is nothing to say.
    #[must_use]
    pub fn set_opt(self, key: impl Into<String>, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    /// Adds a field whose value is JSON text, unless nothing is left of it when tidied.
    #[must_use]
    pub fn json(self, key: impl Into<String>, value: Value) -> Self {
        match tidy(value) {
            Some(value) => self.set(key, crate::json::print(&value)),
            None => self,
        }
    }

    /// The fields in the order in which they were set.
    pub fn into_pairs(self) -> Vec<Pair> {
        self.0
    }
}

/// What may stand as a value in [`obj!`](crate::obj).
pub trait Json {
    /// The value as JSON.
    fn into_json(self) -> Value;
}

macro_rules! json_from {
    ($($type:ty => |$value:ident| $make:expr;)*) => {
        $(impl Json for $type {
            fn into_json(self) -> Value {
                let $value = self;
                $make
            }
        })*
    };
}

json_from! {
    Value => |v| v;
    &Value => |v| v.clone();
    String => |v| Value::String(v);
    &String => |v| Value::String(v.clone());
    &str => |v| Value::String(v.to_owned());
    bool => |v| Value::Bool(v);
    u16 => |v| Value::Number(v.into());
    u32 => |v| Value::Number(v.into());
    u64 => |v| Value::Number(v.into());
    usize => |v| Value::Number(v.into());
    i32 => |v| Value::Number(v.into());
    i64 => |v| Value::Number(v.into());
    Number => |v| Value::Number(v);
}

impl<T: Json> Json for Option<T> {
    fn into_json(self) -> Value {
        self.map_or(Value::Null, Json::into_json)
    }
}

impl<'a, T> Json for &'a Option<T>
where
    &'a T: Json,
{
    fn into_json(self) -> Value {
        self.as_ref().map_or(Value::Null, Json::into_json)
    }
}

impl<T: Json> Json for Vec<T> {
    fn into_json(self) -> Value {
        Value::Array(self.into_iter().map(Json::into_json).collect())
    }
}

impl<T: Json, const N: usize> Json for [T; N] {
    fn into_json(self) -> Value {
        Value::Array(self.into_iter().map(Json::into_json).collect())
    }
}

impl<'a, T> Json for &'a [T]
where
    &'a T: Json,
{
    fn into_json(self) -> Value {
        Value::Array(self.iter().map(Json::into_json).collect())
    }
}

impl<'a, T> Json for &'a Vec<T>
where
    &'a T: Json,
{
    fn into_json(self) -> Value {
        self.as_slice().into_json()
    }
}

/// A custom field's typed value. Numbers keep every digit that fits JSON; others become text.
impl Json for &crate::types::Value {
    fn into_json(self) -> Value {
        use crate::types::Value as Typed;
        match self {
            Typed::Text(text) | Typed::Date(text) => Value::String(text.clone()),
            Typed::Number(text) => text.parse::<Number>().map_or_else(|_| Value::String(text.clone()), Value::Number),
            Typed::Truth(truth) => Value::Bool(*truth),
            Typed::Many(items) => items.into_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_empty_survives_at_any_depth() {
        let body =
            json!({ "a": "", "b": " \u{200b}", "c": null, "d": [], "e": {}, "f": [[], {}, null, "", "x"], "g": { "h": { "i": "" } } });
        assert_eq!(tidy(body), Some(json!({ "f": ["x"] })));
    }

    #[test]
    fn false_and_zero_are_values() {
        assert_eq!(tidy(json!({ "a": false, "b": 0 })), Some(json!({ "a": false, "b": 0 })));
    }

    #[test]
    fn text_is_kept_as_it_is() {
        assert_eq!(tidy(json!(" Ann ")), Some(json!(" Ann ")));
    }

    #[test]
    fn a_typed_number_stays_a_number() {
        assert_eq!((&crate::types::Value::Number("12".into())).into_json(), json!(12));
        assert_eq!((&crate::types::Value::Number("n/a".into())).into_json(), json!("n/a"));
    }
}
