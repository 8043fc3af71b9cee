//! `fixed`: constants that the host sets in a body and the guest cannot change.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::pattern::{RuleError, Seg};
use super::{FieldRefused, Why, deeper};

const RULE: &str = "allowed: a JSON pointer of names (`*` = each element that is there, not last), `form:key`, or `form:key#/pointer`";

/// One constant.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) form: Option<String>,
    /// `Exact` and `Any` only.
    pub(super) pointer: Vec<Seg>,
    pub(super) value: Value,
}

impl Fixed {
    /// As a form field says it.
    pub(super) fn text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

pub(super) fn compile(fixed: &BTreeMap<String, Value>) -> Result<Vec<Fixed>, RuleError> {
    let each = |(key, value): (&String, &Value)| {
        read(key, value).map_err(|problem| RuleError { entry: format!("fixed.{key}"), problem: format!("{problem}; {RULE}") })
    };
    fixed.iter().map(each).collect()
}

fn read(key: &str, value: &Value) -> Result<Fixed, &'static str> {
    let (form, pointer) = match key.strip_prefix("form:") {
        None => (None, key),
        Some(rest) => match rest.find("#/") {
            Some(cut) => (Some(rest[..cut].to_owned()), &rest[cut + 1..]),
            None => (Some(rest.to_owned()), ""),
        },
    };
    if form.as_deref().is_some_and(|f| f.is_empty() || f.contains(['*', '{', '}'])) {
        return Err("a form key must be a plain name");
    }
    if form.is_some() && pointer.is_empty() && !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
        return Err("a form field can only be text, a number, true or false");
    }
    let pointer: Vec<Seg> = match pointer.strip_prefix('/') {
        Some(segments) => segments.split('/').map(step).collect::<Result<_, _>>()?,
        None if form.is_some() => Vec::new(),
        None => return Err("does not begin with `/` or `form:`"),
    };
    if pointer.last() == Some(&Seg::Any) {
        return Err("ends with `*`, which names no field");
    }
    Ok(Fixed { form, pointer, value: value.clone() })
}

fn step(text: &str) -> Result<Seg, &'static str> {
    match text {
        "" => Err("has an empty step"),
        "*" => Ok(Seg::Any),
        _ if text.contains(['*', '{', '}']) => Err("a step must be a plain name or `*`"),
        _ if text.replace("~0", "").replace("~1", "").contains('~') => Err("has a `~` that is neither `~0` nor `~1`"),
        _ => Ok(Seg::Exact(text.replace("~1", "/").replace("~0", "~"))),
    }
}

pub(super) fn apply_json(fixed: &[Fixed], form: Option<&str>, body: &mut Value) -> Result<(), FieldRefused> {
    let root = form.map_or(String::new(), |key| format!("form:{key}#"));
    fixed.iter().filter(|f| f.form.as_deref() == form && !f.pointer.is_empty()).try_for_each(|f| set(body, &f.pointer, &f.value, &root))
}

pub(super) fn apply_form(fixed: &[Fixed], pairs: &mut Vec<(String, String)>) -> Result<(), FieldRefused> {
    for constant in fixed {
        let Some(key) = &constant.form else { continue };
        if !constant.pointer.is_empty() {
            continue;
        }
        let text = constant.text();
        let mut there = pairs.iter().filter(|(k, _)| k == key).peekable();
        if there.peek().is_none() {
            pairs.push((key.clone(), text));
        } else if there.any(|(_, v)| *v != text) {
            return Err(FieldRefused::new(&format!("form:{key}"), Why::Fixed));
        }
    }
    let inside: std::collections::BTreeSet<&str> =
        fixed.iter().filter(|f| !f.pointer.is_empty()).filter_map(|f| f.form.as_deref()).collect();
    for key in inside {
        if !pairs.iter().any(|(k, _)| k == key) {
            pairs.push((key.to_owned(), "{}".to_owned()));
        }
        for (_, text) in pairs.iter_mut().filter(|(k, _)| k == key) {
            let mut json: Value = serde_json::from_str(text).map_err(|_| FieldRefused::new(&format!("form:{key}"), Why::NotJson))?;
            apply_json(fixed, Some(key), &mut json)?;
            *text = json.to_string();
        }
    }
    Ok(())
}

fn set(value: &mut Value, pointer: &[Seg], constant: &Value, path: &str) -> Result<(), FieldRefused> {
    let Some((step, rest)) = pointer.split_first() else {
        return if value == constant { Ok(()) } else { Err(FieldRefused::new(path, Why::Fixed)) };
    };
    match (step, value) {
        (Seg::Exact(key), Value::Object(map)) => {
            let below = deeper(path, key);
            match map.get_mut(key) {
                Some(there) => set(there, rest, constant, &below),
                None if rest.is_empty() => {
                    map.insert(key.clone(), constant.clone());
                    Ok(())
                }
                // Nothing is there yet that `*` could mean.
                None if rest.contains(&Seg::Any) => Ok(()),
                None => set(map.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())), rest, constant, &below),
            }
        }
        (Seg::Exact(key), Value::Array(list)) => {
            let below = deeper(path, key);
            match key.parse::<usize>().ok().and_then(|i| list.get_mut(i)) {
                Some(there) => set(there, rest, constant, &below),
                None => Err(FieldRefused::new(&below, Why::NoContainer)),
            }
        }
        (_, Value::Object(map)) => map.iter_mut().try_for_each(|(key, there)| set(there, rest, constant, &deeper(path, key))),
        (_, Value::Array(list)) => {
            list.iter_mut().enumerate().try_for_each(|(i, there)| set(there, rest, constant, &deeper(path, &i.to_string())))
        }
        _ => Err(FieldRefused::new(if path.is_empty() { "/" } else { path }, Why::NoContainer)),
    }
}
