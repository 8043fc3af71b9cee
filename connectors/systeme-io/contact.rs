//! A contact on the wire: the look by e-mail or id, tags, status, and fields by slug. Writes nothing.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::refusal::{answer, is_told, items, judged};

/// Where the vendor keeps names.
const FIRST: &str = "first_name";
const LAST: &str = "surname";

/// Somebody whom Systeme.io knows.
pub(crate) struct Contact {
    pub id: String,
    /// Id and name of each tag.
    tags: Vec<(String, String)>,
    /// Slug and value of each field that has one.
    fields: Vec<(String, String)>,
    standing: Standing,
}

/// The contact with this e-mail. The filter is for the exact address.
pub(crate) fn find(email: &str) -> Result<Option<Contact>, Error> {
    let page = answer(Call::new("find").query("email", email))?;
    let rows = items(&page, "find")?;
    let same = |row: &&json::Value| json::text(row, "/email").is_some_and(|theirs| lower(&theirs) == lower(email.trim()));
    match rows.iter().find(same) {
        Some(row) => Contact::read(row).map(Some).ok_or_else(|| error::retryable("no-id", "find: the answer names no contact")),
        None if rows.is_empty() => Ok(None),
        // Nobody else may be taken for the affiliate, and what was not asked for is no proof that nobody is there.
        None => Err(error::retryable("other-contact", "find: the answer holds contacts with other addresses only")),
    }
}

/// The contact of this id; `None` when it is gone.
pub(crate) fn known_contact(id: &str) -> Result<Option<Contact>, Error> {
    let reply = Call::new("contact").path("id", id).send()?;
    if reply.status() == 404 && is_told(&reply) {
        return Ok(None);
    }
    Contact::read(&judged(reply)?).map(Some).ok_or_else(|| error::retryable("no-id", "contact: the answer names no contact"))
}

impl Contact {
    pub(crate) fn read(contact: &json::Value) -> Option<Self> {
        let pairs = |list: &str, key: &str, value: &str| {
            let pair = |row: &json::Value| Some((json::text(row, key)?, json::text(row, value)?));
            json::rows(contact, list).iter().filter_map(pair).collect()
        };
        let is = |flag: &str| json::at(contact, flag) == Some(&json::Value::Bool(true));
        let standing = match () {
            () if is("/unsubscribed") => Standing::KeptOptedOut,
            () if is("/needsConfirmation") => Standing::Pending,
            // Bounced, or an answer that does not say.
            () if is("/bounced") || json::at(contact, "/unsubscribed").is_none() => Standing::Unknown,
            () => Standing::Normal,
        };
        let (tags, fields) = (pairs("/tags", "/id", "/name"), pairs("/fields", "/slug", "/value"));
        Some(Self { id: json::text(contact, "/id")?, tags, fields, standing })
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    pub(crate) fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|(id, _)| id == tag)
    }

    /// The id of this tag, if the contact has it: the one that was prepared, else one of that name.
    pub(crate) fn tag_of(&self, tag: &str, prepared: &[Binding]) -> Option<&str> {
        let ours = prepared.iter().find(|bound| bound.name == tag).and_then(|bound| bound.id.as_ref());
        let is_it = |id: &String, name: &str| ours.map_or_else(|| lower(name.trim()) == lower(tag.trim()), |ours| ours == id);
        self.tags.iter().find(|(id, name)| is_it(id, name)).map(|(id, _)| id.as_str())
    }

    fn value(&self, slug: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == slug).map(|(_, value)| value.as_str())
    }
}

/// Names and mapped fields, each with its slug. A blank value would be refused, and none is sent.
pub(crate) fn wanted(who: &Person) -> Vec<json::Value> {
    values(who).into_iter().map(|(slug, value)| obj! { "slug": slug, "value": value }).collect()
}

/// What a contact lacks: names that are empty there, and mapped fields that differ.
pub(crate) fn missing(who: &Person, there: &Contact) -> Vec<json::Value> {
    let lacks = |(slug, value): &(String, String)| match there.value(slug) {
        Some(theirs) => theirs != value && slug != FIRST && slug != LAST,
        None => true,
    };
    values(who).into_iter().filter(lacks).map(|(slug, value)| obj! { "slug": slug, "value": value }).collect()
}

fn values(who: &Person) -> Vec<(String, String)> {
    let (first, last) = person::names(who);
    let names = [(FIRST, first), (LAST, last)].into_iter().filter_map(|(slug, name)| Some((slug.to_owned(), name?)));
    let text = |value: &Value| match value {
        Value::Text(text) | Value::Number(text) | Value::Date(text) => text.clone(),
        Value::Truth(truth) => truth.to_string(),
        Value::Many(items) => items.join(", "),
    };
    let fields = who.fields.iter().filter(|field| is_field(&field.key)).map(|field| (field.key.clone(), text(&field.value)));
    names.chain(fields.filter(|(_, value)| !crm_connector_sdk::text::is_blank(value))).collect()
}

pub(crate) fn dropped(who: &Person) -> impl Iterator<Item = &String> {
    who.fields.iter().map(|field| &field.key).filter(|key| !is_field(key))
}

/// A slug that is not one of the names.
fn is_field(key: &str) -> bool {
    !key.is_empty() && key != FIRST && key != LAST && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

pub(crate) fn field_choices() -> Result<Page, Error> {
    let fields = answer(Call::new("fields"))?;
    let choice = |row: &json::Value| {
        let slug = json::text(row, "/slug").filter(|slug| is_field(slug))?;
        Some(Choice::new(slug.clone(), json::text(row, "/fieldName").unwrap_or(slug)))
    };
    Ok(Page { items: items(&fields, "fields")?.iter().filter_map(choice).collect(), next: None })
}
