//! People: finding one where several may share an e-mail, making one once, and what is missing on them. Must not touch tags, and never
//! names a subscription.

use crm_connector_sdk::{prelude::*, text};

use crate::refusal::{answer, is_told, refusal, rows};

/// The person, and how many others have the e-mail too.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) person: Option<json::Value>,
    pub(crate) others: usize,
}

/// Somebody who was made, or met while being made.
pub(crate) struct Made {
    pub(crate) person: json::Value,
    pub(crate) is_new: bool,
}

/// By id while it resolves, else by e-mail: a user before a lead, and of several the one made last.
pub(crate) fn find(email: &str, id: Option<&str>) -> Result<Found, Error> {
    if let Some(id) = id
        && let Some(person) = read(id)?
    {
        return Ok(Found { person: Some(person), others: 0 });
    }
    let reply = answer(Call::new("search").json(obj! { "query": obj! { "value": email } }))?;
    let has = |row: &&json::Value| json::text(row, "/email").is_some_and(|there| text::lower(there.trim()) == text::lower(email.trim()));
    let mut people: Vec<json::Value> = rows(&reply)?.iter().filter(has).cloned().collect();
    people.sort_by_key(|person| (json::text(person, "/role").as_deref() == Some("user"), json::number(person, "/created_at")));
    let person = people.pop();
    Ok(Found { person, others: people.len() })
}

/// `None`: deleted, or merged into another.
fn read(id: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("contact").path("id", id).send()?;
    if is_gone(&reply) {
        return Ok(None);
    }
    reply.ok_or(refusal)?.need_json().map(Some)
}

pub(crate) fn is_gone(reply: &Reply) -> bool {
    matches!(reply.status(), 404 | 410) && is_told(reply)
}

/// Makes the user. Whoever has the e-mail already, and was not found because the index lags, is named by the refusal.
pub(crate) fn create(who: &Person) -> Result<Made, Error> {
    let mut body = obj! { "email": &who.email, "name": person::full_name(who) };
    attributes(who, &json::Value::Null, &mut body);
    let reply = Call::new("create").json(body).send()?;
    if reply.status() != 409 || !is_told(&reply) {
        return Ok(Made { person: reply.ok_or(refusal)?.need_json()?, is_new: true });
    }
    let said = json::text(&reply.json(), "/errors/0/message").unwrap_or_default();
    if text::lower(&said).contains("archived") {
        let way = "This person is archived in Intercom, and stays so until you unarchive or delete them there.";
        return Err(error::rejected("email", "archived", format!("{way} {said}")));
    }
    let id: String = said.split("id=").nth(1).unwrap_or_default().chars().take_while(char::is_ascii_alphanumeric).collect();
    let person = if id.is_empty() { None } else { read(&id)? };
    // Several users have the e-mail, or the one that is named has gone: the next search shows who is there.
    let person = person.ok_or_else(|| error::retryable("conflict", status::words(&reply)))?;
    Ok(Made { person, is_new: false })
}

/// What is not there yet: the name where there is none, and attributes that differ.
pub(crate) fn missing(who: &Person, person: &json::Value) -> json::Value {
    let mut body = obj! { "name": person::full_name(who).filter(|_| json::text(person, "/name").is_none()) };
    attributes(who, person, &mut body);
    body
}

pub(crate) fn standing(person: &json::Value) -> Standing {
    let is = |what: &str| json::at(person, what).and_then(json::Value::as_bool);
    match (is("/unsubscribed_from_emails"), is("/marked_email_as_spam")) {
        (Some(true), _) | (_, Some(true)) => Standing::KeptOptedOut,
        (Some(false), _) => Standing::Normal,
        _ => Standing::Unknown,
    }
}

/// Custom attributes are texts, numbers and truths; several options become one text.
fn attributes(who: &Person, person: &json::Value, body: &mut json::Value) {
    let mut custom = obj! {};
    for Field { key, value } in &who.fields {
        let value = match value {
            Value::Many(options) => json::Value::from(options.join(", ")),
            value => body::Json::into_json(value),
        };
        let is_there = json::at(person, "/custom_attributes").and_then(|there| there.get(key)) == Some(&value);
        body::put(&mut custom, key, Some(value).filter(|_| !is_there));
    }
    body::put(body, "custom_attributes", custom);
}
