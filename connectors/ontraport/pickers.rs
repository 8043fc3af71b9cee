//! What the merchant picks from: tags, and the contact fields that the merchant made. Reads only.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;
use crate::{PAGE, is_custom};

pub(crate) fn page(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    match picker {
        "tags" => {
            let start = paging::offset(cursor)?;
            let reply = answer(Call::new("list_tags").query("start", start).query("range", PAGE))?;
            let rows = json::rows(&reply, "/data");
            let items = rows.iter().filter_map(|row| Some(Choice::new(json::text(row, "/tag_id")?, json::text(row, "/tag_name")?)));
            Ok(Page { items: items.collect(), next: paging::next_offset(start, rows.len(), PAGE) })
        }
        "fields" => Ok(Page { items: custom_fields(&answer(Call::new("contact_fields"))?), next: None }),
        other => Err(error::unsupported(format!("Ontraport has no picker named '{other}'"))),
    }
}

/// The merchant's own fields. The metadata comes in one piece.
fn custom_fields(meta: &json::Value) -> Vec<Choice> {
    let Some(fields) = json::at(meta, "/data/0/fields").and_then(json::Value::as_object) else { return Vec::new() };
    let choice = |(key, field): (&String, &json::Value)| {
        let choice = Choice::new(key, json::text(field, "/alias").unwrap_or_else(|| key.clone()));
        json::text(field, "/type").into_iter().fold(choice, Choice::detail)
    };
    fields.iter().filter(|(key, _)| is_custom(key)).map(choice).collect()
}
