//! Answers that all routes share: which problems an operation can have, and the headers of every answer.

use serde_json::{Map, Value, json};

use super::{Verb, has_parameter, keyed};
use crate::UPLOADS;

/// Status, name among the document's components, what it means, an example's code.
const PROBLEMS: &[(&str, &str, &str, &str)] = &[
    ("400", "Unreadable", "The request cannot be read: its JSON, query, cursor or a header", "invalid_query"),
    ("401", "Unauthorized", "No valid API key", "unauthorized"),
    ("403", "Forbidden", "The key may only read", "forbidden_scope"),
    ("404", "NotFound", "Nothing has this id, or it is not yours", "not_found"),
    ("408", "TooSlow", "The body took too long to arrive", "request_timeout"),
    ("409", "Conflict", "The state of things forbids it; the code says what", "changed"),
    ("412", "Changed", "It was changed since it was read", "precondition_failed"),
    ("413", "TooLarge", "The body is too large", "body_too_large"),
    ("415", "WrongType", "The content type is not accepted", "unsupported_media_type"),
    ("422", "Unacceptable", "Some values are not acceptable, or the vendor refused them", "validation_failed"),
    ("429", "RateLimited", "Too many requests", "rate_limited"),
    ("500", "Internal", "Our fault", "internal"),
    ("502", "VendorFailed", "The vendor or its connector failed", "vendor_unavailable"),
    ("503", "Unavailable", "Try again later", "unavailable"),
    ("507", "NoSpace", "The disk is nearly full: no new work is accepted", "no_space"),
];

/// Parts of queries and bodies that name a thing, which may not be there.
const NAMES: &[&str] = &["connection", "campaign", "affiliate", "ids"];

/// Headers that answers share.
pub(super) fn headers() -> Value {
    let text = |required: bool, example: &str, description: &str| json!({ "required": required, "description": description, "schema": { "type": "string" }, "example": example });
    json!({
        "RequestId": {
            "required": true,
            "description": "Name it when you ask for help. One that you send is kept, if it is 1 to 64 letters, digits, `-`, `_` or `.`.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9._-]+$" },
            "example": "req_8KfM2xw0q9VJ3sHc7TzLbN",
        },
        "RateLimitPolicy": text(false, "\"default\";q=6000;w=60", "What this key may ask for: `q` requests in `w` seconds. Absent when keys are not limited."),
        "RateLimit": text(false, "\"default\";r=5999;t=1", "How it stands: `r` requests now, and no more before `t` seconds are over."),
        "RetryAfter": {
            "required": true,
            "description": "Seconds to wait before asking again.",
            "schema": { "type": "integer", "minimum": 1 },
            "example": 1,
        },
        "MayRetryAfter": {
            "required": false,
            "description": "Seconds to wait before asking again, where waiting helps.",
            "schema": { "type": "integer", "minimum": 1 },
            "example": 2,
        },
        "Challenge": text(true, "Bearer", "How to show a key."),
        "ETag": {
            "required": true,
            "description": "The version: give it back as `If-Match`.",
            "schema": { "type": "string", "pattern": "^\"[0-9]+\"$" },
            "example": "\"3\"",
        },
        "Replayed": {
            "required": false,
            "description": "`true`: this is the kept answer of an earlier request with the same `Idempotency-Key`.",
            "schema": { "type": "string", "enum": ["true"] },
            "example": "true",
        },
        "Location": { "required": true, "description": "Where to go on.", "schema": { "type": "string", "format": "uri-reference" } },
    })
}

/// The problems as components.
pub(super) fn problems() -> Value {
    let all = PROBLEMS.iter().map(|(status, name, description, code)| {
        let mut response = json!({ "description": description });
        fill(&mut response, status, code, true);
        ((*name).to_owned(), response)
    });
    Value::Object(all.collect())
}

