//! What the merchant picks from: lists, tags and custom fields. Reads only.

use crm_connector_sdk::prelude::*;

use crate::refusal::{judged, rows};

const PER_PAGE: usize = 1000;

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, id, detail) = match picker {
        "campaign" => ("list_campaigns", "/campaignId", "/optinTypes/api"),
        "tags" => ("list_tags", "/tagId", "/type"),
        "fields" => ("list_fields", "/customFieldId", "/type"),
        other => return Err(error::unsupported(format!("GetResponse has no picker named '{other}'"))),
    };
    let (rows, next) = page(Call::new(call), cursor)?;
    let choice = |row: &json::Value| {
        let choice = Choice::new(json::text(row, id)?, json::text(row, "/name")?);
        Some(json::text(row, detail).into_iter().fold(choice, Choice::detail))
    };
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
}

/// One page of rows and the number of the next. The count of pages stands in a header.
pub(crate) fn page(call: Call, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let number = paging::offset(cursor)?.max(1);
    let reply = judged(call.query("page", number).query("perPage", PER_PAGE).send()?)?;
    let rows = rows(&reply.need_json()?)?;
    let more = reply.header("totalpages").and_then(|pages| pages.parse().ok()).map_or(rows.len() >= PER_PAGE, |pages: u32| number < pages);
    Ok((rows, more.then(|| (number + 1).to_string())))
}
