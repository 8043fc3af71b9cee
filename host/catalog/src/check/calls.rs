//! Checks of `[[calls]]` except their bodies: where they go, what they may carry, which stages use them.

use std::collections::BTreeSet;

use super::slots::Slot;
use super::{Check, endpoints};
use crate::error::At;
use crate::model::{AuthKind, Call, Effect, Method, Stage};
use crate::schema::quoted;
use crate::shape;
use crate::template;

pub(super) fn check(check: &mut Check<'_, '_>) {
    let m = check.m;
    check.names("calls", m.calls.iter().map(|c| c.name.as_str()));
    for (i, c) in m.calls.iter().enumerate() {
        let at = At::item("calls", i, &c.name);
        check.words(&at, "doc", &c.doc, 400);
        check.refers(&at, "endpoint", &c.endpoint, "endpoints", m.endpoints.iter().map(|e| e.name.as_str()));
        for (j, limit) in c.limits.iter().enumerate() {
            check.refers(&at, &format!("limits[{j}]"), limit, "limits", m.limits.iter().map(|l| l.name.as_str()));
        }
        check.distinct(&at, "limits", c.limits.iter());
        stages(check, &at, c);
        effect(check, &at, c);
        path(check, &at, c);
        query(check, &at, c);
        headers(check, &at, c);
        answer(check, &at, c);
    }
}

fn stages(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    if c.stages.is_empty() {
        check.add(at, "stages", "must name at least one stage");
    }
    let supports = &check.m.supports;
    let mut seen = Vec::new();
    for (i, stage) in c.stages.iter().enumerate() {
        let key = format!("stages[{i}]");
        if seen.contains(stage) {
            check.add(at, &key, "is there twice");
        }
        seen.push(*stage);
        let unsupported = match stage {
            Stage::Prepare if !supports.prepare => Some("prepare"),
            Stage::Untag if !supports.untag => Some("untag"),
            Stage::Lookup if !supports.lookup => Some("lookup"),
            _ => None,
        };
        if let Some(name) = unsupported {
            check.add(at, &key, format!("[supports] does not say `{name} = true`, so this stage never runs"));
        }
        if matches!(stage, Stage::Verify | Stage::Pick | Stage::Lookup) && c.effect != Effect::Read {
            check.add(at, &key, "only reads may run in the stages `verify`, `pick` and `lookup`");
        }
    }
}

fn effect(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    let read = c.effect == Effect::Read;
    match c.method {
        Method::Get if !read => check.add(at, "effect", "a GET must be a `read`"),
        Method::Put | Method::Patch | Method::Delete if read => check.add(at, "effect", format!("a {} is no `read`", c.method.as_str())),
        _ => {}
    }
    if read {
        for (key, set) in
            [("alters", c.alters.is_some()), ("exclusive", c.exclusive.is_some()), ("starts_automations", c.starts_automations)]
        {
            if set {
                check.add(at, key, "has no meaning on a `read`, which changes nothing");
            }
        }
    } else if c.fresh_s.is_some() {
        check.add(at, "fresh_s", "has a meaning on a `read` only");
    }
}

/// What is wrong with a path as such, places included.
pub(super) fn path_problem(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return Some("must begin with `/`".into());
    }
    if let Some(c) = path.chars().find(|c| !c.is_ascii_graphic() || "\\?#\"<>^`|".contains(*c)) {
        return Some(format!("may not hold {c:?}"));
    }
    if path.contains("//") {
        return Some("may not hold `//`".into());
    }
    let lower = path.to_ascii_lowercase();
    if ["%2e", "%2f", "%5c", "%00", "%25"].iter().any(|bad| lower.contains(bad)) {
        return Some("may not hold an encoded dot, slash, backslash, percent sign or zero".into());
    }
    if lower.match_indices('%').any(|(i, _)| !lower.get(i + 1..i + 3).is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))) {
        return Some("has a `%` that begins no `%XX`".into());
    }
    if path.split('/').any(|s| s == "." || s == "..") {
        return Some("may not hold `.` or `..` as a segment".into());
    }
    template::parts(path).err().map(|e| e.to_string())
}

fn path(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    if let Some(problem) = path_problem(&c.path) {
        return check.add(at, "path", problem);
    }
    let places = template::places(&c.path).unwrap_or_default();
    let mut guests = BTreeSet::new();
    for place in &places {
        if place.contains(':') {
            open_place(check, at, "path", place);
        } else if !shape::is_name(place) {
            check.add(at, "path", format!("`{{{place}}}` is not {}", shape::NAME_RULE));
        } else if !guests.insert(place.as_str()) {
            check.add(at, "path", format!("`{{{place}}}` is there twice"));
        }
    }
    for (i, name) in c.slash_in.iter().enumerate() {
        if !places.contains(name) {
            check.add(at, &format!("slash_in[{i}]"), format!("`{name}` is no place of `path`"));
        }
    }
}

/// Places that the host fills with what is not secret.
pub(super) fn open_places(check: &mut Check<'_, '_>, at: &At, key: &str, text: &str) {
    match template::places(text) {
        Err(problem) => check.add(at, key, problem.to_string()),
        Ok(places) => places.iter().for_each(|place| open_place(check, at, key, place)),
    }
}

fn open_place(check: &mut Check<'_, '_>, at: &At, key: &str, place: &str) {
    let m = check.m;
    let (kind, name) = place.split_once(':').unwrap_or(("", place));
    let good = match kind {
        "setting" => m.settings.iter().any(|s| s.name == name),
        "picked" => m.picker(name).is_some(),
        "derived" => check.slots.get(name) == Some(Slot::Derived),
        "credential" => check.slots.get(name) == Some(Slot::Open),
        "fact" => !name.is_empty(),
        _ => false,
    };
    if !good {
        check.add(
            at,
            key,
            format!("`{{{place}}}` is not known; allowed: `{{setting:NAME}}`, `{{picked:NAME}}`, `{{fact:NAME}}`, `{{derived:NAME}}`, and `{{credential:NAME}}` where that is not secret"),
        );
    }
}

