//! Finding one person, making them once, and what is missing on them. Must not assert somebody who is there.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text;

use crate::refusal::{self, answer, judged};

/// A person as Attio shows them.
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) record: json::Value,
    pub(crate) change: Change,
    pub(crate) several: bool,
}

/// The person with this e-mail, made or moved to it where needed. `known` learns the id before anything is written.
pub(crate) fn bring(job: &Job, known: &mut Known) -> Result<Found, Error> {
    let who = &job.who;
    let id = known.contact_id.clone();
    let (there, is_moved) = match person::previous_email(who) {
        None => (locate(&who.email, id.as_deref())?, false),
        // Where somebody has the new address already, that person counts and the old one is left as it is.
        Some(old) => match find(&who.email)? {
            Some(found) => (Some(found), false),
            None => (locate(old, id.as_deref())?, true),
        },
    };
    let mut found = there.map_or_else(|| assert(who), Ok)?;
    known.contact_id = Some(found.id.clone());
    if is_moved && found.change != Change::Created {
        // Adds the new address. The old one stays beside it.
        let values = obj! { "email_addresses": [&who.email] };
        answer(Call::new("move").path("record", &found.id).json(obj! { "data": obj! { "values": values } }))?;
        found.change = Change::Updated;
    }
    Ok(found)
}

/// By id while it resolves; else whoever has this e-mail.
pub(crate) fn locate(email: &str, id: Option<&str>) -> Result<Option<Found>, Error> {
    if let Some(id) = id {
        let reply = Call::new("record").path("record", id).send()?;
        if !refusal::is_gone(&reply)
            && let Some(found) = found(json::at(&judged(reply)?, "/data"), Change::Unchanged)
        {
            return Ok(Some(found));
        }
    }
    find(email)
}

fn find(email: &str) -> Result<Option<Found>, Error> {
    let reply = answer(Call::new("find").json(obj! { "filter": obj! { "email_addresses": text::lower(email.trim()) } }))?;
    let rows = json::rows(&reply, "/data");
    Ok(found(rows.first(), Change::Unchanged).map(|found| Found { several: rows.len() > 1, ..found }))
}

fn found(record: Option<&json::Value>, change: Change) -> Option<Found> {
    let record = record?;
    Some(Found { id: json::text(record, "/id/record_id")?, record: record.clone(), change, several: false })
}

/// Creates the person whom nobody found.
fn assert(who: &Person) -> Result<Found, Error> {
    let values = obj! { "email_addresses": [&who.email], "name": name(who).map(|name| vec![name]) };
    let reply = answer(Call::new("assert").json(obj! { "data": obj! { "values": values } }))?;
    // The assert is safe to repeat, so an answer without an id is asked for again rather than given up.
    found(json::at(&reply, "/data"), Change::Created).ok_or_else(|| error::retryable("no-id", "assert: the answer names no record"))
}

/// What is missing on a record: tags, a name where there is none, fields that differ.
pub(crate) fn additions(who: &Person, record: &json::Value, wanted: &[String]) -> json::Value {
    let there = crate::options::on_record(record);
    let missing: Vec<&str> = wanted.iter().filter(|title| !there.iter().any(|held| held.title == **title)).map(String::as_str).collect();
    let mut values = obj! { (crate::options::SLUG): missing };
    let has_name =
        ["/full_name", "/first_name", "/last_name"].iter().any(|part| json::text(record, &format!("/values/name/0{part}")).is_some());
    if !has_name {
        body::put(&mut values, "name", name(who).map(|name| vec![name]));
    }
    // The address is not for mappings to reach, nor is the attribute that holds our tags.
    for field in who.fields.iter().filter(|field| !matches!(field.key.as_str(), "email_addresses" | "name" | crate::options::SLUG)) {
        let wanted = match &field.value {
            Value::Many(items) => body::Json::into_json(items),
            one => body::Json::into_json(vec![body::Json::into_json(one)]),
        };
        let there = values_of(record, &field.key);
        let is_there = |value: &json::Value| there.iter().any(|has| *has == plain(value));
        if !wanted.as_array().is_some_and(|values| values.iter().all(is_there)) {
            body::put(&mut values, &field.key, wanted);
        }
    }
    values
}

/// An object needs all three parts. A text needs one: without a comma it is the first name.
fn name(who: &Person) -> Option<json::Value> {
    match person::names(who) {
        (Some(first), Some(last)) => Some(obj! { "first_name": first, "last_name": last, "full_name": person::full_name(who) }),
        (Some(one), None) | (None, Some(one)) => Some(json::Value::from(one.split(',').map(str::trim).collect::<Vec<_>>().join(" "))),
        (None, None) => None,
    }
}

/// What an attribute holds, as texts. Each type keeps its value under another key.
fn values_of(record: &json::Value, key: &str) -> Vec<String> {
    let value = |row: &json::Value| {
        let places = ["/value", "/option/title", "/status/title", "/currency_value", "/original_phone_number"];
        places.iter().find_map(|place| json::at(row, place)).map(plain)
    };
    json::rows(record, &format!("/values/{key}")).iter().filter_map(value).collect()
}

fn plain(value: &json::Value) -> String {
    value.as_str().map_or_else(|| json::print(value), str::to_owned)
}
