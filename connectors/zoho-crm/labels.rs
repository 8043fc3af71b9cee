//! The tags of the picked module: listing them, making one, and their names on the wire.

use crm_connector_sdk::prelude::*;

use crate::refusal::{answer, judged};

/// Every tag of the module: the answer has no pages.
pub(crate) fn all(on: &Connection) -> Result<Vec<Binding>, Error> {
    let body = answer(in_module("tags", on))?;
    let named = json::rows(&body, "/tags").iter().filter_map(|tag| Some((json::text(tag, "/name")?, json::text(tag, "/id"))));
    Ok(named.map(|(name, id)| Binding { name: name.clone(), wire: name, id }).collect())
}

/// A name that is taken is answered with the id of the tag that has it.
pub(crate) fn create(on: &Connection, tag: &str) -> Result<Binding, Error> {
    let reply = in_module("create_tag", on).json(obj! { "tags": [obj! { "name": tag }] }).send()?;
    let body = reply.json();
    let taken = json::text(&body, "/tags/0/code").as_deref() == Some("DUPLICATE_DATA");
    let body = if taken { body } else { judged(reply)? };
    let id = json::text(&body, "/tags/0/details/id").or_else(|| taken.then(|| tag.to_owned()));
    let id = id.ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))?;
    Ok(Binding { name: tag.to_owned(), wire: tag.to_owned(), id: Some(id) })
}

/// The name that Zoho knows a tag by.
pub(crate) fn wire<'a>(on: &'a Connection, tag: &'a str) -> &'a str {
    on.tags.iter().find(|bound| bound.name == tag).map_or(tag, |bound| &bound.wire)
}

/// A call about the picked module, which stands in the query where it is not in the path.
pub(crate) fn in_module(call: &str, on: &Connection) -> Call {
    Call::new(call).query("module", on.picked("module").unwrap_or_default())
}
