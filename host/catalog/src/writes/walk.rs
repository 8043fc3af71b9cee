//! Walks a body along the rules that are still alive at each step, so that a body is looked at once however many rules
//! there are.

use serde_json::Value;

use super::fixed::Fixed;
use super::pattern::{Rule, Seg};
use super::{FieldRefused, Why, deeper};

static ANYTHING: [Seg; 1] = [Seg::Rest];

/// Where the walk stands: which rules still match the path so far.
struct Alive<'r> {
    writes: Vec<&'r [Seg]>,
    fixed: Vec<(&'r [Seg], &'r Value)>,
}

impl<'r> Alive<'r> {
    fn below(&self, key: &str) -> Self {
        fn next<'r>(segs: &'r [Seg], key: &str) -> Option<&'r [Seg]> {
            segs.split_first().filter(|(seg, _)| seg.matches(key)).map(|(_, rest)| rest)
        }
        Self {
            writes: self.writes.iter().filter_map(|s| next(s, key)).collect(),
            fixed: self.fixed.iter().filter_map(|(s, v)| Some((next(s, key)?, *v))).collect(),
        }
    }

    /// A rule that ends in `**` covers this key whole.
    fn rest(&self) -> bool {
        self.writes.iter().any(|s| matches!(s, [Seg::Rest]))
    }
}

/// Checks a JSON body (`form` = `None`), or the JSON inside a form key.
pub(super) fn check(writes: &[Rule], fixed: &[Fixed], form: Option<&str>, body: &Value) -> Result<(), FieldRefused> {
    let alive = Alive {
        writes: writes.iter().filter(|r| same_form(r, form)).map(|r| r.pointer.as_slice()).collect(),
        fixed: fixed.iter().filter(|f| f.form.as_deref() == form).map(|f| (f.pointer.as_slice(), &f.value)).collect(),
    };
    let root = form.map_or(String::new(), |key| format!("form:{key}#"));
    if alive.rest() && alive.fixed.is_empty() {
        return Ok(());
    }
    match body {
        Value::Object(map) if map.is_empty() => Ok(()),
        Value::Array(list) if list.is_empty() => Ok(()),
        Value::Object(_) | Value::Array(_) => children(body, &alive, &root),
        // A lone scalar is no field that a pointer could name.
        _ if alive.rest() => Ok(()),
        _ => Err(FieldRefused::new(if root.is_empty() { "/" } else { &root }, Why::NotDeclared)),
    }
}

fn same_form(rule: &Rule, form: Option<&str>) -> bool {
    match (&rule.form, form) {
        (None, None) => true,
        (Some(seg), Some(key)) => !rule.pointer.is_empty() && seg.matches(key),
        _ => false,
    }
}

fn children(value: &Value, alive: &Alive<'_>, path: &str) -> Result<(), FieldRefused> {
    match value {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| node(key, value, alive, path)),
        Value::Array(list) => list.iter().enumerate().try_for_each(|(i, value)| node(&i.to_string(), value, alive, path)),
        _ => Ok(()),
    }
}

fn node(key: &str, value: &Value, above: &Alive<'_>, path: &str) -> Result<(), FieldRefused> {
    let covered = above.rest();
    let mut alive = above.below(key);
    if let Some((_, constant)) = alive.fixed.iter().find(|(rest, _)| rest.is_empty()) {
        return if *constant == value { Ok(()) } else { Err(FieldRefused::new(&deeper(path, key), Why::Fixed)) };
    }
    if covered {
        if alive.fixed.is_empty() {
            return Ok(());
        }
        // Something further down is fixed: go on looking, with everything else allowed.
        alive.writes.push(&ANYTHING);
    }
    let may_be_here = covered || alive.writes.iter().any(|rest| rest.is_empty());
    match value {
        Value::Object(map) if !map.is_empty() => children(value, &alive, &deeper(path, key)),
        Value::Array(list) if !list.is_empty() => children(value, &alive, &deeper(path, key)),
        // Empty: allowed where something inside would be.
        Value::Object(_) | Value::Array(_) if !alive.writes.is_empty() => Ok(()),
        _ if may_be_here => Ok(()),
        _ => Err(FieldRefused::new(&deeper(path, key), Why::NotDeclared)),
    }
}

/// Checks one field of a form.
pub(super) fn check_pair(writes: &[Rule], fixed: &[Fixed], key: &str, value: &str) -> Result<(), FieldRefused> {
    let path = || format!("form:{key}");
    if let Some(constant) = fixed.iter().find(|f| f.form.as_deref() == Some(key) && f.pointer.is_empty()) {
        return if constant.text() == value { Ok(()) } else { Err(FieldRefused::new(&path(), Why::Fixed)) };
    }
    let of_key = |r: &&Rule| r.form.as_ref().is_some_and(|seg| seg.matches(key));
    let inside = writes.iter().filter(of_key).any(|r| !r.pointer.is_empty()) || fixed.iter().any(|f| f.form.as_deref() == Some(key));
    if inside {
        // A rule for the JSON inside wins over one for the whole field: the narrower promise holds.
        let json: Value = serde_json::from_str(value).map_err(|_| FieldRefused::new(&path(), Why::NotJson))?;
        return check(writes, fixed, Some(key), &json);
    }
    if writes.iter().any(|r| of_key(&r)) { Ok(()) } else { Err(FieldRefused::new(&path(), Why::NotDeclared)) }
}

/// The first field that one of `rules` speaks of.
pub(super) fn touched(rules: &[Rule], form: Option<&str>, body: &Value) -> Option<String> {
    let alive: Vec<&[Seg]> = rules.iter().filter(|r| same_form(r, form)).map(|r| r.pointer.as_slice()).collect();
    let root = form.map_or(String::new(), |key| format!("form:{key}#"));
    (!alive.is_empty()).then(|| touched_below(&alive, body, &root)).flatten()
}

fn touched_below(alive: &[&[Seg]], value: &Value, path: &str) -> Option<String> {
    let child = |key: &str, value: &Value| {
        let next: Vec<&[Seg]> =
            alive.iter().filter_map(|s| s.split_first()).filter(|(seg, _)| seg.matches(key)).map(|(_, rest)| rest).collect();
        if next.is_empty() {
            return None;
        }
        let here = deeper(path, key);
        let empty = matches!(value, Value::Object(m) if m.is_empty()) || matches!(value, Value::Array(l) if l.is_empty());
        // Emptying a set counts as writing it; an empty object around a named field does not.
        let touches = next.iter().any(|rest| rest.is_empty() || (empty && rest.first().is_some_and(|s| !s.is_exact())));
        if touches { Some(here) } else { touched_below(&next, value, &here) }
    };
    match value {
        Value::Object(map) => map.iter().find_map(|(key, value)| child(key, value)),
        Value::Array(list) => list.iter().enumerate().find_map(|(i, value)| child(&i.to_string(), value)),
        _ => None,
    }
}

/// As [`touched`], for one field of a form.
pub(super) fn touched_pair(rules: &[Rule], key: &str, value: &str) -> Option<String> {
    let of_key = |r: &&Rule| r.form.as_ref().is_some_and(|seg| seg.matches(key));
    if rules.iter().filter(of_key).any(|r| r.pointer.is_empty()) {
        return Some(format!("form:{key}"));
    }
    if !rules.iter().any(|r| of_key(&r)) {
        return None;
    }
    match serde_json::from_str::<Value>(value) {
        Ok(json) => touched(rules, Some(key), &json),
        // What cannot be read cannot be cleared of it.
        Err(_) => Some(format!("form:{key}")),
    }
}
