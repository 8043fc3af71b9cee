//! What the account holds: lists, tags and custom fields for the merchant to pick from, and tags by name. Creates tags, nothing else.

use crm_connector_sdk::prelude::*;

use crate::refusal::{answer, judged, rows};

const MAX_PAGES: u32 = 200;

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, size, rows, id, name) = match picker {
        "list" => ("list_lists", 500, "/lists", "/list_id", "/name"),
        "tags" => ("list_tags", 500, "/tags", "/tag_id", "/name"),
        "fields" => ("list_fields", 100, "/custom_fields", "/custom_field_id", "/label"),
        other => return Err(error::unsupported(format!("Constant Contact has no picker named '{other}'"))),
    };
    let (rows, next) = page(call, size, rows, cursor)?;
    let choice = |row: &json::Value| {
        let choice = Choice::new(json::text(row, id)?, json::text(row, name)?);
        Some(json::text(row, "/type").into_iter().fold(choice, Choice::detail))
    };
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
}

pub(crate) fn all_tags() -> Result<Vec<Binding>, Error> {
    Ok(paging::collect(MAX_PAGES, |cursor| page("list_tags", 500, "/tags", cursor))?.iter().filter_map(binding).collect())
}

pub(crate) fn create_tag(name: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_tag").json(obj! { "name": name }).send()?;
    if reply.status() == 409 {
        // Somebody else made it meanwhile: the resolver looks again.
        return Err(error::retryable(error::UNKNOWN_OUTCOME, status::words(&reply)));
    }
    binding(&judged(reply)?.need_json()?).ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))
}

fn binding(tag: &json::Value) -> Option<Binding> {
    let wire = json::text(tag, "/name")?;
    Some(Binding { name: wire.clone(), wire, id: Some(json::text(tag, "/tag_id")?) })
}

/// One page of rows and the next cursor, cut from the link to the next page.
fn page(call: &str, size: u32, at: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let body = answer(Call::new(call).query("limit", size).query_opt("cursor", cursor))?;
    let next = json::text(&body, "/_links/next/href").map(|link| {
        let cursor = link.split(['?', '&']).find_map(|part| part.strip_prefix("cursor="));
        // Base64, of which the vendor escapes what a query must not hold.
        let cursor = cursor.map(|cursor| cursor.replace("%3D", "=").replace("%2F", "/").replace("%2B", "+"));
        cursor.ok_or_else(|| error::retryable("paging", format!("{call}: the link to the next page has no cursor")))
    });
    Ok((rows(&body, at)?, next.transpose()?))
}
