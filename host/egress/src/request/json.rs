//! JSON that has one meaning: no key twice in one object (two parsers would pick different ones), bounded depth. Pure.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Refusal, quoted};

/// Deepest nesting.
pub(crate) const MAX_DEPTH: usize = 64;

const TWICE: &str = "\u{1}twice:";
const DEEP: &str = "\u{1}deep";

/// Parses `text`, refusing what another parser could read differently.
pub(crate) fn strict(text: &str) -> Result<Value, Refusal> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: MAX_DEPTH }.deserialize(&mut reader).and_then(|v| reader.end().map(|()| v));
    value.map_err(|error| {
        let text = error.to_string();
        if text.starts_with(DEEP) {
            Refusal::BodyDeep(MAX_DEPTH)
        } else if let Some(key) = text.strip_prefix(TWICE) {
            Refusal::BodyTwice(quoted(key.rsplit_once(" at line").map_or(key, |(k, _)| k)))
        } else {
            // The parser's own words hold positions and expectations, never the text itself beyond a character.
            Refusal::BodyNotJson(format!("line {} column {}", error.line(), error.column()))
        }
    })
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(DEEP)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let inner = self.inner()?;
            match seq.next_element_seed(inner)? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{TWICE}{key}")));
            }
            let inner = self.inner()?;
            let value = map.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_twice_in_one_object_is_refused() {
        assert_eq!(strict(r#"{"a":1,"a":2}"#), Err(Refusal::BodyTwice("a".into())));
        assert_eq!(strict(r#"{"x":{"\u0061":1,"a":2}}"#), Err(Refusal::BodyTwice("a".into())));
        assert!(strict(r#"[{"a":1},{"a":2}]"#).is_ok());
    }

    #[test]
    fn nesting_is_bounded_at_sixty_four() {
        let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert!(strict(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(strict(&nested(MAX_DEPTH + 1)), Err(Refusal::BodyDeep(MAX_DEPTH)));
        assert!(strict(&nested(5_000)).is_err());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in ["", "{", "{'a':1}", "1 2", "\u{feff}1", "NaN", "1e999", "\"\\ud800\"", "// x\n1", "{\"a\":1,}"] {
            assert!(strict(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_reads_like_the_common_parser(text in "[\\[\\]{}\",:a0-9.e \\\\u-]{0,40}") {
            if let Ok(value) = strict(&text) {
                prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
            }
        }
    }
}
