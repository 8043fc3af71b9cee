//! Requests that are broken on purpose. A judge that accepts everything looks exactly like a correct client, so each
//! operation is shown some of these, and must refuse every one.

use serde_json::{Value, json};

use super::{Description, Operation, Place};
use crate::sent::{Body, Sent};

const UNHEARD: &str = "zz_canary";
/// Fields whose keys are the account's own: anything may stand in them.
const OWN_KEYS: &[&str] = &["merge_fields", "custom_fields", "properties", "append", "unappend", "filter", "values", "dataFields"];

/// One broken request.
pub struct Canary {
    /// What was broken.
    pub what: String,
    pub refused: bool,
}

/// A good request of an operation, broken in every way that the description must notice.
pub fn canaries(description: &Description, operation: &Operation, place: &Place, good: &Sent) -> Vec<Canary> {
    let refused = |sent: &Sent| !operation.faults(sent, &place.values).is_empty();
    let mut flock = Vec::new();
    let mut add = |what: String, refused: bool| flock.push(Canary { what, refused });

    let elsewhere = format!("{}/zz/zz/zz/zz", good.path);
    add("path".to_owned(), description.find(&good.method, &elsewhere).is_none());

    let mut broken = good.clone();
    broken.query.push((UNHEARD.to_owned(), "1".to_owned()));
    add("a query parameter that is not described".to_owned(), refused(&broken));
    for name in operation.typed_queries().filter(|name| good.query.iter().any(|(given, _)| given == name)) {
        let mut broken = good.clone();
        broken.query.iter_mut().filter(|(given, _)| given == name).for_each(|(_, value)| UNHEARD.clone_into(value));
        // A list of free texts holds any text.
        if !operation.is_list_of_texts(name) {
            add(format!("query {name} of another type"), refused(&broken));
        }
    }
    for name in operation.needed_queries() {
        let mut broken = good.clone();
        broken.query.retain(|(given, _)| given != name);
        add(format!("query {name} left out"), refused(&broken));
    }
    for name in operation.needed_headers() {
        let mut broken = good.clone();
        broken.headers.remove(name);
        add(format!("header {name} left out"), refused(&broken));
    }
    match &good.body {
        Body::Json(body) => {
            let mut media = good.clone();
            media.headers.insert("content-type".to_owned(), "text/plain".to_owned());
            add("another content type".to_owned(), refused(&media));
            for (what, body) in bodies(body, &operation.needed_fields(good.media())) {
                add(what, refused(&Sent { body: Body::Json(body), ..good.clone() }));
            }
        }
        _ => add("a body where none is described".to_owned(), refused(&Sent { body: Body::Json(json!({})), ..good.clone() })),
    }
    flock
}

/// The body broken: of another type, with a field too many anywhere, at its top a field of another type or one too few.
fn bodies(body: &Value, needed: &[String]) -> Vec<(String, Value)> {
    let mut broken = vec![("a body of another type".to_owned(), json!(UNHEARD))];
    let Value::Object(fields) = body else { return broken };
    let mut places = Vec::new();
    objects(body, "", &mut places);
    for place in places {
        let mut more = body.clone();
        if let Some(Value::Object(fields)) = more.pointer_mut(&place) {
            fields.insert(UNHEARD.to_owned(), json!(1));
        }
        broken.push((format!("a field in body {place} that is not described"), more));
    }
    for key in fields.keys() {
        let mut other = fields.clone();
        other.insert(key.clone(), json!([[{ UNHEARD: 1 }]]));
        broken.push((format!("body /{key} of another type"), Value::Object(other)));
    }
    for key in needed {
        let mut fewer = fields.clone();
        fewer.shift_remove(key);
        broken.push((format!("body /{key} left out"), Value::Object(fewer)));
    }
    broken
}

/// Pointers of all objects but those with keys of the account's own.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(at.to_owned());
            let described = fields.iter().filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()));
            described.for_each(|(key, value)| objects(value, &format!("{at}/{key}"), found));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| objects(item, &format!("{at}/{index}"), found)),
        _ => {}
    }
}
