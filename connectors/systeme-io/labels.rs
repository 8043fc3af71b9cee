//! Tags of the account: reading all of them, and making one. Touches no contact.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::refusal::{answer, items, judged};

/// Ends a listing that never ends by itself; 100 rows a page.
const MAX_PAGES: u32 = 100;

/// One page of tags; the next begins after the id of the last.
fn page(cursor: Option<&str>) -> Result<(Vec<Binding>, Option<String>), Error> {
    let page = answer(Call::new("tags").query_opt("startingAfter", cursor))?;
    let rows = items(&page, "tags")?;
    let more = json::at(&page, "/hasMore") == Some(&json::Value::Bool(true));
    let next = rows.last().and_then(|last| json::text(last, "/id")).filter(|_| more);
    Ok((rows.iter().filter_map(bound).collect(), next))
}

pub(crate) fn choices(cursor: Option<&str>) -> Result<Page, Error> {
    let (tags, next) = page(cursor)?;
    Ok(Page { items: tags.into_iter().filter_map(|tag| Some(Choice::new(tag.id?, tag.name))).collect(), next })
}

/// Every tag of the account.
pub(crate) fn all() -> Result<Vec<Binding>, Error> {
    paging::collect(MAX_PAGES, page)
}

/// Makes a tag. A taken name is refused: then somebody was faster, and their tag is ours.
pub(crate) fn create(name: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_tag").json(obj! { "name": name }).send()?;
    let there = if matches!(reply.status(), 409 | 422) { all()? } else { Vec::new() };
    if let Some(tag) = there.into_iter().find(|tag| lower(tag.wire.trim()) == lower(name.trim())) {
        return Ok(tag);
    }
    bound(&judged(reply)?).ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))
}

fn bound(tag: &json::Value) -> Option<Binding> {
    let name = json::text(tag, "/name")?;
    Some(Binding { wire: name.clone(), name, id: Some(json::text(tag, "/id")?) })
}
