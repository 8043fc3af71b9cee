//! Checks of a call's body: kind and content type fit, `writes` and `fixed` are well-formed and do not contradict each
//! other, and nothing collides with what authentication adds.

use super::Check;
use crate::error::At;
use crate::model::{AuthKind, BodyKind, Call, Effect, Method};
use crate::writes::{self, rules_overlap};

pub(super) fn check(check: &mut Check<'_, '_>) {
    for (i, c) in check.m.calls.iter().enumerate() {
        let at = At::item("calls", i, &c.name);
        kind(check, &at, c);
        for error in writes::rule_errors(c) {
            check.add(&at, &error.entry, error.problem);
        }
        check.distinct(&at, "writes", c.writes.iter());
        fits(check, &at, c);
        places(check, &at, c);
        contradictions(check, &at, c);
        auth_fields(check, &at, c);
    }
}

fn kind(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    if c.body == BodyKind::None {
        for (key, set) in [("writes", !c.writes.is_empty()), ("fixed", !c.fixed.is_empty()), ("content_type", c.content_type.is_some())] {
            if set {
                check.add(at, key, "has no meaning without a body: set `body`");
            }
        }
        return;
    }
    if c.method == Method::Get {
        check.add(at, "body", "a GET has no body");
    }
    let content = c.content_type.as_deref();
    let essence = content.map(|t| t.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()).unwrap_or_default();
    if content.is_some_and(|t| !crate::shape::is_header_value(t) || essence.split('/').filter(|p| !p.is_empty()).count() != 2) {
        check.add(at, "content_type", "is no content type such as `application/json`");
        return;
    }
    match c.body {
        BodyKind::Json
            if content.is_some()
                && !(essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json")) =>
        {
            check.add(at, "content_type", format!("`{essence}` does not fit a json body: `application/json` or `application/...+json`"));
        }
        BodyKind::Form if content.is_some() && essence != "application/x-www-form-urlencoded" => {
            check.add(at, "content_type", format!("`{essence}` does not fit a form body: `application/x-www-form-urlencoded`"));
        }
        BodyKind::Bytes => bytes(check, at, c),
        _ => {}
    }
}

fn bytes(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    if c.content_type.is_none() {
        check.add(at, "content_type", "is needed with a bytes body");
    }
    if c.effect != Effect::Read && c.writes != ["/**"] {
        check.add(at, "writes", "must be `[\"/**\"]`: a bytes body cannot be checked, so say openly that it may write anything");
    }
    if !c.fixed.is_empty() {
        check.add(at, "fixed", "cannot be set in a bytes body");
    }
}

/// JSON pointers belong to JSON bodies, `form:` entries to forms.
fn fits(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    let entries = c.writes.iter().enumerate().map(|(i, w)| (format!("writes[{i}]"), w));
    for (key, entry) in entries.chain(c.fixed.keys().map(|k| (format!("fixed.{k}"), k))) {
        match (c.body, entry.starts_with("form:")) {
            (BodyKind::Json, true) => {
                check.add(at, &key, format!("`{entry}` belongs to a form body; this body is json: write a JSON pointer"))
            }
            (BodyKind::Form, false) => {
                check.add(at, &key, format!("`{entry}` belongs to a json body; this body is a form: write `form:key`"))
            }
            _ => {}
        }
    }
}

fn places(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    for (i, entry) in c.writes.iter().enumerate() {
        for place in writes::rule_places(entry) {
            let known = place.strip_prefix("setting:").is_none_or(|name| check.m.settings.iter().any(|s| s.name == name));
            if !known {
                check.add(at, &format!("writes[{i}]"), format!("`{{{place}}}`: there is no such setting"));
            }
        }
    }
}

fn contradictions(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    let exact = |entry: &str| !entry.contains(['*', '#', '{']) || entry.contains("#/");
    for (i, entry) in c.writes.iter().enumerate().filter(|(_, w)| exact(w)) {
        if c.fixed.contains_key(entry) {
            check.add(at, &format!("writes[{i}]"), format!("`{entry}` is fixed by `fixed`: the guest cannot write it as well"));
        }
    }
    let keys: Vec<&String> = c.fixed.keys().collect();
    for (i, a) in keys.iter().enumerate() {
        for b in keys.iter().skip(i + 1) {
            if rules_overlap(a, b) {
                check.add(at, &format!("fixed.{b}"), format!("speaks of the same field as `{a}`, or of something inside it"));
            }
        }
    }
}

/// Fields that authentication adds to the body are neither the guest's nor constants.
fn auth_fields(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    let m = check.m;
    let name = m.endpoint(&c.endpoint).and_then(|e| e.auth.as_ref());
    for auth in m.auth.iter().filter(|a| Some(&a.name) == name) {
        let AuthKind::Body { fields } = &auth.kind else { continue };
        if !matches!(c.body, BodyKind::Json | BodyKind::Form) {
            check.add(at, "body", format!("the auth `{}` adds fields to the body, so it must be `json` or `form`", auth.name));
        }
        for field in fields.keys() {
            let own = if c.body == BodyKind::Form { format!("form:{field}") } else { format!("/{field}") };
            for (i, entry) in c.writes.iter().enumerate().filter(|(_, w)| rules_overlap(w, &own)) {
                check.add(
                    at,
                    &format!("writes[{i}]"),
                    format!("`{entry}` reaches the field `{field}`, which the auth `{}` sets", auth.name),
                );
            }
            for key in c.fixed.keys().filter(|k| rules_overlap(k, &own)) {
                check.add(at, &format!("fixed.{key}"), format!("is set by the auth `{}`", auth.name));
            }
        }
    }
}