fn link(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Content and headers of an error answer.
fn fill(response: &mut Value, status: &str, code: &str, keyed: bool) {
    let example = json!({
        "type": format!("urn:crm-host:problem:{code}"),
        "title": crate::problem::title(code),
        "status": status.parse::<u16>().unwrap_or_default(),
        "code": code,
        "detail": "What is wrong this time.",
        "request_id": "req_8KfM2xw0q9VJ3sHc7TzLbN",
    });
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    response["content"] = json!({ "application/problem+json": { "schema": schema, "example": example } });
    let mut headers = Map::new();
    headers.insert("x-request-id".to_owned(), link("RequestId"));
    match status {
        "401" => {
            headers.insert("www-authenticate".to_owned(), link("Challenge"));
        }
        "429" | "507" => {
            headers.insert("retry-after".to_owned(), link("RetryAfter"));
        }
        "409" | "503" => {
            headers.insert("retry-after".to_owned(), link("MayRetryAfter"));
        }
        _ => {}
    }
    if keyed && status != "401" {
        headers.insert("ratelimit-policy".to_owned(), link("RateLimitPolicy"));
        headers.insert("ratelimit".to_owned(), link("RateLimit"));
    }
    response["headers"] = Value::Object(headers);
}

/// Which problems an operation can have whatever it does. What else it can answer, its route says.
fn shared(verb: &Verb<'_>, operation: &Value) -> Vec<&'static str> {
    let mut statuses = vec!["500", "503"];
    let takes_body = operation["requestBody"].is_object();
    let keeps_answers = verb.posts() && !UPLOADS.contains(&verb.path);
    if keyed(operation) {
        statuses.extend(["400", "401", "429"]);
    }
    let by_query = NAMES.iter().any(|name| has_parameter(operation, "query", name));
    // For an organization's key there is nothing where the operator works.
    let hidden = verb.path.starts_with("/v1/admin/");
    if hidden || verb.path.contains('{') || by_query || verb.body_names(operation, NAMES) {
        statuses.push("404");
    }
    if has_parameter(operation, "query", "limit") || takes_body || keeps_answers {
        statuses.push("422");
    }
    if takes_body || keeps_answers {
        statuses.extend(["408", "413"]);
    }
    if takes_body {
        statuses.push("415");
    }
    if has_parameter(operation, "header", "if-match") {
        statuses.push("412");
    }
    if verb.writes() {
        statuses.extend(["403", "409", "507"]);
    }
    statuses
}

/// Completes the answers of one operation.
pub(super) fn complete(verb: &Verb<'_>, operation: &mut Value) {
    let keyed = keyed(operation);
    let statuses = shared(verb, operation);
    // The format asks for words here; the routes' own summary says it best.
    let summary = operation["summary"].as_str().unwrap_or("Done").to_owned();
    let replays = verb.posts() && !UPLOADS.contains(&verb.path);
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for status in statuses {
        responses.entry(status).or_insert(Value::Null);
    }
    for (status, response) in responses {
        match PROBLEMS.iter().find(|(known, ..)| known == status) {
            Some((_, name, ..)) if response["description"].as_str().is_none_or(str::is_empty) && keyed => {
                *response = json!({ "$ref": format!("#/components/responses/{name}") });
            }
            Some((_, _, description, code)) => {
                if response["description"].as_str().is_none_or(str::is_empty) {
                    *response = json!({ "description": description });
                }
                fill(response, status, code, keyed);
            }
            None => good(response, &summary, keyed, replays),
        }
    }
}

/// Completes an answer that is no error.
fn good(response: &mut Value, summary: &str, keyed: bool, replays: bool) {
    if response["description"].as_str().is_none_or(str::is_empty) {
        response["description"] = json!(summary);
    }
    let own: Vec<String> = response["headers"].as_object().map(|headers| headers.keys().cloned().collect()).unwrap_or_default();
    let mut headers = Map::new();
    headers.insert("x-request-id".to_owned(), link("RequestId"));
    if keyed {
        headers.insert("ratelimit-policy".to_owned(), link("RateLimitPolicy"));
        headers.insert("ratelimit".to_owned(), link("RateLimit"));
    }
    if replays {
        headers.insert("idempotency-replayed".to_owned(), link("Replayed"));
    }
    for name in own {
        let known = match name.as_str() {
            "etag" => link("ETag"),
            "location" => link("Location"),
            _ => response["headers"][&name].clone(),
        };
        headers.insert(name, known);
    }
    response["headers"] = Value::Object(headers);
}
