//! Contacts: the look by e-mail, making, filling in, moving to another address, and how someone stands. Knows no tag names.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text;

use crate::refusal::{judged, need, told};

/// The vendor's cap on first and last names, in characters.
const MAX_NAME: usize = 40;

/// The contact to use, and whether others share its address.
pub(crate) struct Found {
    pub contact: json::Value,
    pub several: bool,
}

/// Whom the job is about: by the address, by the one before it, else the one we know by id, whose address was changed in Keap. Without the
/// last a second contact would be made under an address that the merchant has replaced.
pub(crate) fn someone(who: &Person, known: &Known) -> Result<Option<Found>, Error> {
    let mut found = find(&who.email, known)?;
    if let (None, Some(old)) = (&found, person::previous_email(who)) {
        found = find(old, known)?;
    }
    if let (None, Some(id)) = (&found, &known.contact_id) {
        found = by_id(id)?.map(|contact| Found { contact, several: false });
    }
    Ok(found)
}

/// The contact that has this address: the one we know, else the oldest.
pub(crate) fn find(email: &str, known: &Known) -> Result<Option<Found>, Error> {
    if email.contains(['*', ';']) {
        return Err(error::rejected(
            "email",
            "filter",
            "Keap's search takes * and ; as its own signs, so this address cannot be looked for",
        ));
    }
    let body = judged(Call::new("find").query("filter", format!("email=={email}")).send()?)?.need_json()?;
    // Without the list it is no empty list: it could hide that someone is there.
    let rows = json::at(&body, "/contacts").and_then(json::Value::as_array);
    let rows = rows.ok_or_else(|| error::retryable("no-rows", "find: the answer has no contacts"))?;
    let ours: Vec<&json::Value> = rows.iter().filter(|contact| entry_of(contact, email).is_some()).collect();
    if ours.is_empty() && !rows.is_empty() {
        return Err(error::retryable("other-rows", "find: the answer names contacts, and none has this address"));
    }
    let mut best: Option<(String, &json::Value)> = None;
    for contact in &ours {
        let id = json::text(contact, "/id").unwrap_or_default();
        if known.contact_id.as_ref() == Some(&id) {
            best = Some((id, contact));
            break;
        }
        // Ids are digits: the shorter is the smaller.
        if best.as_ref().is_none_or(|(least, _)| id.len() < least.len() || (id.len() == least.len() && id < *least)) {
            best = Some((id, contact));
        }
    }
    Ok(best.map(|(_, contact)| Found { contact: contact.clone(), several: ours.len() > 1 }))
}

/// The contact of this id; `None` when it was deleted or merged.
fn by_id(id: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("contact").path("id", id).send()?;
    if reply.status() == 404 && told(&reply).is_some() {
        return Ok(None);
    }
    judged(reply)?.need_json().map(Some)
}

/// Makes a contact that the look has not found, and says whether it is new: somebody may have been faster (200).
pub(crate) fn create(job: &Job) -> Result<(json::Value, bool), Error> {
    let (first, last) = person::names(&job.who);
    let reason = if job.on.is_on("opt_in") && may_opt_in(&job.who.email)? { job.on.setting("opt_in_reason") } else { None };
    let fields: Vec<json::Value> = job.who.fields.iter().filter(|field| is_custom(&field.key)).map(custom).collect();
    let contact = obj! {
        "given_name": first.map(cut), "family_name": last.map(cut), "custom_fields": fields,
        "email_addresses": vec![obj! { "email": &job.who.email, "field": "EMAIL1", "opt_in_reason": reason }],
    };
    let reply = judged(Call::new("create").json(contact).send()?)?;
    let made = reply.status() != 200;
    Ok((reply.need_json()?, made))
}

/// Whether the address may be marked as marketable: it is unknown, or was never opted out. Statuses outlive contacts.
fn may_opt_in(email: &str) -> Result<bool, Error> {
    let reply = Call::new("address").path("email", email).send()?;
    if reply.status() == 404 && told(&reply).is_some() {
        return Ok(true);
    }
    let status = need(&judged(reply)?.need_json()?, "/status")?;
    Ok(never_asked(&status) || is_marketable(&status))
}

/// Writes the names that the contact lacks; says whether there was something to write.
pub(crate) fn fill(contact: &json::Value, who: &Person) -> Result<bool, Error> {
    let (first, last) = person::names(who);
    let mut call = Call::new("fill").path("id", need(contact, "/id")?);
    let mut names = obj! {};
    for (key, name) in [("given_name", first), ("family_name", last)] {
        if let (None, Some(name)) = (json::text(contact, &format!("/{key}")), name) {
            call = call.query("update_mask", key);
            body::put(&mut names, key, cut(name));
        }
    }
    if names == obj! {} {
        return Ok(false);
    }
    judged(call.json(names).send()?)?;
    Ok(true)
}

