//! Contacts: finding one where nothing is unique, making one once with a lead, and adding what is missing. Never writes the addresses of
//! somebody who is there.

use crm_connector_sdk::{memo, prelude::*, text};

use crate::field::TagField;
use crate::refusal::{answer, is_told, refusal, rows};

/// How many of the contacts with the e-mail are read until one is there: the index may still list the deleted.
const TRIES: usize = 2;

/// The contact, and how many others have the e-mail too.
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
    let found = answer(Call::new("search").json(query(email)))?;
    let mut people: Vec<(String, String)> = rows(&found)?
        .iter()
        .filter(|row| at(row, email).is_some())
        .filter_map(|row| Some((json::text(row, "/date_created").unwrap_or_default(), json::text(row, "/id")?)))
        .collect();
    people.sort_unstable();
    for (gone, (_, id)) in people.iter().enumerate().take(TRIES) {
        if let Some(person) = read(id)? {
            return Ok(Found { person: Some((id.clone(), person)), others: people.len() - 1 - gone });
        }
    }
    Ok(Found { person: None, others: 0 })
}

/// Contacts that have the address among theirs, which Close compares in lower case.
fn query(email: &str) -> json::Value {
    let address = obj! { "type": "regular_field", "object_type": "contact_email", "field_name": "email" };
    let same = obj! { "type": "text", "mode": "exact_value", "value": text::lower(email.trim()) };
    let has_it = obj! {
        "type": "has_related",
        "this_object_type": "contact",
        "related_object_type": "contact_email",
        "related_query": obj! { "type": "field_condition", "field": address, "condition": same },
    };
    let queries = vec![obj! { "type": "object_type", "object_type": "contact" }, has_it];
    obj! { "query": obj! { "type": "and", "queries": queries }, "_fields": obj! { "contact": ["id", "emails", "date_created"] } }
}

/// `None`: deleted, or merged away with its lead.
fn read(id: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("contact").path("id", id).send()?;
    if reply.status() == 404 && is_told(&reply) {
        return Ok(None);
    }
    reply.ok_or(refusal)?.need_json().map(Some)
}

/// Makes a lead with the contact and gives the contact. `None` when it is not known whether they were made, or under which id: then look.
///
/// The memo counts creations whose answer was lost. The host tells each of them once more without sending it; only when the look after
/// the last one and the look at the start of this attempt, some time later, both found nobody, is one more sent. A gateway that failed is
/// no answer either: `unsure` has one attempt do nothing but look.
pub(crate) fn create(job: &Job, field: &TagField, wanted: &[String], known: &mut Known) -> Result<Option<json::Value>, Error> {
    let remembered = memo::read(known);
    let lost = json::number(&remembered, "/lost").unwrap_or_default();
    if remembered["unsure"] == true {
        memo::write(known, &obj! { "lost": lost })?;
        return Err(error::retryable(error::UNKNOWN_OUTCOME, "create: a gateway failed, and the search does not show the contact yet"));
    }
    let (name, company) = (person::full_name(&job.who), job.who.company.clone());
    let mut contact = obj! { "name": &name, "emails": [obj! { "email": &job.who.email }], (field.whole()): wanted };
    fields(job, field, &json::Value::Null, &mut contact);
    let lead = company.or(name).unwrap_or_else(|| job.who.email.clone());
    let body = obj! { "name": lead, "status_id": job.on.picked("status"), "contacts": vec![contact] };
    for turn in 0..=lost {
        match Call::new("create").json(body.clone()).try_send() {
            Err(Unanswered::UnknownOutcome) if turn < lost => {}
            Err(Unanswered::UnknownOutcome) => break,
            Err(why) => return Err(error::unanswered("create", why)),
            Ok(reply) if reply.is_ok() => {
                return Ok(json::at(&reply.json(), "/contacts/0").filter(|made| json::text(made, "/id").is_some()).cloned());
            }
            Ok(reply) => {
                if matches!(reply.status(), 500 | 502 | 504) {
                    memo::write(known, &obj! { "lost": lost, "unsure": true })?;
                }
                return field.judged(reply, &job.set).map(Some);
            }
        }
    }
    memo::write(known, &obj! { "lost": lost + 1 })?;
    Ok(None)
}

/// Writes what is missing on somebody who is there: the name where there is none, fields that differ, and one tag with each call.
pub(crate) fn complete(
    job: &Job,
    field: &TagField,
    wanted: &[String],
    id: &str,
    person: &json::Value,
    known: &mut Known,
) -> Result<Change, Error> {
    let there = field.on(person);
    let mut body = obj! { "name": person::full_name(&job.who).filter(|_| json::text(person, "/name").is_none()) };
    fields(job, field, person, &mut body);
    let mut change = Change::Unchanged;
    for (name, value) in job.set.iter().zip(wanted) {
        if !there.contains(value) {
            body::put(&mut body, &field.key("add"), value);
            update(job, field, id, std::mem::take(&mut body))?;
            body = obj! {};
            change = Change::Updated;
        }
        tags::added(&mut known.tags, std::slice::from_ref(name));
    }
    if body != obj! {} {
        update(job, field, id, body)?;
        change = Change::Updated;
    }
    Ok(change)
}

fn update(job: &Job, field: &TagField, id: &str, body: json::Value) -> Result<(), Error> {
    field.judged(Call::new("update").path("id", id).json(body).send()?, &job.set).map(drop)
}

/// Whether this address of the contact is unsubscribed.
pub(crate) fn standing(person: &json::Value, email: &str) -> Standing {
    match at(person, email).and_then(|address| json::at(address, "/is_unsubscribed")) {
        Some(json::Value::Bool(true)) => Standing::KeptOptedOut,
        Some(json::Value::Bool(false)) => Standing::Normal,
        _ => Standing::Unknown,
    }
}

fn at<'p>(person: &'p json::Value, email: &str) -> Option<&'p json::Value> {
    let wanted = text::lower(email.trim());
    json::rows(person, "/emails").iter().find(|row| json::text(row, "/email").is_some_and(|there| text::lower(there.trim()) == wanted))
}

/// Puts the custom fields that differ into a contact's body.
fn fields(job: &Job, field: &TagField, person: &json::Value, body: &mut json::Value) {
    for mapped in job.who.fields.iter().filter(|mapped| is_mappable(&mapped.key, field)) {
        let value = match &mapped.value {
            Value::Many(parts) => json::Value::from(parts.join(", ")),
            Value::Truth(truth) => json::Value::from(truth.to_string()),
            other => body::Json::into_json(other),
        };
        let key = format!("custom.{}", mapped.key);
        let is_there = person.get(&key) == Some(&value);
        body::put(body, &key, Some(value).filter(|_| !is_there));
    }
}

/// Fields that the merchant made begin with `cf_`. The one that holds our tags is not for mappings to reach.
pub(crate) fn is_mappable(key: &str, field: &TagField) -> bool {
    key.starts_with("cf_") && !key.contains('.') && !field.is(key)
}
