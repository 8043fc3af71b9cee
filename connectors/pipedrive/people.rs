//! Finding one person where nothing is unique, and making them once. Must not touch labels except through [`Carrier`].

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::{memo, text};

use crate::labels::Carrier;
use crate::refusal::{answer, judged};

/// How many of the people with the e-mail are read until one is there: the index may still list the deleted.
const TRIES: usize = 2;

/// The person, and how many others have the e-mail too.
pub(crate) struct Found {
    pub(crate) person: Option<(String, json::Value)>,
    pub(crate) others: usize,
}

/// By id while it resolves; else the oldest with this e-mail.
pub(crate) fn find(email: &str, id: Option<&str>) -> Result<Found, Error> {
    if let Some(id) = id
        && let Some(person) = read(id)?
    {
        return Ok(Found { person: Some((id.to_owned(), person)), others: 0 });
    }
    let reply = answer(Call::new("search").query("term", email.trim()))?;
    let wanted = text::lower(email.trim());
    let has = |row: &&json::Value| {
        json::rows(row, "/item/emails").iter().filter_map(json::Value::as_str).any(|mail| text::lower(mail.trim()) == wanted)
    };
    let mut ids: Vec<u64> =
        json::rows(&reply, "/data/items").iter().filter(has).filter_map(|row| json::text(row, "/item/id")?.parse().ok()).collect();
    ids.sort_unstable();
    ids.dedup();
    for (gone, id) in ids.iter().map(u64::to_string).enumerate().take(TRIES) {
        if let Some(person) = read(&id)? {
            return Ok(Found { person: Some((id, person)), others: ids.len() - 1 - gone });
        }
    }
    Ok(Found { person: None, others: 0 })
}

/// `None`: deleted, or merged into another.
fn read(id: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("person").path("id", id).send()?;
    if matches!(reply.status(), 404 | 410) {
        return Ok(None);
    }
    let person = json::at(&judged(reply)?, "/data").cloned().unwrap_or_default();
    // Deleted people can be read for thirty days.
    Ok((json::at(&person, "/is_deleted") != Some(&json::Value::Bool(true))).then_some(person))
}

/// Makes the person. `None` when it is not known whether they were made, or under which id: then look.
///
/// The memo counts creations whose answer was lost. The host tells each of them once more without sending it; only when the look after
/// the last one and the look at the start of this attempt, some time later, both found nobody, is one more sent.
pub(crate) fn create(job: &Job, carrier: &Carrier, wanted: &[String], known: &mut Known) -> Result<Option<json::Value>, Error> {
    let who = &job.who;
    let name = person::full_name(who).unwrap_or_else(|| who.email.clone());
    let owner = job.on.picked("owner").and_then(|id| id.parse::<u64>().ok());
    let mut body = obj! { "name": name, "emails": [obj! { "value": &who.email }], "owner_id": owner };
    if !wanted.is_empty() {
        carrier.put(&mut body, wanted);
    }
    fields(job, carrier, &json::Value::Null, &mut body);
    let lost = json::number(&memo::read(known), "/lost").unwrap_or_default();
    for turn in 0..=lost {
        match Call::new("create").json(body.clone()).try_send() {
            Err(Unanswered::UnknownOutcome) if turn < lost => {}
            Err(Unanswered::UnknownOutcome) => break,
            Err(why) => return Err(error::unanswered("create", why)),
            Ok(reply) => {
                let body = reply.json();
                let is_made = reply.is_ok() && json::at(&body, "/success") != Some(&json::Value::Bool(false));
                return match json::at(&body, "/data").filter(|person| json::text(person, "/id").is_some()) {
                    Some(person) if is_made => Ok(Some(person.clone())),
                    _ if is_made => Ok(None),
                    _ => judged(reply).map(|_| None),
                };
            }
        }
    }
    memo::write(known, &obj! { "lost": lost + 1 })?;
    Ok(None)
}

/// What is missing on somebody who is there: labels as the union, fields that differ, and the name where there is none.
pub(crate) fn additions(job: &Job, carrier: &Carrier, wanted: &[String], person: &json::Value) -> json::Value {
    let mut body = obj! {};
    let mut ids = carrier.on(person);
    let there = ids.len();
    ids.extend(wanted.iter().filter(|id| !carrier.on(person).contains(id)).cloned());
    if ids.len() > there {
        carrier.put(&mut body, &ids);
    }
    // The e-mail stands for the name of somebody who gave none.
    if json::text(person, "/name").is_none_or(|name| name == job.who.email) {
        body::put(&mut body, "name", person::full_name(&job.who));
    }
    fields(job, carrier, person, &mut body);
    body
}

/// Puts the custom fields that differ into a person's body.
fn fields(job: &Job, carrier: &Carrier, person: &json::Value, body: &mut json::Value) {
    for field in job.who.fields.iter().filter(|field| is_custom(&field.key, carrier)) {
        let value = match &field.value {
            Value::Many(parts) => json::Value::from(parts.join(", ")),
            Value::Truth(truth) => json::Value::from(truth.to_string()),
            // The type `date` takes a day and no time.
            Value::Date(date) => json::Value::from(date.chars().take(10).collect::<String>()),
            other => body::Json::into_json(other),
        };
        let is_there = json::at(person, "/custom_fields").and_then(|fields| fields.get(&field.key)) == Some(&value);
        if let (Some(value), false) = (body::tidy(value), is_there) {
            body["custom_fields"][&field.key] = value;
        }
    }
}

/// Fields that the merchant made are named by forty hex digits. The one that holds our tags is not for mappings to reach.
pub(crate) fn is_custom(key: &str, carrier: &Carrier) -> bool {
    key.len() == 40 && key.bytes().all(|b| b.is_ascii_hexdigit()) && !carrier.is(key)
}
