//! Contacts: how one is written, found and read. Never touches suppressions, it only asks whether somebody is among them.

use crm_connector_sdk::prelude::*;

use crate::refusal::judged;

/// Longest first or last name, in characters.
const MAX_NAME: usize = 50;

/// The contact as SendGrid wants it. Identifiers that it already has are repeated, or it would not be updated.
pub(crate) fn contact(who: &Person, found: Option<&json::Value>) -> json::Value {
    let (first, last) = person::names(who);
    let mut fields = obj! {};
    for Field { key, value } in &who.fields {
        match value {
            Value::Date(d) if d.len() > 9 && d.is_ascii() => body::put(&mut fields, key, [&d[5..7], &d[8..10], &d[..4]].join("/")),
            Value::Truth(truth) => body::put(&mut fields, key, truth.to_string()),
            Value::Many(many) => body::put(&mut fields, key, many.join(", ")),
            value => body::put(&mut fields, key, value),
        }
    }
    let has = |what: &str| found.and_then(|found| json::text(found, what));
    obj! {
        // Found by an alternate address, it keeps its own: else a second contact would be made.
        "email": has("/email").unwrap_or_else(|| who.email.clone()), "first_name": first.as_deref().map(cut), "custom_fields": fields,
        "last_name": last.as_deref().map(cut), "phone_number_id": has("/phone_number_id"), "external_id": has("/external_id"),
        "anonymous_id": has("/anonymous_id"),
    }
}

/// Our names of the parts of a name that SendGrid holds only in part.
pub(crate) fn shortened(who: &Person) -> Vec<&'static str> {
    let (first, last) = person::names(who);
    let long = |name: &Option<String>| name.as_ref().is_some_and(|name| cut(name) != *name);
    [("first", first), ("last", last)].into_iter().filter(|(_, name)| long(name)).map(|(what, _)| what).collect()
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

/// The contact that has this address, as its own or as an alternate one. 400: no address in SendGrid's eyes, so nobody has it.
pub(crate) fn find(email: &str, known: &mut Known) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").json(obj! { "emails": [email] }).send()?;
    if matches!(reply.status(), 400 | 404) {
        return Ok(None);
    }
    let found = judged(reply)?;
    let hits = json::at(&found, "/result").and_then(json::Value::as_object);
    let contact = hits.and_then(|hits| hits.values().find_map(|hit| json::at(hit, "/contact"))).cloned();
    known.contact_id = contact.as_ref().and_then(|contact| json::text(contact, "/id")).or(known.contact_id.take());
    Ok(contact)
}

pub(crate) fn lists_of(contact: &json::Value) -> Vec<String> {
    json::rows(contact, "/list_ids").iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// Whether the person unsubscribed from everything. Only said where the key may ask; never a reason to fail.
pub(crate) fn standing(email: &str) -> Standing {
    match Call::new("optout").path("email", email).send().ok().filter(Reply::is_ok).map(|reply| reply.json()) {
        Some(told) if json::text(&told, "/recipient_email").is_some() => Standing::KeptOptedOut,
        Some(json::Value::Object(_)) => Standing::Normal,
        _ => Standing::Unknown,
    }
}
