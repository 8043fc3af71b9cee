//! What the account holds and the merchant picks from: forms, sequences, tags, custom fields. Reads only.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

/// Ends a listing that never ends by itself; 500 rows a page.
const MAX_PAGES: u32 = 40;

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, id, name, detail) = match picker {
        "form" => ("forms", "/id", "/name", "/type"),
        "sequence" => ("sequences", "/id", "/name", "/none"),
        "tags" => ("tags", "/id", "/name", "/none"),
        "fields" => ("custom_fields", "/key", "/label", "/key"),
        other => return Err(error::unsupported(format!("Kit has no picker named '{other}'"))),
    };
    let (rows, next) = page(Call::new(call), call, cursor)?;
    let choice = |row: &json::Value| {
        let choice = Choice::new(json::text(row, id)?, json::text(row, name)?);
        Some(json::text(row, detail).into_iter().fold(choice, Choice::detail))
    };
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
}

/// Every tag of the account.
pub(crate) fn account_tags() -> Result<Vec<Binding>, Error> {
    Ok(all("tags", || Call::new("tags"))?.iter().filter_map(bound).collect())
}

/// Name and id of a tag.
pub(crate) fn bound(tag: &json::Value) -> Option<Binding> {
    let name = json::text(tag, "/name")?;
    Some(Binding { wire: name.clone(), name, id: Some(json::text(tag, "/id")?) })
}

/// Every row of a listing, under `key` in its answers.
pub(crate) fn all(key: &str, call: impl Fn() -> Call) -> Result<Vec<json::Value>, Error> {
    paging::collect(MAX_PAGES, |cursor| page(call(), key, cursor))
}

fn page(call: Call, key: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let page = answer(call.query_opt("after", cursor))?;
    let next = json::text(&page, "/pagination/end_cursor").filter(|_| page["pagination"]["has_next_page"] == true);
    Ok((json::rows(&page, key).to_vec(), next))
}
