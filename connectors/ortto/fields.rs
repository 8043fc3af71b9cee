//! The account's custom fields for people: which there are, the two of ours, and how a value is written to each kind.

use crm_connector_sdk::prelude::*;

use crate::refusal::{answer, judged};

/// Custom fields of ours, where the merchant wants them: fact, name, and the id that the vendor makes of the name.
const OWN: [(&str, &str, &str); 2] =
    [("status_field", "rekomi status", "str:cm:rekomi-status"), ("tier_field", "rekomi tier", "str:cm:rekomi-tier")];

/// Kinds of custom fields that are written: text, long text, link, truth, date, several of a list.
const KINDS: [&str; 6] = ["str:cm:", "txt:cm:", "lnk:cm:", "bol:cm:", "dtz:cm:", "sst:cm:"];

/// Finds the ids of our fields and notes them as facts; makes those that are missing, when told to.
pub(crate) fn prepare_own(on: &Connection, apply: bool, prepared: &mut Prepared) -> Result<(), Error> {
    if OWN.iter().all(|(fact, ..)| on.fact(fact).is_some()) {
        return Ok(());
    }
    let mut there = choices()?;
    for (fact, name, id) in OWN {
        let has = |there: &[Choice]| there.iter().find(|field| field.id == id || field.name == name).map(|field| field.id.clone());
        let mut found = has(&there);
        if found.is_none() && apply {
            found = create(name)?;
        }
        if found.is_none() && apply {
            // An earlier attempt, or somebody else, may have made it: look before it is made again.
            there = choices()?;
            found = match has(&there) {
                None => create(name)?,
                by_now => by_now,
            };
        }
        match found {
            Some(id) => prepared.facts.push(Pair::new(fact, id)),
            None => prepared.to_create.push(Choice::new(format!("field:{id}"), format!("custom field '{name}'"))),
        }
    }
    Ok(())
}

/// All of them: the answer has no pages.
pub(crate) fn choices() -> Result<Vec<Choice>, Error> {
    let fields = answer(Call::new("list_fields").json(obj! {}))?;
    let choice = |row: &json::Value| {
        let id = json::text(row, "/field/id")?;
        let selectable = KINDS.iter().any(|kind| id.starts_with(kind));
        let choice = Choice::new(&id, json::text(row, "/field/name").unwrap_or_else(|| id.clone()));
        let choice = json::text(row, "/field/display_type").into_iter().fold(choice, Choice::detail);
        Some(Choice { selectable, ..choice })
    };
    Ok(json::rows(&fields, "/fields").iter().filter_map(choice).collect())
}

/// The id of the new field; `None` when one of that name is there, or may be.
fn create(name: &str) -> Result<Option<String>, Error> {
    let reply = match Call::new("create_field").json(obj! { "name": name }).try_send() {
        Ok(reply) => reply,
        Err(Unanswered::UnknownOutcome) => return Ok(None),
        Err(why) => return Err(error::unanswered("create_field", why)),
    };
    let said = json::text(&reply.json(), "/error").unwrap_or_default().to_ascii_lowercase();
    if reply.status() == 409 || reply.status() == 400 && (said.contains("duplicate") || said.contains("exist")) {
        return Ok(None);
    }
    Ok(json::text(&judged(reply)?, "/field_id"))
}

/// A custom field's value as its kind wants it; `None` where the kind is not ours to write, or the value does not fit it.
pub(crate) fn wire(field: &Field) -> Option<json::Value> {
    let kind = KINDS.iter().find(|kind| field.key.len() > kind.len() && field.key.starts_with(**kind))?;
    Some(match (*kind, &field.value) {
        ("bol:cm:", Value::Truth(truth)) => (*truth).into(),
        ("dtz:cm:", Value::Date(date)) => {
            let mut parts = date.get(..10)?.split('-').map(|part| part.parse::<u32>().ok());
            obj! { "year": parts.next()??, "month": parts.next()??, "day": parts.next()??, "timezone": "UTC" }
        }
        ("sst:cm:", Value::Many(items)) => items.clone().into(),
        ("str:cm:" | "txt:cm:" | "lnk:cm:", Value::Text(text) | Value::Date(text) | Value::Number(text)) => text.clone().into(),
        _ => return None,
    })
}
