//! Lists, which also stand in for tags: reading them, making one, and whether one is still there. Touches no contact.

use crm_connector_sdk::{prelude::*, text};

use crate::refusal::{answer, judged};

/// Every list of the account.
pub(crate) fn all() -> Result<Vec<Binding>, Error> {
    paging::collect(50, page)
}

/// One page of lists and the token of the next, cut from a link that is never followed.
pub(crate) fn page(token: Option<&str>) -> Result<(Vec<Binding>, Option<String>), Error> {
    let page = answer(Call::new("lists").query("page_size", 1000).query_opt("page_token", token))?;
    let named = |list: &json::Value| json::text(list, "/name").map(|name| (name, json::text(list, "/id")));
    let bound = |(name, id): (String, _)| Binding { name: name.clone(), wire: name, id };
    let next = json::text(&page, "/_metadata/next").unwrap_or_default();
    let token = next.split_once("page_token=").and_then(|(_, rest)| rest.split('&').next()).filter(|token| !token.is_empty());
    let token = token.map(|token| token.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/"));
    Ok((json::rows(&page, "/result").iter().filter_map(named).map(bound).collect(), token))
}

/// A name that is taken is answered 400: then somebody was faster, and their list is ours.
pub(crate) fn create(tag: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_list").json(obj! { "name": tag }).send()?;
    let taken = if reply.status() == 400 { all()? } else { Vec::new() };
    if let Some(list) = taken.into_iter().find(|list| text::lower(&list.wire) == text::lower(tag)) {
        return Ok(list);
    }
    let id = json::text(&judged(reply)?, "/id").ok_or_else(|| error::retryable("no-id", "create_list: the answer names no list"))?;
    Ok(Binding { name: tag.to_owned(), wire: tag.to_owned(), id: Some(id) })
}

/// The merchant's list is never replaced; that of a tag is made anew.
pub(crate) fn must_exist(job: &Job, id: &String) -> Result<(), Error> {
    let reply = Call::new("list").path("id", id).send()?;
    match reply.status() {
        404 if job.on.picked("list") == Some(id) => Err(error::destination_missing(404, status::words(&reply))),
        404 => Err(error::stale(&job.set)),
        _ => judged(reply).map(drop),
    }
}
