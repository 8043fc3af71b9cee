//! One client's request against another's, place by place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::sent::{Body, Sent};

/// Headers of the connection, not of the request: every HTTP library sends its own.
const TRANSPORT: &[&str] = &[
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "sec-fetch-mode",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// Where `theirs` differs from `ours`, and how. Indices of lists are written `*`.
pub fn differences(ours: &Sent, theirs: &Sent) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut differ = |place: String, ours: Option<&str>, theirs: Option<&str>| {
        if ours != theirs {
            found.entry(place).or_insert_with(|| said(ours, theirs));
        }
    };
    differ("method".to_owned(), Some(&ours.method), Some(&theirs.method));
    differ("path".to_owned(), Some(&ours.path), Some(&theirs.path));
    for name in names(&ours.query, &theirs.query) {
        differ(format!("query {name}"), of(&ours.query, name).as_deref(), of(&theirs.query, name).as_deref());
    }
    let headers: BTreeSet<&String> = ours.headers.keys().chain(theirs.headers.keys()).collect();
    for name in headers.into_iter().filter(|name| !TRANSPORT.contains(&name.as_str())) {
        if name == "accept" && takes(ours, theirs) {
            continue;
        }
        differ(format!("header {name}"), header(ours, name), header(theirs, name));
    }
    body(&ours.body, &theirs.body, &mut found);
    found
}

/// What counts of a header: the kind of a body only where there is one.
fn header<'s>(sent: &'s Sent, name: &str) -> Option<&'s str> {
    match name {
        "content-type" if sent.body == Body::None => None,
        "content-type" => Some(sent.media()),
        _ => sent.headers.get(name).map(String::as_str),
    }
}

/// Every library asks for what it can read in its own words: enough that it would take what we ask for.
fn takes(ours: &Sent, theirs: &Sent) -> bool {
    let wanted = |sent: &Sent| -> Vec<String> {
        let text = sent.headers.get("accept").map_or("*/*", String::as_str);
        text.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned()).collect()
    };
    let (ours, theirs) = (wanted(ours), wanted(theirs));
    [&ours, &theirs].iter().any(|kinds| kinds.iter().any(|kind| kind == "*/*")) || ours.iter().any(|kind| theirs.contains(kind))
}

fn names<'p>(ours: &'p [(String, String)], theirs: &'p [(String, String)]) -> BTreeSet<&'p str> {
    ours.iter().chain(theirs).map(|(name, _)| name.as_str()).collect()
}

/// All values of a name, or nothing.
fn of(pairs: &[(String, String)], name: &str) -> Option<String> {
    let values: Vec<&str> = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| values.join(" & "))
}

fn body(ours: &Body, theirs: &Body, found: &mut BTreeMap<String, String>) {
    match (ours, theirs) {
        (Body::Json(ours), Body::Json(theirs)) => json("body ", ours, theirs, found),
        (Body::Form(ours), Body::Form(theirs)) => {
            for name in names(ours, theirs) {
                let (ours, theirs) = (of(ours, name), of(theirs, name));
                match (&ours.as_deref().map(serde_json::from_str), &theirs.as_deref().map(serde_json::from_str)) {
                    (Some(Ok(ours @ Value::Object(_))), Some(Ok(theirs))) => json(&format!("form {name}#"), ours, theirs, found),
                    _ if ours == theirs => {}
                    _ => drop(found.insert(format!("form {name}"), said(ours.as_deref(), theirs.as_deref()))),
                }
            }
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => drop(found.insert("body".to_owned(), said(Some(&format!("{ours:?}")), Some(&format!("{theirs:?}"))))),
    }
}

fn json(at: &str, ours: &Value, theirs: &Value, found: &mut BTreeMap<String, String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for key in keys {
                inner(&format!("{at}/{key}"), ours.get(key), theirs.get(key), found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for index in 0..ours.len().max(theirs.len()) {
                inner(&format!("{at}/*"), ours.get(index), theirs.get(index), found);
            }
        }
        _ => inner(at, Some(ours), Some(theirs), found),
    }
}

fn inner(at: &str, ours: Option<&Value>, theirs: Option<&Value>, found: &mut BTreeMap<String, String>) {
    match (ours, theirs) {
        (Some(a @ (Value::Object(_) | Value::Array(_))), Some(b @ (Value::Object(_) | Value::Array(_))))
            if a.is_array() == b.is_array() =>
        {
            json(at, a, b, found);
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => {
            let text = |value: Option<&Value>| value.map(ToString::to_string);
            found.entry(at.to_owned()).or_insert_with(|| said(text(ours).as_deref(), text(theirs).as_deref()));
        }
    }
}

fn said(ours: Option<&str>, theirs: Option<&str>) -> String {
    format!("the witness sends {}, we send {}", theirs.unwrap_or("nothing"), ours.unwrap_or("nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sent::pairs;
    use serde_json::json;

    fn sent(path: &str, query: &str, media: &str, body: Body) -> Sent {
        let headers = [("content-type".to_owned(), media.to_owned()), ("host".to_owned(), path.to_owned())].into();
        Sent { method: "PUT".to_owned(), path: path.to_owned(), query: pairs(query), headers, body }
    }

    #[test]
    fn every_place_is_named() {
        let ours = sent("/a", "x=1&y=2", "application/json", Body::Json(json!({ "a": [{ "b": 1 }], "c": null })));
        let theirs = sent("/b", "x=1&z=2", "text/json; charset=utf-8", Body::Json(json!({ "a": [{ "b": 2 }] })));
        let found: Vec<String> = differences(&ours, &theirs).into_keys().collect();
        assert_eq!(found, ["body /a/*/b", "body /c", "header content-type", "path", "query y", "query z"]);
    }

    #[test]
    fn json_inside_a_form_is_looked_into_and_parameters_of_the_content_type_do_not_count() {
        let ours = sent("/a", "", "application/json", Body::Form(pairs("json={\"a\":{\"b\":1}}&k=1")));
        let theirs = sent("/a", "", "application/json;charset=utf-8", Body::Form(pairs("json={\"a\":{\"b\":2}}&k=1")));
        let found: Vec<String> = differences(&ours, &theirs).into_keys().collect();
        assert_eq!(found, ["form json#/a/b"]);
    }
}
