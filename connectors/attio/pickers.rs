//! What the merchant picks from: lists of people, options, attributes. Reads only.

use crm_connector_sdk::prelude::*;

use crate::options;
use crate::refusal::answer;

/// Attributes on a page. How many the vendor gives at most is not documented; this few it gives.
const PAGE: u32 = 25;

pub(crate) fn page(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    match picker {
        "list" => {
            let lists = answer(Call::new("lists"))?;
            Ok(Page { items: json::rows(&lists, "/data").iter().filter_map(list).collect(), next: None })
        }
        "tags" => Ok(Page { items: options::choices()?, next: None }),
        "fields" => {
            let start = paging::offset(cursor)?;
            let attributes = answer(Call::new("attributes").query("limit", PAGE).query("offset", start))?;
            let rows = json::rows(&attributes, "/data");
            Ok(Page { items: rows.iter().filter_map(attribute).collect(), next: paging::next_offset(start, rows.len(), PAGE) })
        }
        other => Err(error::unsupported(format!("Attio has no picker named '{other}'"))),
    }
}

/// Lists of companies or deals take no people.
fn list(row: &json::Value) -> Option<Choice> {
    let takes_people = json::rows(row, "/parent_object").iter().any(|object| object.as_str() == Some("people"));
    takes_people.then_some(Choice::new(json::text(row, "/id/list_id")?, json::text(row, "/name")?))
}

/// What Attio fills by itself, our own attribute and what is no plain value cannot be mapped.
fn attribute(row: &json::Value) -> Option<Choice> {
    let (slug, kind) = (json::text(row, "/api_slug")?, json::text(row, "/type").unwrap_or_default());
    let is = |key: &str| json::at(row, key) == Some(&json::Value::Bool(true));
    let kinds = ["text", "number", "checkbox", "currency", "date", "timestamp", "rating", "status", "select", "phone-number"];
    let selectable = is("/is_writable") && kinds.contains(&kind.as_str()) && slug != options::SLUG;
    let choice = Choice::new(slug, json::text(row, "/title")?).detail(kind);
    (!is("/is_archived")).then_some(Choice { selectable, ..choice })
}
