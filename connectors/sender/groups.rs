//! Groups, which also stand in for tags: reading all of them, making one, and telling which is gone. Touches no subscriber.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::refusal::{answer, judged};

/// Ends a listing that never ends by itself; up to 100 rows a page.
const MAX_PAGES: u32 = 100;

/// One page of a listing and the number of the next, cut from a link that is never followed, or counted.
pub(crate) fn page(call: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let number = paging::offset(cursor)?.max(1);
    let page = answer(Call::new(call).query("page", number))?;
    let rows = json::at(&page, "/data").and_then(json::Value::as_array);
    let rows = rows.ok_or_else(|| error::retryable("no-data", format!("{call}: the answer holds no list")))?;
    let linked = json::text(&page, "/links/next").map(|link| {
        let named = link.split(['?', '&']).find_map(|pair| pair.strip_prefix("page=").and_then(|page| page.parse::<u32>().ok()));
        named.unwrap_or(number.saturating_add(1)).to_string()
    });
    // Pages are counted as well: a group that was overlooked would be made a second time.
    let counted =
        json::number(&page, "/meta/last_page").filter(|last| *last > i64::from(number)).map(|_| number.saturating_add(1).to_string());
    let next = linked.or(counted);
    Ok((rows.clone(), next))
}

pub(crate) fn choices(cursor: Option<&str>) -> Result<Page, Error> {
    let (rows, next) = page("groups", cursor)?;
    Ok(Page { items: rows.iter().filter_map(|row| Some(Choice::new(json::text(row, "/id")?, json::text(row, "/title")?))).collect(), next })
}

/// Every group of the account.
pub(crate) fn all() -> Result<Vec<Binding>, Error> {
    Ok(paging::collect(MAX_PAGES, |cursor| page("groups", cursor))?.iter().filter_map(bound).collect())
}

/// Makes a group. Where the title is taken somebody was faster, and their group is ours.
pub(crate) fn create(tag: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_group").json(obj! { "title": tag }).send()?;
    let there = if matches!(reply.status(), 400 | 409 | 422) { all()? } else { Vec::new() };
    if let Some(group) = there.into_iter().find(|group| lower(group.wire.trim()) == lower(tag.trim())) {
        return Ok(group);
    }
    let made = judged(reply)?;
    let id = json::text(&made, "/data/id").ok_or_else(|| error::retryable("no-id", "create_group: the answer names no group"))?;
    Ok(Binding { name: tag.to_owned(), wire: json::text(&made, "/data/title").unwrap_or_else(|| tag.to_owned()), id: Some(id) })
}

/// A creation was refused because of its groups: the merchant's is gone, or one of ours.
pub(crate) fn gone(job: &Job) -> Result<Error, Error> {
    let there = all()?;
    let is_there = |id: &str| there.iter().any(|group| group.id.as_deref() == Some(id));
    Ok(match job.on.picked("group") {
        Some(group) if !is_there(group) => error::destination_missing(422, "create: the picked group is gone"),
        _ => error::stale(&job.set),
    })
}

fn bound(group: &json::Value) -> Option<Binding> {
    let title = json::text(group, "/title")?;
    Some(Binding { name: title.clone(), wire: title, id: Some(json::text(group, "/id")?) })
}
