//! Groups, which stand for tags here: the pickers, finding and making them by name. Touches no subscriber.

use crm_connector_sdk::prelude::*;

use crate::refusal::{answer, refusal, says};
use crate::subscriber::NAMES;

/// Ends a listing that never ends by itself; an account has at most 1000 groups, 100 a page.
const MAX_PAGES: u32 = 20;

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, id, detail) = match picker {
        "group" | "tags" => ("groups", "/id", "/active_count"),
        "fields" => ("fields", "/key", "/type"),
        other => return Err(error::unsupported(format!("MailerLite has no picker named '{other}'"))),
    };
    let (rows, next) = page(call, cursor)?;
    let choice = |row: &json::Value| {
        let choice = Choice::new(json::text(row, id)?, json::text(row, "/name")?);
        let detail = json::text(row, detail).map(|detail| if call == "groups" { format!("{detail} active subscribers") } else { detail });
        Some(detail.into_iter().fold(choice, Choice::detail))
    };
    // Names are written from the person.
    let rows = rows.iter().filter(|row| call == "groups" || NAMES.iter().all(|name| row["key"] != *name));
    Ok(Page { items: rows.filter_map(choice).collect(), next })
}

/// A group for each tag: found by name, else made.
pub(crate) fn prepare(tags: &[String], remembered: &[Binding], apply: bool) -> Result<Prepared, Error> {
    tags::resolve(tags, remembered, apply, all, |name| {
        let reply = Call::new("create_group").json(obj! { "name": name }).send()?;
        if reply.status() == 422 && says(&reply, &["taken", "exists"]) {
            // Somebody else made it meanwhile: the resolver looks again.
            return Err(error::retryable(error::UNKNOWN_OUTCOME, status::words(&reply)));
        }
        let made = reply.ok_or(refusal)?.need_json()?;
        bound(&made["data"]).ok_or_else(|| error::retryable("no-id", "create_group: the answer names no group"))
    })
}

/// Every group, the oldest first: of two with one name the first that was made is taken, today and tomorrow.
fn all() -> Result<Vec<Binding>, Error> {
    let mut groups = paging::collect(MAX_PAGES, |cursor| page("groups", cursor))?;
    groups.sort_by_key(|group| json::text(group, "/created_at"));
    Ok(groups.iter().filter_map(bound).collect())
}

fn page(call: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let number = paging::offset(cursor)?.max(1);
    let page = answer(Call::new(call).query("page", number))?;
    let rows = page["data"].as_array().ok_or_else(|| error::retryable("no-data", format!("{call}: the answer holds no list")))?;
    // An empty page is the last, whatever the vendor counts.
    let more = !rows.is_empty() && json::number(&page, "/meta/last_page").is_some_and(|last| i64::from(number) < last);
    Ok((rows.clone(), more.then(|| (number + 1).to_string())))
}

fn bound(group: &json::Value) -> Option<Binding> {
    let name = json::text(group, "/name")?;
    Some(Binding { wire: name.clone(), name, id: Some(json::text(group, "/id")?) })
}
