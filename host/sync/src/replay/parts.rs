//! Two requests as they are shown, compared in canonical form: the address by its parts, parameters and headers by name, bodies by value.
//! Pure. What cannot be known without credentials is no difference.

use std::collections::BTreeMap;
use std::fmt;

use crm_catalog::model::Manifest;
use crm_contract::ports::ShownRequest;
use serde::Serialize;
use url::form_urlencoded;

use super::json::{self, Found};
use super::unknowable::Unknowable;

/// Parts of one request that are told apart at most.
const MOST: usize = 64;
/// Characters that are shown of a value.
const SHOWN: usize = 2_000;

/// One part of a request that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    pub at: At,
    /// `None` = it was not there.
    pub before: Option<String>,
    /// `None` = it is not there any more.
    pub after: Option<String>,
}

/// Which part of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    Method,
    Host,
    Path,
    /// A parameter of the URL; where its value is JSON, the pointer into it.
    Query(String, String),
    /// In lower case.
    Header(String),
    /// A field of a form; where its value is JSON, the pointer into it.
    Form(String, String),
    /// A place in a JSON body by its pointer; the whole body is `""`.
    Body(String),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("method"),
            Self::Host => f.write_str("host"),
            Self::Path => f.write_str("path"),
            Self::Query(name, pointer) => write!(f, "query `{name}`{pointer}"),
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Form(name, pointer) => write!(f, "form `{name}`{pointer}"),
            Self::Body(pointer) if pointer.is_empty() => f.write_str("body"),
            Self::Body(pointer) => write!(f, "body at {pointer}"),
        }
    }
}

/// What differs between the request that a call made and the one that it makes now. `manifest`: that of the version that makes it now.
pub(super) fn differences(manifest: &Manifest, call: &str, before: &ShownRequest, after: &ShownRequest) -> Vec<Part> {
    let mut found = Parts::default();
    let unknowable = Unknowable::of(manifest, call);
    if before.method != after.method {
        found.put(At::Method, Some(&before.method), Some(&after.method));
    }
    address(&unknowable, &before.url, &after.url, &mut found);
    let (old, new) = (pairs(query(&before.url)), pairs(query(&after.url)));
    named(&old, &new, At::Query, |name, texts| unknowable.parameter(name, texts), &mut found);
    let (old, new) = (headers(before), headers(after));
    named(&old, &new, |name, _| At::Header(name), |name, texts| unknowable.header(name, texts), &mut found);
    body(before, after, &mut found);
    found.list
}

#[derive(Default)]
struct Parts {
    list: Vec<Part>,
}

impl Parts {
    fn put(&mut self, at: At, before: Option<&str>, after: Option<&str>) {
        if self.list.len() < MOST {
            self.list.push(Part { at, before: before.map(short), after: after.map(short) });
        }
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).chain("…".chars()).collect() }
}

fn query(url: &str) -> &str {
    url.split_once('?').map_or("", |(_, query)| query)
}

/// Scheme and host, and path. No URL parser: a part of it may be a slot.
fn split(url: &str) -> (&str, &str) {
    let url = url.split('?').next().unwrap_or_default();
    let host = url.find("://").map_or(0, |at| at + 3);
    let slash = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(slash)
}

fn address(unknowable: &Unknowable<'_>, before: &str, after: &str, found: &mut Parts) {
    let ((old_host, old_path), (new_host, new_path)) = (split(before), split(after));
    if unknowable.same_address(old_host, old_path, new_host, new_path) {
        return;
    }
    // Vendors are called over https alone: what was not is a server that stood in for one on the recorder's machine.
    let stood_in = old_host.starts_with("http://") != new_host.starts_with("http://");
    if stood_in {
        if !old_path.ends_with(unknowable.own_path(new_path)) {
            found.put(At::Path, Some(old_path), Some(new_path));
        }
        return;
    }
    if !unknowable.same_text(old_host, new_host) {
        found.put(At::Host, Some(old_host), Some(new_host));
    }
    if !unknowable.same_text(old_path, new_path) {
        found.put(At::Path, Some(old_path), Some(new_path));
    }
}

/// By name: all its values, in their order.
type Named = BTreeMap<String, Vec<String>>;

fn pairs(text: &str) -> Named {
    let mut named = Named::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        named.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    named
}

fn headers(request: &ShownRequest) -> Named {
    let mut named = Named::new();
    for (name, value) in &request.headers {
        named.entry(name.to_ascii_lowercase()).or_default().push(value.clone());
    }
    named
}

/// `unknown`: whether a name that stands on one side only, with these values, says nothing.
fn named(old: &Named, new: &Named, at: impl Fn(String, String) -> At, unknown: impl Fn(&str, &[String]) -> bool, found: &mut Parts) {
    let added = new.keys().filter(|name| !old.contains_key(*name));
    for name in old.keys().chain(added) {
        match (old.get(name).map(Vec::as_slice), new.get(name).map(Vec::as_slice)) {
            (Some(old), Some(new)) if old == new => {}
            (Some([old]), Some([new])) => {
                if let (Some(old), Some(new)) = (json::container(old), json::container(new)) {
                    for (pointer, before, after) in json::differences(&old, &new) {
                        found.put(at(name.clone(), pointer), before.as_deref(), after.as_deref());
                    }
                } else {
                    found.put(at(name.clone(), String::new()), Some(old), Some(new));
                }
            }
            (None, Some(only)) | (Some(only), None) if unknown(name, only) => {}
            (old, new) => {
                let joined = |values: &[String]| values.join(", ");
                found.put(at(name.clone(), String::new()), old.map(joined).as_deref(), new.map(joined).as_deref());
            }
        }
    }
}

fn body(before: &ShownRequest, after: &ShownRequest, found: &mut Parts) {
    let (old, new) = (before.body.as_deref().unwrap_or_default(), after.body.as_deref().unwrap_or_default());
    if old == new {
        return;
    }
    if is_form(before) && is_form(after) {
        return named(&pairs(old), &pairs(new), At::Form, |_, _| false, found);
    }
    match (json::container(old), json::container(new)) {
        (Some(old), Some(new)) => {
            for (pointer, before, after) in json::differences(&old, &new) as Vec<Found> {
                found.put(At::Body(pointer), before.as_deref(), after.as_deref());
            }
        }
        _ => found.put(At::Body(String::new()), before.body.as_deref(), after.body.as_deref()),
    }
}

fn is_form(request: &ShownRequest) -> bool {
    let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
    request.headers.iter().any(|(name, value)| is_type(name) && value.starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
