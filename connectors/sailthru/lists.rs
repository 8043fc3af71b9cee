//! Natural lists: which there are, what the picked one is called now, and on which we have put a person. Writes nothing.

use crm_connector_sdk::{memo, prelude::*};

use crate::refusal::answer;

/// As many lists as fit the memo.
const REMEMBERED: usize = 20;

/// All of them: the answer has no pages.
pub(crate) fn choices() -> Result<Vec<Choice>, Error> {
    let lists = answer(Call::new("lists"))?;
    // Nobody can be put on a smart list: it is a query.
    let natural = json::rows(&lists, "/lists").iter().filter(|list| json::text(list, "/type").as_deref() != Some("smart"));
    let choice = |list| Some(Choice::new(json::text(list, "/list_id")?, json::text(list, "/name")?));
    Ok(natural.filter_map(choice).collect())
}

/// The lists that this person was put on by us, by id.
pub(crate) fn joined(known: &Known) -> Vec<String> {
    json::rows(&memo::read(known), "/joined").iter().filter_map(|id| json::text(id, "")).collect()
}

/// Notes that the person was put on this list.
pub(crate) fn remember(known: &mut Known, list: &str) -> Result<(), Error> {
    let mut lists = joined(known);
    lists.push(list.to_owned());
    memo::write(known, &obj! { "joined": lists.split_off(lists.len().saturating_sub(REMEMBERED)) })
}

/// The present name of a natural list; `None` when there is no such list (any more).
pub(crate) fn name(id: &str) -> Result<Option<String>, Error> {
    match answer(Call::new("list").query("json", json::print(&obj! { "list_id": id }))) {
        Err(Error::DestinationMissing(_)) => Ok(None),
        Ok(list) if json::text(&list, "/type").as_deref() == Some("smart") => Ok(None),
        Ok(list) => match json::text(&list, "/list") {
            Some(name) => Ok(Some(name)),
            None => Err(error::retryable("no-list", "list: the answer names no list")),
        },
        Err(other) => Err(other),
    }
}
