//! Tags by name: the vendor's form of their names, and the ids behind them. Creates tags; touches no contact.

use crm_connector_sdk::prelude::*;

use crate::pickers::page;
use crate::refusal::judged;

/// The vendor's form of a tag's name: small Latin letters, digits and underscores, 2 to 64. None is cut, as two could become one;
/// `None`: the vendor cannot take it.
pub(crate) fn slug(name: &str) -> Option<String> {
    let lower = crm_connector_sdk::text::lower(name);
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    Some(words.join("_")).filter(|slug| (2..=64).contains(&slug.len()))
}

/// Resolved by the vendor's form of the names, and answered by ours.
pub(crate) fn resolve(names: &[String], remembered: &[Binding], apply: bool) -> Result<Prepared, Error> {
    let forms: Vec<(&String, Option<String>)> = names.iter().map(|name| (name, slug(name))).collect();
    let slugs: Vec<String> = forms.iter().filter_map(|(_, slug)| slug.clone()).collect();
    let known: Vec<Binding> = remembered.iter().map(|tag| Binding { name: tag.wire.clone(), ..tag.clone() }).collect();
    let mut prepared = tags::resolve(&slugs, &known, apply, all, create)?;
    let found = std::mem::take(&mut prepared.tags);
    for (name, slug) in forms {
        match found.iter().find(|tag| Some(&tag.name) == slug.as_ref()) {
            Some(tag) => prepared.tags.push(Binding { name: name.clone(), ..tag.clone() }),
            // It could not be made: the sync leaves it out and says so.
            None if apply => prepared.to_create.push(Choice::new(format!("tag:{name}"), name)),
            None => {}
        }
    }
    Ok(prepared)
}

/// The tags in a request's form, each once: two names of one form are one tag.
pub(crate) fn wanted(names: &[String], bindings: &[Binding]) -> Result<Vec<json::Value>, Error> {
    let mut wanted = Vec::new();
    for tag in tags::ids(names, bindings)?.into_iter().map(|id| obj! { "tagId": id }) {
        if !wanted.contains(&tag) {
            wanted.push(tag);
        }
    }
    Ok(wanted)
}

fn all() -> Result<Vec<Binding>, Error> {
    Ok(paging::collect(100, |cursor| page(Call::new("list_tags"), cursor))?.iter().filter_map(binding).collect())
}

fn create(name: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_tag").json(obj! { "name": name }).send()?;
    if reply.status() == 409 {
        // Somebody else made it meanwhile: the resolver looks again.
        return Err(error::retryable(error::UNKNOWN_OUTCOME, status::words(&reply)));
    }
    binding(&judged(reply)?.need_json()?).ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))
}

fn binding(tag: &json::Value) -> Option<Binding> {
    let wire = json::text(tag, "/name")?;
    Some(Binding { name: wire.clone(), wire, id: Some(json::text(tag, "/tagId")?) })
}
