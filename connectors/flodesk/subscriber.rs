//! A subscriber as Flodesk shows it and takes it: id, segments, custom fields, status. Makes no calls.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

pub(crate) fn id_of(subscriber: &json::Value) -> Result<String, Error> {
    json::text(subscriber, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no subscriber"))
}

/// The ids of the segments that an answer shows.
pub(crate) fn ids(subscriber: &json::Value) -> Option<Vec<String>> {
    Some(json::at(subscriber, "/segments")?.as_array()?.iter().filter_map(|segment| json::text(segment, "/id")).collect())
}

/// True for the segment that stands for a tag: by the remembered id, or by its name where none is remembered.
pub(crate) fn is_for(on: &Connection, tag: &str, segment: &json::Value) -> bool {
    match on.tags.iter().find(|known| known.name == tag).and_then(|known| known.id.as_ref()) {
        Some(id) => json::text(segment, "/id").as_ref() == Some(id),
        None => json::text(segment, "/name").is_some_and(|name| lower(name.trim()) == lower(tag.trim())),
    }
}

/// Mapped fields that differ from what is there. The vendor knows text only.
pub(crate) fn fields(who: &Person, there: &json::Value) -> json::Value {
    let mut fields = obj! {};
    for Field { key, value } in &who.fields {
        let value = match value {
            Value::Many(items) => items.join(", "),
            Value::Truth(truth) => truth.to_string(),
            Value::Text(text) | Value::Number(text) | Value::Date(text) => text.clone(),
        };
        body::put(&mut fields, key, Some(value).filter(|value| json::text(&there["custom_fields"], key).as_ref() != Some(value)));
    }
    fields
}

/// Names of mapped fields that an answer does not show as they were wanted.
pub(crate) fn dropped(who: &Person, subscriber: &json::Value) -> Vec<String> {
    let shown = subscriber["custom_fields"].is_object();
    fields(who, subscriber).as_object().filter(|_| shown).map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

pub(crate) fn standing(subscriber: &json::Value) -> Standing {
    match json::text(subscriber, "/status").as_deref() {
        Some("active") => Standing::Normal,
        Some("unconfirmed") => Standing::Pending,
        Some("unsubscribed" | "complained") => Standing::KeptOptedOut,
        Some("archived") => Standing::Archived,
        _ => Standing::Unknown,
    }
}
