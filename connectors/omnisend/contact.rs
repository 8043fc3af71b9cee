//! A contact on the wire: the look by e-mail, what of it is missing, and how a new one is written. Sends nothing but the look.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::moment::rfc3339;
use crate::refusal::answer;

/// The contact with this e-mail, in whatever status.
pub(crate) fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let page = answer(Call::new("find").query("email", email))?;
    let rows = json::at(&page, "/contacts").and_then(json::Value::as_array);
    let rows = rows.ok_or_else(|| error::retryable("no-data", "find: the answer holds no list of contacts"))?;
    let found = rows.iter().find(|row| address(row, email).is_some());
    if found.is_none() && !rows.is_empty() {
        // Nobody else may be taken for the affiliate, and what was not asked for is no proof that nobody is there.
        return Err(error::retryable("other-contact", "find: the answer holds contacts with other addresses only"));
    }
    Ok(found.cloned())
}

/// This address as the contact has it: in older versions of the API capitals made another address.
pub(crate) fn address(contact: &json::Value, email: &str) -> Option<String> {
    let identifiers = json::rows(contact, "/identifiers").iter().filter(|identifier| identifier["type"] == "email");
    let mut emails = json::text(contact, "/email").into_iter().chain(identifiers.filter_map(|identifier| json::text(identifier, "/id")));
    emails.find(|theirs| lower(theirs.trim()) == lower(email.trim()))
}

/// The tags that a contact has.
pub(crate) fn on_contact(contact: &json::Value) -> Vec<String> {
    json::rows(contact, "/tags").iter().filter_map(|tag| json::text(tag, "")).collect()
}

/// The tag as the contact has it. Whether the vendor keeps the case of letters is not documented, so an exact match comes first.
pub(crate) fn spelled<'a>(on: &'a [String], tag: &str) -> Option<&'a String> {
    on.iter().find(|there| *there == tag).or_else(|| on.iter().find(|there| lower(there.trim()) == lower(tag.trim())))
}

/// By the channel of this very address; the contact's own status is that of its first address.
pub(crate) fn standing(contact: &json::Value, email: &str) -> Standing {
    let mut identifiers = json::rows(contact, "/identifiers").iter();
    let own = identifiers.find(|identifier| json::text(identifier, "/id").is_some_and(|id| lower(&id) == lower(email.trim())));
    let status = own.and_then(|identifier| json::text(identifier, "/channels/email/status")).or_else(|| json::text(contact, "/status"));
    match status.as_deref() {
        Some("subscribed") => Standing::Normal,
        Some("unsubscribed") => Standing::KeptOptedOut,
        // `nonSubscribed`: neither joined nor left.
        _ => Standing::Unknown,
    }
}

/// Somebody whom Omnisend does not know yet.
pub(crate) fn newcomer(job: &Job) -> json::Value {
    let who = &job.who;
    let consent = who.consent.as_ref();
    let subscribe = match job.on.setting("new_contacts") {
        Some("all") => true,
        Some("none") => false,
        _ => consent.is_some(),
    };
    // The moment of consent, not of this call: who unsubscribed since has the newer status.
    let agreed = consent.map_or(who.approved_at, |consent| consent.at);
    let email = obj! {
        "status": if subscribe { "subscribed" } else { "nonSubscribed" },
        "statusChangedAt": rfc3339(agreed).filter(|_| subscribe),
    };
    let proof = consent.map(|consent| obj! { "source": &consent.source, "createdAt": rfc3339(consent.at), "ip": &consent.ip });
    let identifier = obj! { "id": &who.email, "channels": obj! { "email": email }, "consent": proof };
    let (first, last) = person::names(who);
    obj! { "identifiers": [identifier], "firstName": first, "lastName": last, "tags": &job.set, "customProperties": properties(who) }
}

/// What a contact lacks: names that are empty there, and properties that differ. The others are said again, because whether writing
/// some properties replaces the rest is not documented.
pub(crate) fn additions(who: &Person, there: &json::Value) -> json::Value {
    let (first, last) = person::names(who);
    let gap = |path: &str, name: Option<String>| name.filter(|_| json::text(there, path).is_none());
    let mut body = obj! { "firstName": gap("/firstName", first), "lastName": gap("/lastName", last) };
    let (ours, mut all) = (properties(who), json::at(there, "/customProperties").cloned().unwrap_or_else(|| obj! {}));
    let differs = |key: &String, value: &json::Value| all.get(key) != Some(value);
    if ours.as_object().is_some_and(|ours| ours.iter().any(|(key, value)| differs(key, value))) {
        if let (Some(all), json::Value::Object(ours)) = (all.as_object_mut(), ours) {
            all.extend(ours);
        }
        body::put(&mut body, "customProperties", all);
    }
    body
}

fn properties(who: &Person) -> json::Value {
    let mut properties = obj! {};
    for field in who.fields.iter().filter(|field| is_name(&field.key)) {
        body::put(&mut properties, &field.key, &field.value);
    }
    properties
}

/// Fields whose names Omnisend's own software does not let through.
pub(crate) fn dropped(who: &Person) -> impl Iterator<Item = &String> {
    who.fields.iter().map(|field| &field.key).filter(|key| !is_name(key))
}

fn is_name(key: &str) -> bool {
    (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
