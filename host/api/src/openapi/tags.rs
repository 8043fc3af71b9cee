//! What the tags of the document mean, in the order in which a merchant meets them.

use serde_json::{Value, json};

const TAGS: &[(&str, &str)] = &[
    ("organization", "The merchant: name and addresses, API keys, and the audit log."),
    ("connectors", "The directory: what can be connected, what each connector asks for and what it sends."),
    ("connections", "A merchant's account on a connector: connect, choose where contacts go, prepare, renew, disconnect."),
    ("campaigns", "What affiliates take part in, and which tags it puts on their contacts."),
    ("affiliates", "The people who promote: applying, approving, pausing, removing."),
    ("imports", "Files of affiliates from other platforms: checked first, then imported, and told row by row what came of them."),
    ("invites", "Links by which people come into a campaign; you send them, as this host sends no e-mail."),
    ("syncs", "One affiliate of one campaign on its way into one connection: what was sent, what was answered, what is next."),
    ("webhooks", "Where events are sent, signed by Standard Webhooks 1.0.0: endpoints, their secrets, and what became of each delivery."),
    (
        "admin",
        "The operator's: organizations and their first keys, connectors and their versions. Needs a key of the operator; for any other there is nothing here.",
    ),
];

pub(super) fn described() -> Value {
    TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect()
}
