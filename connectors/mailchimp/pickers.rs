//! What the merchant picks from: audiences, and the picked audience's tags and merge fields. Reads only.

use crm_connector_sdk::prelude::*;

use crate::NAMES;
use crate::refusal::answer;

/// The largest page that the vendor gives.
pub(crate) const PAGE: u32 = 1000;

pub(crate) fn page(picker: &str, search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
    match picker {
        "audience" => paged("list_audiences", "/lists", cursor, audience),
        "tags" => {
            // The one listing that comes in one piece.
            let reply = answer(Call::new("list_tags").query_opt("name", search))?;
            let tag = |row| Some(Choice::new(json::text(row, "/id")?, json::text(row, "/name")?));
            Ok(Page { items: json::rows(&reply, "/tags").iter().filter_map(tag).collect(), next: None })
        }
        "fields" => paged("list_fields", "/merge_fields", cursor, field),
        other => Err(error::unsupported(format!("Mailchimp has no picker named '{other}'"))),
    }
}

fn audience(row: &json::Value) -> Option<Choice> {
    let mut choice = Choice::new(json::text(row, "/id")?, json::text(row, "/name")?);
    choice.detail = json::text(row, "/stats/member_count").map(|count| format!("{count} contacts"));
    let double = json::at(row, "/double_optin").and_then(json::Value::as_bool).unwrap_or_default();
    choice.facts.push(Pair::new("double_optin", double.to_string()));
    Some(choice)
}

fn field(row: &json::Value) -> Option<Choice> {
    let (key, kind) = (json::text(row, "/tag")?, json::text(row, "/type").unwrap_or_default());
    let choice = Choice::new(&key, json::text(row, "/name").unwrap_or_else(|| key.clone()));
    // An address is an object of several parts, which no single value fills.
    (!NAMES.contains(&key.as_str())).then(|| Choice { selectable: kind != "address", ..choice.detail(kind) })
}

fn paged(call: &str, at: &str, cursor: Option<&str>, choice: impl Fn(&json::Value) -> Option<Choice>) -> Result<Page, Error> {
    let start = paging::offset(cursor)?;
    let reply = answer(Call::new(call).query("count", PAGE).query("offset", start))?;
    Ok(Page { items: json::rows(&reply, at).iter().filter_map(choice).collect(), next: next(&reply, at, start) })
}

/// The total decides, so that a vendor who gives less than was asked for is read to the end all the same.
pub(crate) fn next(reply: &json::Value, at: &str, start: u32) -> Option<String> {
    let got = json::rows(reply, at).len();
    let end = i64::from(start) + got as i64;
    (got > 0 && json::number(reply, "/total_items").is_some_and(|total| end < total)).then(|| end.to_string())
}
