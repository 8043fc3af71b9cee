//! Properties that mean the same in every schema: their limits and formats, by name. What a field says of itself (`#[schema(max_length = ...)]`)
//! wins. Requests are told what is accepted, answers how to read what looks like text.

use crm_sync::services::events::EventType;
use crm_sync::services::webhooks::ALL_EVENTS;
use serde_json::{Map, Value, json};

/// One line of text with something to see in it; blanks around it do not count.
pub(super) const LINE: &str = r"^\s*[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?\s*$";
pub(super) const ID: &str = "^[A-Za-z0-9_]{1,64}$";
pub(super) const CONNECTOR: &str = "^[a-z0-9-]{1,40}$";
const SLUG: &str = r"^\s*[A-Za-z0-9][A-Za-z0-9-]{1,62}[A-Za-z0-9]\s*$";

/// Times in answers.
const TIMES: &[&str] = &[
    "accepted",
    "approved",
    "at",
    "changed",
    "created",
    "disabled_at",
    "ended",
    "expires",
    "failing_since",
    "finished",
    "installed",
    "joined",
    "last_used",
    "next_at",
    "prepared",
    "previous_secret_until",
    "revoked",
    "since",
    "started",
    "updated",
    "verified",
];

/// What a text of a request must look like.
fn of_request(name: &str) -> Option<Value> {
    Some(match name {
        "name" => json!({ "minLength": 1, "maxLength": 100, "pattern": LINE, "example": "Spring campaign" }),
        "connector" => json!({ "pattern": CONNECTOR, "example": "acme" }),
        "mode" => json!({ "minLength": 1, "maxLength": 64 }),
        "slug" => json!({ "pattern": SLUG, "example": "spring-sale" }),
        "email" => json!({ "format": "idn-email", "maxLength": 254, "example": "zoe@example.com" }),
        "campaign" => json!({ "pattern": ID, "example": "cmp_01kbw9mzv8e4w2xq3n5r7t9y1a" }),
        "connection" => json!({ "pattern": ID, "example": "con_01kbw9mzv8e4w2xq3n5r7t9y1a" }),
        "affiliate" | "affiliates" | "ids" => json!({ "pattern": ID, "example": "aff_01kbw9mzv8e4w2xq3n5r7t9y1a" }),
        "default_tags" | "extra_tags" => json!({ "minLength": 1, "maxLength": 100, "pattern": LINE, "example": "VIP" }),
        "first" | "last" | "full" | "company" => json!({ "maxLength": 200 }),
        "source" => json!({ "maxLength": 200 }),
        "ip" => json!({ "maxLength": 64 }),
        "return_to" => json!({ "maxLength": 2048, "format": "uri-reference" }),
        "credentials" => json!({ "maxLength": 4096 }),
        "settings" => json!({ "maxLength": 1024 }),
        "events" => json!({ "enum": events(), "example": "sync.failed" }),
        "picked" => json!({ "minLength": 1, "maxLength": 200 }),
        "fields" => json!({ "maxLength": 200 }),
        "pinned" => json!({ "maxLength": 128 }),
        "confirm" => json!({ "maxLength": 254 }),
        "terms_url" | "site_url" => json!({ "maxLength": 1000, "format": "uri" }),
        _ => return None,
    })
}

/// What an endpoint can choose.
fn events() -> Vec<&'static str> {
    std::iter::once(ALL_EVENTS).chain(EventType::ALL.into_iter().map(EventType::word)).collect()
}

/// How many items a list of a request may have.
fn items_of_request(name: &str) -> Option<u32> {
    match name {
        "default_tags" | "extra_tags" => Some(20),
        "ids" => Some(1_000),
        _ => None,
    }
}

/// Completes the component schemas.
pub(super) fn complete(schemas: &mut Map<String, Value>) {
    for schema in schemas.values_mut() {
        // Requests are strict, and answers may grow.
        let request = schema.get("additionalProperties") == Some(&Value::Bool(false));
        for (name, property) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
            if request {
                describe_request(name, property);
            } else if TIMES.contains(&name.as_str()) && is(property, "string") {
                add(property, &json!({ "format": "date-time" }));
            }
        }
    }
}

fn describe_request(name: &str, property: &mut Value) {
    if is(property, "array") {
        if let Some(most) = items_of_request(name) {
            add(property, &json!({ "maxItems": most }));
        }
        if let Some(items) = property.get_mut("items") {
            describe_text(name, items);
        }
    } else if is(property, "object") {
        if let Some(values) = property.get_mut("additionalProperties") {
            describe_text(name, values);
        }
    } else {
        describe_text(name, property);
    }
}

fn describe_text(name: &str, schema: &mut Value) {
    let says_more = ["pattern", "format", "maxLength", "enum"].iter().any(|word| schema.get(word).is_some());
    if let Some(words) = of_request(name).filter(|_| is(schema, "string") && !says_more) {
        add(schema, &words);
    }
}

/// Whether a schema takes this type, perhaps besides null.
fn is(schema: &Value, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(several)) => several.iter().any(|one| one == wanted),
        _ => false,
    }
}

fn add(schema: &mut Value, words: &Value) {
    if let (Some(schema), Some(words)) = (schema.as_object_mut(), words.as_object()) {
        for (word, value) in words {
            schema.entry(word).or_insert_with(|| value.clone());
        }
    }
}
