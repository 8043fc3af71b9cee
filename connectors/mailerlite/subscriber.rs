//! A subscriber as MailerLite shows it and takes it: id, groups, fields, status. Makes no calls.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

/// The keys of the fields for first and last names, in this order. No merchant's mapping may reach them.
pub(crate) const NAMES: [&str; 2] = ["name", "last_name"];

pub(crate) fn id_of(subscriber: &json::Value) -> Result<String, Error> {
    json::text(subscriber, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no subscriber"))
}

/// True for the group that stands for a tag: by the remembered id, or by its name where none is remembered.
pub(crate) fn is_for(on: &Connection, tag: &str, group: &json::Value) -> bool {
    match on.tags.iter().find(|known| known.name == tag).and_then(|known| known.id.as_ref()) {
        Some(id) => json::text(group, "/id").as_ref() == Some(id),
        None => json::text(group, "/name").is_some_and(|name| lower(name.trim()) == lower(tag.trim())),
    }
}

/// True when the subscriber is shown in this group.
pub(crate) fn is_in(subscriber: &json::Value, group: &str) -> bool {
    json::rows(subscriber, "/groups").iter().any(|shown| json::text(shown, "/id").as_deref() == Some(group))
}

/// Active and never left: only for them may the upsert be used.
pub(crate) fn is_active(subscriber: &json::Value) -> bool {
    subscriber["status"] == "active" && json::text(subscriber, "/unsubscribed_at").is_none()
}

/// Names that are missing, and mapped fields that differ.
pub(crate) fn fields(who: &Person, subscriber: &json::Value) -> json::Value {
    let there = |key: &str| json::text(&subscriber["fields"], key);
    let (first, last) = person::names(who);
    let mut fields = obj! {};
    for (key, name) in NAMES.into_iter().zip([first, last]) {
        body::put(&mut fields, key, name.filter(|_| there(key).is_none()));
    }
    for Field { key, value } in who.fields.iter().filter(|field| !NAMES.contains(&field.key.as_str())) {
        let value = match value {
            Value::Many(items) => json::Value::String(items.join(", ")),
            Value::Truth(truth) => json::Value::String(truth.to_string()),
            value => body::Json::into_json(value),
        };
        body::put(&mut fields, key, Some(&value).filter(|value| there(key) != json::text(value, "")));
    }
    fields
}

/// Mapped fields that could not be kept: unknown to MailerLite, which says nothing, or not written as the person is not active.
pub(crate) fn dropped(who: &Person, subscriber: &json::Value, written: bool) -> Vec<String> {
    let differing = fields(who, subscriber);
    let lost = |key: &str| {
        if written { subscriber["fields"].is_object() && subscriber["fields"].get(key).is_none() } else { differing.get(key).is_some() }
    };
    who.fields.iter().map(|field| field.key.clone()).filter(|key| NAMES.contains(&key.as_str()) || lost(key)).collect()
}

pub(crate) fn standing(subscriber: &json::Value) -> Standing {
    match json::text(subscriber, "/status").as_deref() {
        Some("active") => Standing::Normal,
        Some("unconfirmed") => Standing::Pending,
        // Junk: reported our mail as spam.
        Some("unsubscribed" | "junk") => Standing::KeptOptedOut,
        _ => Standing::Unknown,
    }
}
