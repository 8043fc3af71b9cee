//! Loops: contacts looked up by e-mail, then created or updated by the vendor's upsert, with one boolean property per tag. Two calls per
//! affiliate; more where the address changed.
//!
//! Must not hold a host name, a credential or a clock, and never sends `subscribed`, which could subscribe somebody again. Facts:
//! <https://loops.so/docs/api-reference>, API description 1.8.0 and 1.21.2, npm loops 7.3.0.

use crm_connector_sdk::prelude::*;

mod look;
mod properties;
mod refusal;

use look::{Looked, find, look};
use properties::{is_protected, of_tag};
use refusal::answer;

struct Loops;

crm_connector_sdk::export!(Loops);

impl Connector for Loops {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let key = answer(Call::new("api_key"))?;
        // A name is all that the API says about a team.
        let name = json::text(&key, "/teamName").ok_or_else(|| error::retryable("no-team", "api_key: the answer names no team"))?;
        Ok(Account { name: Some(name), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        properties::choices(picker)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        properties::prepare(on, tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let unbound: Vec<&String> = job.set.iter().filter(|tag| !job.on.tags.iter().any(|bound| bound.name == **tag)).collect();
        if !unbound.is_empty() {
            return Err(error::stale(unbound));
        }
        let Looked { found, moved, left_behind } = look(&job.who)?;
        let id = found.as_ref().and_then(|contact| json::text(contact, "/id"));
        if known.contact_id != id {
            // Another contact than the one we knew: nothing that was done for that one counts.
            *known = Known { contact_id: id, ..Known::default() };
        }
        let (mut contact, dropped) = values(job, found.as_ref().unwrap_or(&json::Value::Null));
        let mut change = if moved { Change::Updated } else { Change::Unchanged };
        let mut seen = found.as_ref().map_or(Standing::Unknown, standing);
        let call = match (&found, &left_behind) {
            (Some(_), _) => "update",
            // By default a contact is created as subscribed: not so for somebody who was not under the former address.
            (None, Some(former)) if standing(former) != Standing::Normal => {
                seen = Standing::KeptOptedOut;
                "create_unsubscribed"
            }
            (None, _) => "create",
        };
        if found.is_none() || contact != obj! {} {
            // As the vendor spells it, so that this cannot make a second contact.
            let email = found.as_ref().and_then(|contact| json::text(contact, "/email"));
            body::put(&mut contact, "email", email.unwrap_or_else(|| job.who.email.clone()));
            body::put(&mut contact, "source", found.is_none().then_some("Rekomi"));
            // A list that somebody may have left is not for them: it is joined by those alone who are new to the audience.
            let list = job.on.picked("list").filter(|_| found.is_none() && left_behind.is_none());
            body::put(&mut contact, "mailingLists", list.map(|list| obj! { (list.to_owned()): true }));
            let saved = answer(Call::new(call).json(contact)).map_err(|error| unprepared(error, job))?;
            // Safe to repeat, so an answer without an id is asked for again rather than given up.
            let id = json::text(&saved, "/id").ok_or_else(|| error::retryable("no-id", format!("{call}: the answer names no contact")))?;
            known.contact_id = Some(id);
            change = if found.is_some() { Change::Updated } else { Change::Created };
        }
        tags::added(&mut known.tags, &job.set);
        // Whether a new contact must confirm first is a setting of the team, which the answer does not tell.
        let mut ending = done(change).standing(seen);
        if left_behind.is_some() {
            ending = ending.warn(Remark::NotConfirmed, "email");
        }
        Ok(dropped.into_iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = find(&job.who.email)?;
        if let (None, Some(old)) = (&found, person::previous_email(&job.who)) {
            found = find(old)?;
        }
        let Some(contact) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = json::text(&contact, "/id");
        let mut off = obj! {};
        for property in job.clear.iter().map(|tag| of_tag(tag)).filter(|property| is_true(&contact, property)) {
            body::put(&mut off, &property, false);
        }
        let change = if off == obj! {} { Change::Unchanged } else { Change::Updated };
        if change == Change::Updated {
            body::put(&mut off, "email", json::text(&contact, "/email").unwrap_or_else(|| job.who.email.clone()));
            answer(Call::new("untag").json(off))?;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&contact)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(contact) = find(&who.email)? else { return Ok(None) };
        let mut known = Known { contact_id: json::text(&contact, "/id"), ..known.clone() };
        known.tags.retain(|tag| is_true(&contact, &of_tag(tag)));
        let in_destination = on.picked("list").map(|list| is_true(&contact["mailingLists"], list));
        Ok(Some(Seen { known, standing: standing(&contact), in_destination }))
    }
}

/// What is to be written: tags that are not true yet, names where there are none, fields that differ; and the keys of what cannot be.
fn values<'a>(job: &'a Job, there: &json::Value) -> (json::Value, Vec<&'a str>) {
    let (first, last) = person::names(&job.who);
    let missing = |name: Option<String>, key: &str| name.filter(|_| json::text(there, key).is_none());
    let mut values = obj! { "firstName": missing(first, "/firstName"), "lastName": missing(last, "/lastName") };
    for property in job.set.iter().map(|tag| of_tag(tag)).filter(|property| !is_true(there, property)) {
        body::put(&mut values, &property, true);
    }
    let mut dropped = Vec::new();
    for Field { key, value } in &job.who.fields {
        // A property holds one text, number, truth or date.
        let value = match value {
            Value::Many(items) => items.join(", ").into(),
            value => body::Json::into_json(value),
        };
        if is_protected(key) {
            dropped.push(key.as_str());
        } else if there.get(key) != Some(&value) {
            body::put(&mut values, key, value);
        }
    }
    (values, dropped)
}

fn is_true(object: &json::Value, key: &str) -> bool {
    object.get(key) == Some(&json::Value::Bool(true))
}

fn standing(contact: &json::Value) -> Standing {
    match (contact["subscribed"].as_bool(), contact["optInStatus"].as_str()) {
        (Some(false), _) | (_, Some("rejected")) => Standing::KeptOptedOut,
        (_, Some("pending")) => Standing::Pending,
        (Some(true), _) => Standing::Normal,
        (None, _) => Standing::Unknown,
    }
}

/// A refusal that names the property of a tag: it was deleted, and the host prepares anew.
fn unprepared(refused: Error, job: &Job) -> Error {
    match &refused {
        Error::Rejected(rejection) => {
            job.set.iter().find(|tag| rejection.told.text.contains(&of_tag(tag))).map_or(refused.clone(), |tag| error::stale([tag]))
        }
        _ => refused,
    }
}
