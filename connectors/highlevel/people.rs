//! Finding one contact, and making or completing it. Must not send an e-mail to somebody who is there, but for one that changed.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text;

use crate::refusal::{answer, is_gone, judged};

/// A contact that was found, completed or made.
pub(crate) struct Brought {
    pub(crate) id: String,
    /// As the vendor showed it.
    pub(crate) contact: json::Value,
    pub(crate) change: Change,
    /// The e-mail changed, but the contact's main address is one of the merchant's, so it stayed.
    pub(crate) keeps_address: bool,
}

/// `known` learns the id before anything is written.
pub(crate) fn bring(job: &Job, known: &mut Known) -> Result<Brought, Error> {
    let (on, who) = (&job.on, &job.who);
    let id = known.contact_id.clone();
    let (there, former) = match person::previous_email(who) {
        None => (locate(on, &who.email, id.as_deref())?, None),
        // Where somebody has the new address already, that contact counts and the old one is left as it is.
        Some(old) => match find(on, &who.email)? {
            Some(contact) => (Some(contact), None),
            None => (locate(on, old, id.as_deref())?, Some(old)),
        },
    };
    let mut keeps_address = false;
    let (contact, change) = match there {
        None => save(on, who, known)?,
        Some(contact) => {
            known.contact_id = json::text(&contact, "/id");
            keeps_address = former.is_some_and(|old| has_another_address(&contact, [old, &who.email]));
            let call = if former.is_some() && !keeps_address { "move" } else { "update" };
            complete(call, who, contact, known)?
        }
    };
    // Each of these calls may be repeated, so an answer without an id is asked for again rather than given up.
    let id = json::text(&contact, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no contact"))?;
    known.contact_id = Some(id.clone());
    Ok(Brought { id, contact, change, keeps_address })
}

/// The main address is neither of ours: the merchant chose it, ours being a second one. An address that is sent would replace it, and
/// no call could bring it back.
fn has_another_address(contact: &json::Value, ours: [&str; 2]) -> bool {
    let same = |address: &str, ours: &&str| text::lower(address.trim()) == text::lower(ours.trim());
    json::text(contact, "/email").is_some_and(|address| !ours.iter().any(|ours| same(&address, ours)))
}

/// By id while it resolves; else whoever has this e-mail.
pub(crate) fn locate(on: &Connection, email: &str, id: Option<&str>) -> Result<Option<json::Value>, Error> {
    if let Some(id) = id {
        let reply = Call::new("contact").path("contact", id).send()?;
        if !is_gone(&reply)
            && let Some(contact) = contact_in(&judged(reply)?)
        {
            return Ok(Some(contact));
        }
    }
    find(on, email)
}

/// The id of whoever has the e-mail now, or had it before a change.
pub(crate) fn by_emails(job: &Job) -> Result<Option<String>, Error> {
    let mut contact = find(&job.on, &job.who.email)?;
    if let (None, Some(old)) = (&contact, person::previous_email(&job.who)) {
        contact = find(&job.on, old)?;
    }
    Ok(contact.and_then(|contact| json::text(&contact, "/id")))
}

fn find(on: &Connection, email: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").query_opt("locationId", on.setting("location_id")).query("email", email.trim()).send()?;
    if is_gone(&reply) { Ok(None) } else { judged(reply).map(|reply| contact_in(&reply)) }
}

fn contact_in(reply: &json::Value) -> Option<json::Value> {
    json::at(reply, "/contact").filter(|contact| json::text(contact, "/id").is_some()).cloned()
}

/// Creates the contact that nobody found.
fn save(on: &Connection, who: &Person, known: &mut Known) -> Result<(json::Value, Change), Error> {
    let (first, last) = person::names(who);
    let mut body = obj! { "locationId": on.setting("location_id"), "email": &who.email, "firstName": first, "lastName": last };
    body::put(&mut body, "customFields", fields(who, &json::Value::Null));
    let reply = Call::new("save").json(body).send()?;
    if let Some(id) = taken_by(&reply) {
        return theirs(id, who, known);
    }
    let saved = judged(reply)?;
    let change = if json::at(&saved, "/new") == Some(&json::Value::Bool(false)) { Change::Updated } else { Change::Created };
    Ok((json::at(&saved, "/contact").cloned().unwrap_or_default(), change))
}

/// Fills what is blank, and with the call `move` gives the new address; nothing is sent where nothing is missing.
fn complete(call: &str, who: &Person, contact: json::Value, known: &mut Known) -> Result<(json::Value, Change), Error> {
    let mut body = additions(who, &contact);
    if call == "move" {
        body::put(&mut body, "email", &who.email);
    }
    if body == obj! {} {
        return Ok((contact, Change::Unchanged));
    }
    let reply = Call::new(call).path("contact", json::text(&contact, "/id").unwrap_or_default()).json(body).send()?;
    if let Some(id) = taken_by(&reply).filter(|_| call == "move") {
        return theirs(id, who, known);
    }
    judged(reply)?;
    Ok((contact, Change::Updated))
}

/// Who has the address after all, though the search did not show them: the refusal names the contact.
fn taken_by(reply: &Reply) -> Option<String> {
    if reply.status() == 400 { json::text(&reply.json(), "/meta/contactId") } else { None }
}

/// That contact counts. It is read first: what it has must not be written again, and it may have opted out.
fn theirs(id: String, who: &Person, known: &mut Known) -> Result<(json::Value, Change), Error> {
    let reply = answer(Call::new("contact").path("contact", &id))?;
    known.contact_id = Some(id);
    let contact = contact_in(&reply).ok_or_else(|| error::retryable("no-id", "contact: the answer names no contact"))?;
    complete("update", who, contact, known)
}

fn additions(who: &Person, contact: &json::Value) -> json::Value {
    let (first, last) = person::names(who);
    let blank = |name: Option<String>, key: &str| name.filter(|_| json::text(contact, key).is_none());
    let mut body = obj! { "firstName": blank(first, "/firstName"), "lastName": blank(last, "/lastName") };
    body::put(&mut body, "customFields", fields(who, contact));
    body
}

/// The custom fields that differ from what the contact has.
fn fields(who: &Person, contact: &json::Value) -> Vec<json::Value> {
    let there = json::rows(contact, "/customFields");
    let write = |field: &Field| {
        let value = match &field.value {
            Value::Truth(truth) => json::Value::from(truth.to_string()),
            other => body::Json::into_json(other),
        };
        let value = body::tidy(value)?;
        let is_there =
            there.iter().any(|row| json::text(row, "/id").as_deref() == Some(&field.key) && json::at(row, "/value") == Some(&value));
        (!is_there).then(|| obj! { "id": &field.key, "field_value": value })
    };
    who.fields.iter().filter_map(write).collect()
}

/// The tags on a contact, as [`wire`] spells them.
pub(crate) fn tags(contact: &json::Value) -> Vec<String> {
    json::rows(contact, "/tags").iter().filter_map(json::Value::as_str).map(wire).collect()
}

/// As the vendor keeps tags.
pub(crate) fn wire(tag: &str) -> String {
    text::lower(tag.trim())
}

/// Do Not Disturb is the vendor's word for opted out: for all channels, or for e-mail.
pub(crate) fn standing(contact: &json::Value) -> Standing {
    let email = json::text(contact, "/dndSettings/Email/status");
    let is_off = |key: &str| json::at(contact, key) == Some(&json::Value::Bool(true));
    if is_off("/dnd") || is_off("/unsubscribeEmail") || matches!(email.as_deref(), Some("active" | "permanent")) {
        return Standing::KeptOptedOut;
    }
    if email.is_none() && json::at(contact, "/dnd").is_none() { Standing::Unknown } else { Standing::Normal }
}
