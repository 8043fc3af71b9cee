//! Contact attributes: which there are, which hold names, the one that stands in for tags, and what of a person is written. Sends nothing
//! that changes a contact.

use crm_connector_sdk::prelude::*;

use crate::refusal::{answer, code, refusal};

/// Brevo has no tags on contacts: this text, with commas between the names, stands in for them.
pub(crate) const TAGS: &str = "REKOMI_TAGS";

/// Which attribute holds a name depends on the account's age and language; facts remember what `prepare` found.
const FIRST: [&str; 7] = ["FIRSTNAME", "FNAME", "PRENOM", "VORNAME", "NOMBRE", "NOME", "FIRST_NAME"];
const LAST: [&str; 8] = ["LASTNAME", "LNAME", "NOM", "NACHNAME", "APELLIDOS", "COGNOME", "SOBRENOME", "LAST_NAME"];

/// They identify a contact or say what they agreed to: no mapping may reach them.
const PROTECTED: [&str; 8] = [TAGS, "EMAIL", "SMS", "WHATSAPP", "EXT_ID", "LANDLINE_NUMBER", "OPT_IN", "DOUBLE_OPT-IN"];

/// Finds the attributes for names, and sees to the one for tags: names it as missing, or with `apply` makes it.
pub(crate) fn prepare(tags: &[String], apply: bool) -> Result<Prepared, Error> {
    let mut attributes = all()?;
    let mut refused = None;
    if apply && kind(&attributes, TAGS).is_none() {
        let reply = Call::new("create_attribute").json(obj! {}).send()?;
        // 400: somebody was faster, or it cannot be made. Whether it is there now, and is a text, the listing says.
        if reply.status() == 400 {
            refused = Some(error::permanent(code(&reply), status::words(&reply)));
        } else {
            reply.ok_or(refusal)?;
        }
        attributes = all()?;
    }
    let mut prepared = Prepared::default();
    for (fact, names) in [("first", &FIRST[..]), ("last", &LAST[..])] {
        let found = names.iter().find(|name| kind(&attributes, name).as_deref() == Some("text"));
        prepared.facts.extend(found.map(|name| Pair::new(fact, *name)));
    }
    match (kind(&attributes, TAGS).as_deref(), refused) {
        (Some("text"), _) => prepared.tags = tags.iter().map(|tag| Binding { name: tag.clone(), wire: tag.clone(), id: None }).collect(),
        (Some(other), _) => return Err(error::permanent("attribute", format!("{TAGS} is no text attribute but one of the type {other}"))),
        (None, Some(refused)) => return Err(refused),
        (None, None) => prepared.to_create.push(Choice::new(format!("attribute:{TAGS}"), format!("the contact attribute {TAGS}"))),
    }
    Ok(prepared)
}

/// What the merchant may pick: attributes that hold what is written to them.
pub(crate) fn choices() -> Result<Page, Error> {
    let choice = |row: &json::Value| {
        let (name, category) = (json::text(row, "/name")?, json::text(row, "/category").unwrap_or_default());
        let theirs = !PROTECTED.iter().chain(&FIRST).chain(&LAST).any(|ours| name.eq_ignore_ascii_case(ours));
        let choice = Choice::new(&name, &name).detail(json::text(row, "/type").unwrap_or_else(|| category.clone()));
        (theirs && matches!(category.as_str(), "normal" | "category")).then_some(choice)
    };
    Ok(Page { items: all()?.iter().filter_map(choice).collect(), next: None })
}

fn all() -> Result<Vec<json::Value>, Error> {
    Ok(json::rows(&answer(Call::new("attributes"))?, "/attributes").to_vec())
}

/// The type of an attribute; what it is, where the vendor gives no type.
fn kind(attributes: &[json::Value], name: &str) -> Option<String> {
    let row = attributes.iter().find(|row| json::text(row, "/name").is_some_and(|theirs| theirs.eq_ignore_ascii_case(name)))?;
    let category = json::text(row, "/category").unwrap_or_default();
    if category == "normal" { json::text(row, "/type").or(Some(category)) } else { Some(category) }
}

/// The tags on a contact.
pub(crate) fn tags_of(contact: &json::Value) -> Vec<String> {
    let text = json::text(contact, &format!("/attributes/{TAGS}")).unwrap_or_default();
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// What is to be written: tags that are missing, names where there are none, fields that differ; and the keys of what cannot be written.
pub(crate) fn values<'a>(job: &'a Job, there: &json::Value) -> (json::Value, Vec<&'a str>) {
    let (mut values, mut dropped) = (obj! {}, Vec::new());
    let has =
        |key: &str| json::at(there, "/attributes").and_then(|all| all.get(key)).filter(|value| body::tidy((*value).clone()).is_some());
    let (first, last) = person::names(&job.who);
    for (fact, name) in [("first", first), ("last", last)] {
        match job.on.fact(fact) {
            Some(key) if has(key).is_none() => body::put(&mut values, key, name),
            Some(_) => {}
            None => dropped.extend(name.map(|_| fact)),
        }
    }
    let on_contact = tags_of(there);
    let mut wanted = on_contact.clone();
    tags::added(&mut wanted, &job.set);
    if wanted != on_contact {
        body::put(&mut values, TAGS, wanted.join(","));
    }
    for field in &job.who.fields {
        let value = body::Json::into_json(&field.value);
        let is_name = [job.on.fact("first"), job.on.fact("last")].contains(&Some(field.key.as_str()));
        if is_name || PROTECTED.iter().any(|ours| field.key.eq_ignore_ascii_case(ours)) {
            dropped.push(&field.key);
        } else if has(&field.key) != Some(&value) {
            body::put(&mut values, &field.key, value);
        }
    }
    (values, dropped)
}
