//! What the account holds and the merchant picks from: lists, and a list's tags and custom fields. Reads only.

use crm_connector_sdk::prelude::*;

use crate::account;
use crate::refusal::judged_json;
use crate::subscribers::List;

pub(crate) fn choices(on: &Connection, picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    match picker {
        "list" => page(Call::new("lists").path("account", account(on)?), "/id", cursor),
        // Written by name, so the name is what is picked.
        "fields" => page(List::picked(on)?.call("list_fields"), "/name", cursor),
        "tags" => {
            let tags = judged_json(List::picked(on)?.call("list_tags"))?;
            let rows = tags.as_array().ok_or_else(|| error::retryable("no-rows", "list_tags: the answer is no list"))?;
            let choice = |row: &json::Value| json::text(row, "").map(|tag| Choice::new(tag.clone(), tag));
            Ok(Page { items: rows.iter().filter_map(choice).collect(), next: None })
        }
        other => Err(error::unsupported(format!("AWeber has no picker named '{other}'"))),
    }
}

/// One page of a collection. The link to the next one is a URL, of which only the offset is used.
fn page(call: Call, id: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let start = paging::offset(cursor)?;
    let body = judged_json(call.query("ws.start", start))?;
    let rows = json::at(&body, "/entries").and_then(json::Value::as_array);
    let rows = rows.ok_or_else(|| error::retryable("no-rows", "the answer has no entries"))?;
    let choice = |row: &json::Value| Some(Choice::new(json::text(row, id)?, json::text(row, "/name")?));
    let next = match json::text(&body, "/next_collection_link") {
        None => None,
        Some(link) => {
            let offset = link.split(['?', '&']).find_map(|part| part.strip_prefix("ws.start=")?.parse::<u32>().ok());
            let offset = offset.filter(|next| *next > start);
            Some(offset.ok_or_else(|| error::retryable("paging", "the link to the next page leads nowhere further"))?.to_string())
        }
    };
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
}
