//! Contacts: how one is found, what is written to it, and on which lists it is. Writes nothing itself.

use crm_connector_sdk::{prelude::*, text};

use crate::refusal::{is_absent, is_unresolved, judged, rows};

/// A list that a contact is on, and whether it has unsubscribed from it.
pub(crate) struct Membership {
    pub(crate) list: String,
    pub(crate) has_left: bool,
}

/// The contact with this e-mail; `None` when there is none.
pub(crate) fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").path("email", email).send()?;
    if is_absent(&reply) {
        return Ok(None);
    }
    let found = rows(&judged(reply)?)?.first().cloned();
    Ok(found.filter(|contact| json::text(contact, "/ID").is_some()))
}

/// The lists that the contact is on; none where the id does not resolve. Rows of somebody else would mean that the filter was not
/// understood.
pub(crate) fn on_lists(id: &str) -> Result<Vec<Membership>, Error> {
    let reply = Call::new("memberships").query("Contact", id).send()?;
    if is_absent(&reply) || is_unresolved(&reply) {
        return Ok(Vec::new());
    }
    let listed = judged(reply)?;
    let is_theirs = |row: &&json::Value| json::text(row, "/ContactID").is_none_or(|contact| contact == id);
    let membership = |row: &json::Value| Some(Membership { list: json::text(row, "/ListID")?, has_left: is_true(row, "/IsUnsubscribed") });
    Ok(rows(&listed)?.iter().filter(is_theirs).filter_map(membership).collect())
}

/// Whether the person has unsubscribed from the picked list or from the list of any tag.
pub(crate) fn has_left(rows: &[Membership], on: &Connection) -> bool {
    let is_ours = |list: &str| Some(list) == on.picked("list") || on.tags.iter().any(|tag| tag.id.as_deref() == Some(list));
    rows.iter().any(|row| row.has_left && is_ours(&row.list))
}

/// What is written: names where there are none, and the mapped properties. Said again when it is the same, so that a resumed attempt
/// sends what it sent before.
pub(crate) fn body(job: &Job, found: Option<&json::Value>) -> Result<json::Value, Error> {
    let missing = |there: Option<String>, ours: Option<String>| ours.filter(|ours| there.is_none_or(|there| there == *ours));
    let (first, last) = person::names(&job.who);
    let names = [(job.on.fact("first"), first), (job.on.fact("last"), last)];
    let writes_names = names.iter().any(|(property, name)| property.is_some() && name.is_some());
    let values = match found.and_then(|found| json::text(found, "/ID")).filter(|_| writes_names) {
        Some(id) => values(&id)?,
        None => json::Value::Null,
    };
    let mut properties = obj! {};
    for (property, name) in names.into_iter().filter_map(|(property, name)| Some((property?, name))) {
        body::put(&mut properties, property, missing(value_of(&values, property), name));
    }
    for Field { key, value } in &job.who.fields {
        match value {
            Value::Many(options) => body::put(&mut properties, key, options.join(", ")),
            // A date without a time is no date to Mailjet.
            Value::Date(day) if day.len() == 10 => body::put(&mut properties, key, format!("{day}T00:00:00Z")),
            value => body::put(&mut properties, key, value),
        }
    }
    let name = missing(found.and_then(|found| json::text(found, "/Name")), person::full_name(&job.who));
    Ok(obj! { "Email": &job.who.email, "Name": name, "Properties": properties })
}

/// Whether the person has marked an e-mail as spam.
pub(crate) fn complained(found: Option<&json::Value>) -> bool {
    found.is_some_and(|found| is_true(found, "/IsSpamComplaining"))
}

pub(crate) fn standing(found: Option<&json::Value>, has_left: bool) -> Standing {
    let is = |what: &str| found.is_some_and(|found| is_true(found, what));
    if has_left || is("/IsExcludedFromCampaigns") || complained(found) {
        Standing::KeptOptedOut
    } else if is("/IsOptInPending") {
        Standing::Pending
    } else {
        Standing::Normal
    }
}

/// The contact's properties, each a name and a value. A contact without any may be unknown to this call.
fn values(id: &str) -> Result<json::Value, Error> {
    let reply = Call::new("values").path("id", id).send()?;
    if is_absent(&reply) {
        return Ok(json::Value::Null);
    }
    Ok(rows(&judged(reply)?)?.first().cloned().unwrap_or_default())
}

fn value_of(values: &json::Value, property: &str) -> Option<String> {
    let named = |row: &&json::Value| json::text(row, "/Name").is_some_and(|name| text::lower(&name) == text::lower(property));
    json::rows(values, "/Data").iter().find(named).and_then(|row| json::text(row, "/Value"))
}

/// Truths are `true` in recorded answers and `"true"` in the guides.
fn is_true(row: &json::Value, path: &str) -> bool {
    match json::at(row, path) {
        Some(json::Value::Bool(truth)) => *truth,
        Some(json::Value::String(text)) => text::lower(text) == "true",
        _ => false,
    }
}
