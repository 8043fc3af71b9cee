//! The attribute that stands in for tags: its options, made where they are missing, and which of them a person has. Touches no person.

use std::cell::Cell;

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text;

use crate::refusal::{is_gone, judged};

/// The attribute's slug; the paths and constants of the manifest name it too. Merchants may change its title.
pub(crate) const SLUG: &str = "rekomi_tags";

/// Finds every tag among the options, and creates those that are missing, and the attribute itself.
pub(crate) fn prepare(on: &Connection, wanted: &[String], apply: bool) -> Result<Prepared, Error> {
    let no_attribute = Cell::new(false);
    let list = || match read()? {
        Some(options) => Ok(options),
        None if apply => make_attribute().map(|()| Vec::new()),
        None => {
            no_attribute.set(true);
            Ok(Vec::new())
        }
    };
    let mut prepared = tags::resolve(wanted, &on.tags, apply, list, make_option)?;
    if no_attribute.get() {
        prepared.to_create.insert(0, Choice::new(format!("attribute:{SLUG}"), "the attribute \"Rekomi tags\" of people"));
    }
    Ok(prepared)
}

/// The options; `None` where there is no such attribute.
pub(crate) fn read() -> Result<Option<Vec<Binding>>, Error> {
    let reply = Call::new("options").send()?;
    if is_gone(&reply) {
        return Ok(None);
    }
    Ok(Some(json::rows(&judged(reply)?, "/data").iter().filter_map(option).collect()))
}

fn make_attribute() -> Result<(), Error> {
    let make = || Call::new("make_attribute").json(obj! {}).try_send();
    let reply = match make() {
        // Its answer was lost: look before making it again.
        Err(Unanswered::UnknownOutcome) if read()?.is_some() => return Ok(()),
        Err(Unanswered::UnknownOutcome) => make(),
        other => other,
    };
    let reply = reply.map_err(|why| error::unanswered("make_attribute", why))?;
    if reply.status() == 409 {
        let in_the_way = "an attribute of people with the slug rekomi_tags is there; it is archived, or of another type";
        return read()?.map(|_| ()).ok_or_else(|| error::rejected("tags", 409, in_the_way));
    }
    judged(reply).map(|_| ())
}

fn make_option(title: &str) -> Result<Binding, Error> {
    let reply = Call::new("make_option").json(obj! { "data": obj! { "title": title } }).send()?;
    if reply.status() == 409 {
        // Made by somebody else meanwhile, or archived.
        let there = read()?.unwrap_or_default().into_iter().find(|option| text::lower(&option.wire) == text::lower(title));
        return there.ok_or_else(|| error::rejected("tags", 409, format!("the option '{title}' is archived in Attio: restore it there")));
    }
    option(json::at(&judged(reply)?, "/data").unwrap_or(&json::Value::Null))
        .ok_or_else(|| error::retryable("no-id", "make_option: the answer names no option"))
}

fn option(row: &json::Value) -> Option<Binding> {
    let title = json::text(row, "/title")?;
    let is_archived = json::at(row, "/is_archived") == Some(&json::Value::Bool(true));
    (!is_archived).then_some(Binding { name: title.clone(), wire: title, id: Some(json::text(row, "/id/option_id")?) })
}

/// How Attio spells these tags. Those that were never prepared are stale.
pub(crate) fn titles(names: &[String], on: &Connection) -> Result<Vec<String>, Error> {
    tags::ids(names, &on.tags)?;
    Ok(names.iter().filter_map(|name| binding(name, on)).map(|tag| tag.wire.clone()).collect())
}

fn binding<'a>(name: &str, on: &'a Connection) -> Option<&'a Binding> {
    on.tags.iter().find(|tag| tag.name == *name)
}

/// An option that a person has.
pub(crate) struct Held {
    pub(crate) title: String,
    id: Option<String>,
}

/// The options that a person has, archived ones too.
pub(crate) fn on_record(record: &json::Value) -> Vec<Held> {
    let held =
        |value: &json::Value| Some(Held { title: json::text(value, "/option/title")?, id: json::text(value, "/option/id/option_id") });
    json::rows(record, &format!("/values/{SLUG}")).iter().filter_map(held).collect()
}

/// Whether it is the option of one of these tags: by its id, for merchants rename options, or by how the tag is spelt.
pub(crate) fn is_among(held: &Held, names: &[String], on: &Connection) -> bool {
    let is_its = |tag: &Binding| tag.wire == held.title || (tag.id.is_some() && tag.id == held.id);
    names.iter().any(|name| binding(name, on).is_some_and(is_its) || text::lower(name) == text::lower(&held.title))
}

/// An option or the attribute was deleted meanwhile: the refusal names it.
pub(crate) fn are_gone(reply: &Reply, titles: &[String]) -> bool {
    let said = json::text(&reply.json(), "/message").unwrap_or_default();
    let names_ours = said.contains(&format!("\"{SLUG}\"")) || titles.iter().any(|title| said.contains(&format!("\"{title}\"")));
    reply.status() == 400 && said.contains("Cannot find") && names_ours
}

/// The options as choices. An attribute that is not there yet has none.
pub(crate) fn choices() -> Result<Vec<Choice>, Error> {
    let choice = |option: Binding| Choice::new(option.id.unwrap_or_default(), option.wire);
    Ok(read()?.unwrap_or_default().into_iter().map(choice).collect())
}
