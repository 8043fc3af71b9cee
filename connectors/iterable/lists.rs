//! Static lists: which there are, who is on them, and putting a person on the picked one, once. Takes nobody off.

use crm_connector_sdk::{memo, prelude::*};

use crate::refusal::answer;

/// As many lists as fit the memo.
const REMEMBERED: usize = 20;
/// What can be wrong with the one person of a request: where the answer says so, our field, and whether it passes by itself.
const FAILURES: [(&str, &str, bool); 5] = [
    ("invalidEmails", "email", false),
    ("forgottenEmails", "email", false),
    ("invalidDataEmails", "contact", false),
    ("conflictEmails", "contact", true),
    ("notFoundEmails", "contact", true),
];

/// Every list of the project. The answer has no pages.
pub(crate) fn all() -> Result<Vec<json::Value>, Error> {
    let lists = answer(Call::new("lists"))?;
    match json::at(&lists, "/lists") {
        Some(json::Value::Array(lists)) => Ok(lists.clone()),
        _ => Err(error::retryable("no-lists", "lists: the answer has no lists")),
    }
}

/// The static ones. A dynamic list is a query, and suppression and internal lists have other uses.
pub(crate) fn choices() -> Result<Vec<Choice>, Error> {
    let choice = |list: &json::Value| {
        let choice = Choice::new(json::text(list, "/id")?, json::text(list, "/name")?);
        Some(json::text(list, "/description").into_iter().fold(choice, Choice::detail))
    };
    let lists = all()?;
    Ok(lists.iter().filter(|list| json::text(list, "/listType").as_deref() == Some("Standard")).filter_map(choice).collect())
}

/// Whether the profile shows this list. Hybrid projects name the field differently.
pub(crate) fn is_on(user: &json::Value, list: &str) -> bool {
    let fields = ["/dataFields/emailListIds", "/dataFields/userListIds"];
    fields.iter().flat_map(|field| json::rows(user, field)).any(|id| json::text(id, "").as_deref() == Some(list))
}

/// Puts the person on the picked list, once: what was done is remembered, so that whoever was taken off stays off. True when it did.
pub(crate) fn join(job: &Job, known: &mut Known, user: Option<&json::Value>) -> Result<bool, Error> {
    let Some(list) = job.on.picked("list") else { return Ok(false) };
    if joined(known).iter().any(|joined| joined == list) {
        return Ok(false);
    }
    if let Some(user) = user {
        if is_on(user, list) {
            remember(known, list)?;
            return Ok(false);
        }
        if !json::rows(user, "/dataFields/unsubscribedChannelIds").is_empty() {
            return Ok(false);
        }
    }
    let Ok(id) = list.parse::<u64>() else {
        return Err(error::destination_missing("list", format!("'{list}' is no number of a list")));
    };
    let who = obj! { "email": &job.who.email };
    let put = answer(Call::new("join").json(obj! { "listId": id, "subscribers": vec![who] }))?;
    if json::number(&put, "/failCount") != Some(0) {
        return Err(failure(&put));
    }
    remember(known, list)?;
    Ok(true)
}

/// Why a request that was answered with 200 did not put its one person on the list.
fn failure(put: &json::Value) -> Error {
    for (place, field, passes) in FAILURES {
        if json::rows(put, &format!("/failedUpdates/{place}")).is_empty() {
            continue;
        }
        let text = format!("join: Iterable lists the address under {place}");
        return if passes { error::retryable(place, text) } else { error::rejected(field, place, text) };
    }
    // The older form, which has no reasons.
    if !json::rows(put, "/invalidEmails").is_empty() {
        return error::rejected("email", "invalidEmails", "join: Iterable lists the address under invalidEmails");
    }
    error::retryable("not-joined", "join: the answer does not say that the person was put on the list")
}

fn joined(known: &Known) -> Vec<String> {
    json::rows(&memo::read(known), "/joined").iter().filter_map(|id| json::text(id, "")).collect()
}

fn remember(known: &mut Known, list: &str) -> Result<(), Error> {
    let mut lists = joined(known);
    lists.push(list.to_owned());
    memo::write(known, &obj! { "joined": lists.split_off(lists.len().saturating_sub(REMEMBERED)) })
}
