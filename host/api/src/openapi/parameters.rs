//! Parameters that mean the same on every route: their schemas, limits and examples, by name. A route names them; what they look like is
//! said once.

use crm_sync::services::events::EventType;
use serde_json::{Value, json};

use super::Verb;
use super::properties::{CONNECTOR, ID, LINE};
use crate::UPLOADS;
use crate::page::{CURSOR, ID_CURSOR};

/// Lists whose cursor is no id of ours.
const TEXT_CURSORS: &[&str] = &["/v1/connections/{id}/choices/{picker}"];

/// What a parameter of this name looks like: schema, description where the route gives none, example.
fn known(name: &str, path: &str) -> Option<(Value, &'static str, Value)> {
    let id = |description, example: &str| Some((json!({ "type": "string", "pattern": ID }), description, json!(example)));
    match name {
        "id" => match path.split('/').nth(2).unwrap_or_default() {
            "connections" => id("Id of the connection", "con_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            "campaigns" => id("Id of the campaign", "cmp_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            "affiliates" => id("Id of the affiliate", "aff_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            "invites" => id("Id of the invitation", "inv_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            "syncs" => id("Id of the sync", "job_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            "webhook-endpoints" => id("Id of the endpoint", "whe_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            "webhook-deliveries" => id("Id of the delivery", "dlv_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            "imports" => id("Id of the import", "imp_01kbw9mzv8e4w2xq3n5r7t9y1a"),
            _ => id("Id", "key_01kbw9mzv8e4w2xq3n5r7t9y1a"),
        },
        "connection" => id("Id of a connection", "con_01kbw9mzv8e4w2xq3n5r7t9y1a"),
        "campaign" => id("Id of a campaign", "cmp_01kbw9mzv8e4w2xq3n5r7t9y1a"),
        "affiliate" => id("Id of an affiliate", "aff_01kbw9mzv8e4w2xq3n5r7t9y1a"),
        "event_type" => Some((json!({ "type": "string", "enum": events() }), "Only events of this type", json!("sync.failed"))),
        "sync" => id("Id of the sync", "job_01kbw9mzv8e4w2xq3n5r7t9y1a"),
        "organization" => id("Id of the organization", "org_01kbw9mzv8e4w2xq3n5r7t9y1a"),
        "picker" => Some((json!({ "type": "string", "pattern": ID }), "Name of one of the connector's pickers", json!("list"))),
        "slug" if path.starts_with("/v1/affiliates") => {
            Some((json!({ "type": "string" }), "A referral slug, in any spelling", json!("zoe-darc")))
        }
        "digest" => {
            let schema = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
            Some((schema, "Digest of the version", json!("9f2c6d0c1c5d0d3f5f0b7a1e6f4f2b8f0e4a7c3d9b1e5a6f7c8d9e0f1a2b3c4d")))
        }
        "slug" | "connector" => Some((json!({ "type": "string", "pattern": CONNECTOR }), "The connector's slug", json!("acme"))),
        "limit" => Some((
            json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 25 }),
            "How many at most; a page may be shorter and still have a next one",
            json!(25),
        )),
        "cursor" => Some((
            json!({ "type": "string", "pattern": if TEXT_CURSORS.contains(&path) { CURSOR } else { ID_CURSOR } }),
            "`next_cursor` of the page before",
            Value::Null,
        )),
        "if-match" => Some((
            json!({ "type": "string", "pattern": r#"^(\*|"[0-9]{1,18}")$"# }),
            "The `ETag` that you read: the change is made only if nothing else changed since",
            json!("\"1\""),
        )),
        "email" => Some((json!({ "type": "string" }), "An e-mail address, in any spelling", json!("zoe@example.com"))),
        "name" => Some((json!({ "type": "string", "minLength": 1, "maxLength": 100, "pattern": LINE }), "A name", Value::Null)),
        "mode" => Some((json!({ "type": "string", "minLength": 1, "maxLength": 64 }), "Authentication mode", Value::Null)),
        "return_to" => Some((json!({ "type": "string", "maxLength": 2048, "format": "uri-reference" }), "Where to go on", Value::Null)),
        "search" => Some((json!({ "type": "string", "maxLength": 200 }), "Part of a name, or a whole id", Value::Null)),
        _ => None,
    }
}

/// The types of events.
fn events() -> Vec<&'static str> {
    EventType::ALL.into_iter().map(EventType::word).collect()
}

/// What a filter means whose values its own schema lists.
fn filters(name: &str) -> &'static str {
    match name {
        "state" => "Only those in this state",
        "status" => "Only those with this status",
        "format" => "Layout of the file",
        _ => "",
    }
}

/// Completes the parameters of one operation.
pub(super) fn complete(verb: &Verb<'_>, operation: &mut Value) {
    if verb.posts() && !UPLOADS.contains(&verb.path) {
        let key = json!({
            "name": "idempotency-key",
            "in": "header",
            "required": false,
            "description": "Any text that you choose for this request. Within 24 hours the same request is answered from the first one's answer.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
            "example": "0c3a7a0e-5f0b-4d51-9f0a-9f2f8f5f0c11",
        });
        match operation.get_mut("parameters").and_then(Value::as_array_mut) {
            Some(parameters) => parameters.push(key),
            None => operation["parameters"] = json!([key]),
        }
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let (schema, description, example) = match known(&name, verb.path) {
            Some(known) => known,
            None => (parameter["schema"].take(), filters(&name), Value::Null),
        };
        parameter["schema"] = schema;
        if parameter["description"].as_str().is_none_or(str::is_empty) && !description.is_empty() {
            parameter["description"] = json!(description);
        }
        if !example.is_null() {
            parameter["example"] = example;
        }
    }
}
