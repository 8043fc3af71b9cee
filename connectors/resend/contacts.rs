//! Contacts as they are read: who has an address, and what of a person's fields is not there yet. Sends nothing that changes one.

use crm_connector_sdk::{prelude::*, text::lower};

use crate::refusal::{is_nobody, refusal};

/// The contact with this address, or this id; `None` when there is none.
pub(crate) fn find(contact: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").path("contact", contact).send()?;
    if is_nobody(&reply) { Ok(None) } else { reply.ok_or(refusal)?.need_json().map(Some) }
}

/// The contact with this address as typed, or in lower case: whether Resend tells capitals apart is unverified, and creating a contact who is
/// there could subscribe them again.
pub(crate) fn find_spelt(email: &str) -> Result<Option<json::Value>, Error> {
    let lower = lower(email);
    match find(email)? {
        None if lower != email => find(&lower),
        found => Ok(found),
    }
}

pub(crate) fn id_of(contact: &json::Value) -> Result<String, Error> {
    json::text(contact, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no contact"))
}

/// The custom fields, as text or numbers, without those that are so already. A property is read as its value, or as type and value.
pub(crate) fn properties(who: &Person, found: Option<&json::Value>) -> json::Value {
    let mut properties = obj! {};
    for Field { key, value } in &who.fields {
        let value: json::Value = match value {
            Value::Many(items) => items.join(", ").into(),
            Value::Truth(truth) => truth.to_string().into(),
            value => body::Json::into_json(value),
        };
        let places = [format!("/properties/{key}/value"), format!("/properties/{key}")];
        let there = found.and_then(|found| places.iter().find_map(|place| json::text(found, place)));
        if there.is_none() || there != json::text(&value, "") {
            body::put(&mut properties, key, value);
        }
    }
    properties
}