/// The address that the affiliate has replaced, where the contact has it still and has not the new one.
pub(crate) fn replaced<'w>(contact: &json::Value, who: &'w Person) -> Option<&'w str> {
    person::previous_email(who).filter(|old| entry_of(contact, &who.email).is_none() && entry_of(contact, old).is_some())
}

/// Puts the new address in the old one's place. The vendor removes addresses that are not listed, so all are.
pub(crate) fn moved(contact: &json::Value, old: &str, new: &str) -> Result<json::Value, Error> {
    let address = |entry: &json::Value| {
        let email = json::text(entry, "/email").filter(|email| !same(email, old)).unwrap_or_else(|| new.to_owned());
        obj! { "email": email, "field": json::text(entry, "/field") }
    };
    let filled = json::rows(contact, "/email_addresses").iter().filter(|entry| json::text(entry, "/email").is_some());
    let addresses: Vec<json::Value> = filled.map(address).collect();
    let reply = Call::new("move").path("id", need(contact, "/id")?).json(obj! { "email_addresses": addresses }).send()?;
    let answer = judged(reply)?.need_json()?;
    // Names and tags as the look has shown them: an answer that leaves them out must not make them look blank.
    let mut after = contact.clone();
    after["email_addresses"] = answer["email_addresses"].clone();
    Ok(after)
}

/// True when the contact has the tag; `None` when the answer does not say which tags there are.
pub(crate) fn has_tag(contact: &json::Value, tag: &str) -> Option<bool> {
    let listed = json::at(contact, "/tag_ids")?;
    Some(json::rows(listed, "").iter().any(|id| json::text(id, "").as_deref() == Some(tag)))
}

/// How the address stands. Statuses that are neither an opt-in nor an opt-out (not marketable yet, bounced) say nothing about the
/// person's will.
pub(crate) fn standing(contact: &json::Value, email: &str) -> Standing {
    match status_of(contact, email).as_deref() {
        Some(status) if is_marketable(status) => Standing::Normal,
        Some("MANUAL" | "ADMIN" | "SYSTEM" | "LIST_UNSUBSCRIBE" | "FEEDBACK" | "SPAM" | "LOCKDOWN" | "DEACTIVATED") => {
            Standing::KeptOptedOut
        }
        _ => Standing::Unknown,
    }
}

/// True when Keap notes no opt-in for the address, and so sends it no marketing e-mail.
pub(crate) fn is_unmarketable(contact: &json::Value, email: &str) -> bool {
    status_of(contact, email).as_deref().is_some_and(never_asked)
}

/// Which names were cut to the vendor's length: only where they were written.
pub(crate) fn cut_names(who: &Person, contact: &json::Value, is_new: bool) -> Vec<&'static str> {
    let (first, last) = person::names(who);
    let mut shortened = Vec::new();
    for (ours, at, name) in [("first", "/given_name", first), ("last", "/family_name", last)] {
        let written = is_new || json::text(contact, at).is_none();
        if written && name.is_some_and(|name| name.chars().count() > MAX_NAME) {
            shortened.push(ours);
        }
    }
    shortened
}

/// Custom fields are known by number; the rest are Keap's own.
pub(crate) fn is_custom(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit())
}

/// Several options are separated by commas and yes is 1, as everywhere else in Keap (unverified for this call).
fn custom(field: &Field) -> json::Value {
    match &field.value {
        Value::Many(options) => obj! { "id": &field.key, "content": options.join(",") },
        Value::Truth(truth) => obj! { "id": &field.key, "content": u32::from(*truth) },
        value => obj! { "id": &field.key, "content": value },
    }
}

fn entry_of<'a>(contact: &'a json::Value, email: &str) -> Option<&'a json::Value> {
    json::rows(contact, "/email_addresses").iter().find(|entry| json::text(entry, "/email").is_some_and(|theirs| same(&theirs, email)))
}

fn status_of(contact: &json::Value, email: &str) -> Option<String> {
    entry_of(contact, email).and_then(|entry| json::text(entry, "/email_opt_status"))
}

/// Nobody opted in or out so far.
fn never_asked(status: &str) -> bool {
    matches!(status, "UNENGAGED_NON_MARKETABLE" | "NON_MARKETABLE")
}

fn is_marketable(status: &str) -> bool {
    matches!(status, "UNENGAGED_MARKETABLE" | "SINGLE_OPT_IN" | "DOUBLE_OPT_IN" | "CONFIRMED")
}

fn same(a: &str, b: &str) -> bool {
    text::lower(a.trim()) == text::lower(b.trim())
}

fn cut(name: String) -> String {
    name.chars().take(MAX_NAME).collect()
}
