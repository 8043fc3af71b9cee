//! From the names of tags to ActiveCampaign's ids, making what is missing when told to. Touches no contact.

use crm_connector_sdk::prelude::*;

use crate::account::{MAX_PAGES, page};
use crate::refusal::judged;

/// The ids of these tags: remembered, found by name, or made when `apply`.
pub(crate) fn resolve(names: &[String], on: &Connection, apply: bool) -> Result<Prepared, Error> {
    let unknown = |name: &&String| !on.tags.iter().any(|tag| &tag.name == *name && tag.id.is_some());
    let list = || Ok(names.iter().filter(unknown).map(|name| tags_like(name)).collect::<Result<Vec<_>, Error>>()?.concat());
    tags::resolve(names, &on.tags, apply, list, create_tag)
}

/// The contact tags whose names hold this text.
fn tags_like(name: &str) -> Result<Vec<Binding>, Error> {
    let rows = paging::collect(MAX_PAGES, |cursor| page(Call::new("list_tags").query("search", name.trim()), "/tags", cursor))?;
    let tag = |row: &json::Value| Some(bound(&json::text(row, "/tag")?, json::text(row, "/id")?));
    Ok(rows.iter().filter(|row| is_contact_tag(row)).filter_map(tag).collect())
}

fn create_tag(name: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_tag").json(obj! { "tag": obj! { "tag": name } }).send()?;
    if !reply.is_ok() && reply.text().contains("Duplicate entry") {
        // Somebody else made it meanwhile: the resolver looks again.
        return Err(error::retryable(error::UNKNOWN_OUTCOME, status::words(&reply)));
    }
    let id = json::text(&judged(reply)?.need_json()?, "/tag/id");
    Ok(bound(name, id.ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))?))
}

fn bound(name: &str, id: String) -> Binding {
    Binding { name: name.to_owned(), wire: name.to_owned(), id: Some(id) }
}

/// Tags of templates share the listing and are none that a contact can have.
pub(crate) fn is_contact_tag(row: &json::Value) -> bool {
    json::text(row, "/tagType").is_none_or(|kind| kind == "contact")
}