fn query(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    let keys = c.query.iter().enumerate().map(|(i, k)| (format!("query[{i}]"), k));
    for (key, name) in keys.chain(c.fixed_query.keys().map(|k| (format!("fixed_query.{k}"), k))) {
        if !shape::is_query_key(name) {
            check.add(at, &key, format!("`{name}` is no query key: printable ASCII without `&`, `=`, `#`, `+`, `%`"));
        }
        if auth_params(check, c).contains(name.as_str()) {
            check.add(at, &key, format!("`{name}` is set by the endpoint's `auth`"));
        }
    }
    check.distinct(at, "query", c.query.iter());
    for (i, name) in c.query.iter().enumerate().filter(|(_, k)| c.fixed_query.contains_key(*k)) {
        check.add(at, &format!("query[{i}]"), format!("`{name}` is fixed by `fixed_query`: the guest cannot set it as well"));
    }
}

/// Query parameters that authentication sets on the endpoint of a call.
fn auth_params(check: &Check<'_, '_>, c: &Call) -> BTreeSet<String> {
    let name = check.m.endpoint(&c.endpoint).and_then(|e| e.auth.as_ref());
    let mut params = BTreeSet::new();
    for auth in check.m.auth.iter().filter(|a| Some(&a.name) == name) {
        match &auth.kind {
            AuthKind::Query { params: p } => params.extend(p.keys().cloned()),
            AuthKind::Signature(s) => {
                params.extend([s.key_param.clone(), s.signature_param.clone()]);
                params.extend(s.constants.keys().cloned());
            }
            _ => {}
        }
    }
    params
}

fn headers(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    const HOSTS: &[&str] = &["content-type", "user-agent", "authorization"];
    let endpoint = check.m.endpoint(&c.endpoint);
    let auth = endpoint.map(|e| endpoints::auth_headers(check, e)).unwrap_or_default();
    let constant: BTreeSet<String> = endpoint.iter().flat_map(|e| e.headers.keys()).map(|k| k.to_ascii_lowercase()).collect();
    for (i, name) in c.headers.iter().enumerate() {
        let lower = name.to_ascii_lowercase();
        let problem = if !shape::is_header_name(name) {
            "is no header name"
        } else if shape::is_framing_header(name) || HOSTS.contains(&lower.as_str()) {
            "is never the guest's to set"
        } else if auth.contains(&lower) {
            "is set by the endpoint's `auth`"
        } else if constant.contains(&lower) {
            "is a constant header of the endpoint"
        } else {
            continue;
        };
        check.add(at, &format!("headers[{i}]"), format!("`{name}` {problem}"));
    }
    check.distinct(at, "headers", c.headers.iter().map(|h| h.to_ascii_lowercase()));
}

/// What may be read of the answer, and what a preview answers.
fn answer(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    check.distinct(at, "read_headers", c.read_headers.iter().map(|h| h.to_ascii_lowercase()));
    for (i, name) in c.read_headers.iter().enumerate() {
        if !shape::is_header_name(name) || name.to_ascii_lowercase().starts_with("set-cookie") {
            check.add(at, &format!("read_headers[{i}]"), format!("`{name}` is no header that a guest may read"));
        }
    }
    check.distinct(at, "ok", c.ok.iter());
    for (i, status) in c.ok.iter().enumerate().filter(|(_, s)| matches!(**s, 401 | 429)) {
        check.add(at, &format!("ok[{i}]"), format!("{status} is never good"));
    }
    for (i, pointer) in c.redact.iter().enumerate() {
        if !is_pointer(pointer) {
            check.add(at, &format!("redact[{i}]"), format!("`{pointer}` is no JSON pointer such as `/results/*/url`"));
        }
    }
    if let Some(found) = &c.found {
        let at = at.child("found");
        if !check.m.calls.iter().any(|other| other.guard.as_ref() == Some(&c.name)) {
            check.add(&at, "", "has a meaning only for a guard, and no call names this one as its `guard`");
        }
        if found.status.is_empty() {
            check.add(&at, "status", "must name at least one status");
        }
        if let Some(pointer) = found.pointer.as_deref().filter(|p| !is_pointer(p)) {
            check.add(&at, "pointer", format!("`{pointer}` is no JSON pointer such as `/data/0/id`"));
        }
    }
    match &c.sample {
        Some(sample) => {
            let json = sample.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case("content-type")).is_none_or(|(_, v)| v.contains("json"));
            if json && !sample.body.is_empty() && serde_json::from_str::<serde_json::Value>(&sample.body).is_err() {
                check.add(&at.child("sample"), "body", "is no JSON; for another kind of content name it in `headers.content-type`");
            }
            for (name, value) in &sample.headers {
                if !shape::is_header_name(name) || !shape::is_header_value(value) {
                    check.add(&at.child("sample"), &format!("headers.{name}"), "is no header");
                }
            }
        }
        None => {
            let needing: Vec<&str> =
                [(Stage::Sync, "sync"), (Stage::Untag, "untag")].iter().filter(|(s, _)| c.stages.contains(s)).map(|(_, n)| *n).collect();
            if !needing.is_empty() {
                check.add(at, "sample", format!("is needed on a call of the stage {}: a preview answers with it", quoted(&needing)));
            }
        }
    }
}

fn is_pointer(text: &str) -> bool {
    text.strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(|s| !s.is_empty() && !s.replace("~0", "").replace("~1", "").contains('~')))
}
