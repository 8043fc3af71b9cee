//! EmailOctopus: contacts of one list, upserted by address with names and tags in one call after a look. A contact's status is never
//! written: the list's own setting decides for new ones, and who left stays so. Knows this vendor's API and nothing else: no host name,
//! no credential, no clock. Facts: <https://emailoctopus.com/api-documentation/v2>.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::{md5, text::lower};

mod lists;
mod refusal;

use lists::NAMES;
use refusal::{answer, kind, refusal};

struct EmailOctopus;

crm_connector_sdk::export!(EmailOctopus);

impl Connector for EmailOctopus {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let page = answer(Call::new("test"))?;
        let lists = page["data"].as_array().ok_or_else(|| error::retryable("no-data", "test: the answer holds no list"))?;
        // No call tells a key's account; merchants know it by a list.
        let list = lists.first().and_then(|list| json::text(list, "/name"));
        let name =
            list.map_or("EmailOctopus account without lists".to_owned(), |list| format!("EmailOctopus account with the list {list}"));
        Ok(Account { name: Some(name), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        lists::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        lists::prepare(list(on)?, on, tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        // What is remembered holds for one list only.
        if job.on.fact("list") != Some(list(&job.on)?) {
            return Err(error::stale(job.set.iter().map(String::as_str).chain(["list"])));
        }
        let tags = tags::ids(&job.set, &job.on.tags)?;
        let found = find_or_move(&job.who)?;
        if let Some(found) = &found {
            known.contact_id = Some(id_of(found)?);
        }
        let (fields, mut dropped) = fields(job, found.as_ref().unwrap_or(&json::Value::Null));
        // To the letter: a tag of the merchant's may differ in case only.
        let there = found.as_ref().map(|found| json::rows(found, "/tags")).unwrap_or_default();
        let missing = tags.iter().filter(|tag| !there.iter().any(|there| there == tag.as_str()));
        let missing = json::Value::from_iter(missing.map(|tag| (tag.clone(), true)));
        let (contact, change) = match found {
            Some(found) if fields == obj! {} && missing == obj! {} => (found, Change::Unchanged),
            Some(found) => {
                let update = Call::new("update").path("contact", id_of(&found)?);
                (write(job, update.json(obj! { "fields": fields, "tags": missing }))?, Change::Updated)
            }
            None => {
                let new = obj! { "email_address": &job.who.email, "fields": fields, "tags": missing };
                (write(job, Call::new("save").json(new))?, Change::Created)
            }
        };
        known.contact_id = Some(id_of(&contact)?);
        // Whether an unknown tag is made, refused or passed over is not documented: one that is not shown is prepared again.
        if contact["tags"].is_array() {
            let lost: Vec<&String> =
                job.set.iter().zip(&tags).filter(|(_, tag)| tag_of(&contact, tag).is_none()).map(|(name, _)| name).collect();
            if !lost.is_empty() {
                return Err(error::stale(lost));
            }
        }
        tags::added(&mut known.tags, &job.set);
        dropped.dedup();
        let ending = done(change).standing(standing(&contact));
        Ok(dropped.into_iter().fold(ending, |ending, field| ending.warn(Remark::DroppedField, field)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        list(&job.on)?;
        let mut found = find(&md5::hex(&person::email_lower(&job.who)))?;
        // Nobody on the list has this e-mail; the contact that we know may still be there under another one.
        if let (None, Some(id)) = (&found, &known.contact_id) {
            found = find(id)?;
        }
        let Some(found) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = id_of(&found)?;
        known.contact_id = Some(id.clone());
        // In the list's own spelling; what another campaign wants by another spelling stays.
        let spelt = |name: &String| tag_of(&found, wire(&job.on, name));
        let wanted: Vec<&str> = job.all.iter().filter(|name| !job.clear.contains(name)).filter_map(spelt).collect();
        let off = job.clear.iter().filter_map(spelt).filter(|tag| !wanted.contains(tag));
        let off = json::Value::from_iter(off.map(|tag| (tag.to_owned(), false)));
        let mut change = Change::Unchanged;
        if off != obj! {} {
            answer(Call::new("untag").path("contact", &id).json(obj! { "tags": off }))?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&found)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        list(on)?;
        let Some(found) = find(&md5::hex(&person::email_lower(who)))? else { return Ok(None) };
        let tags = known.tags.iter().filter(|name| tag_of(&found, wire(on, name)).is_some()).cloned().collect();
        let known = Known { contact_id: Some(id_of(&found)?), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: standing(&found), in_destination: Some(true) }))
    }
}

fn list(on: &Connection) -> Result<&str, Error> {
    on.picked("list").ok_or_else(|| error::destination_missing("list", "no list is picked"))
}

/// The contact of this address; where only the old address is on the list, that contact with its new address.
fn find_or_move(who: &Person) -> Result<Option<json::Value>, Error> {
    let found = find(&md5::hex(&person::email_lower(who)))?;
    let (None, Some(old)) = (&found, person::previous_email(who)) else { return Ok(found) };
    let Some(old) = find(&md5::hex(&lower(old)))? else { return Ok(None) };
    Ok(Some(answer(Call::new("move").path("contact", id_of(&old)?).json(obj! { "email_address": &who.email }))?))
}

/// The contact on the list, in whatever status. Only EmailOctopus itself can say that there is none.
fn find(contact: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").path("contact", contact).send()?;
    if reply.status() == 404 && kind(&reply).is_some() {
        return Ok(None);
    }
    Ok(Some(reply.ok_or(refusal)?.need_json()?))
}

/// Sends it. A field or a tag that the list had when it was prepared may be gone, unless it is the value that is not taken.
fn write(job: &Job, call: Call) -> Result<json::Value, Error> {
    answer(call).map_err(|why| match &why {
        Error::Rejected(refused) if refused.told.text.contains("This value") => why,
        Error::Rejected(refused) if refused.field == "tags" => error::stale(&job.set),
        Error::Rejected(refused) => {
            NAMES.iter().find(|(_, tag)| *tag == refused.field).map_or(why.clone(), |(fact, _)| error::stale([*fact]))
        }
        _ => why,
    })
}

/// Names that are missing, where the list has fields for them, and mapped fields that differ; and what could not be kept.
fn fields(job: &Job, found: &json::Value) -> (json::Value, Vec<String>) {
    let (first, last) = person::names(&job.who);
    let (mut fields, mut dropped) = (obj! {}, Vec::new());
    for (name, (fact, tag)) in [first, last].into_iter().zip(NAMES) {
        match job.on.fact(fact) {
            Some(field) => body::put(&mut fields, field, name.filter(|_| json::text(&found["fields"], field).is_none())),
            None => dropped.extend(name.map(|_| tag.to_owned())),
        }
    }
    for Field { key, value } in &job.who.fields {
        let value = match value {
            Value::Truth(truth) => json::Value::String(truth.to_string()),
            value => body::Json::into_json(value),
        };
        if NAMES.iter().any(|(_, tag)| tag == key) {
            dropped.push(key.clone());
        } else if found["fields"][key.as_str()] != value {
            body::put(&mut fields, key, value);
        }
    }
    (fields, dropped)
}

fn id_of(contact: &json::Value) -> Result<String, Error> {
    json::text(contact, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no contact"))
}

/// How the list spells a tag.
fn wire<'a>(on: &'a Connection, name: &'a str) -> &'a str {
    on.tags.iter().find(|tag| tag.name == name).map_or(name, |tag| &tag.wire)
}

/// The contact's tag of this name: to the letter, else without regard to case.
fn tag_of<'a>(contact: &'a json::Value, wire: &str) -> Option<&'a str> {
    let tags = || json::rows(contact, "/tags").iter().filter_map(json::Value::as_str);
    tags().find(|tag| *tag == wire).or_else(|| tags().find(|tag| lower(tag.trim()) == lower(wire.trim())))
}

fn standing(contact: &json::Value) -> Standing {
    match json::text(contact, "/status").as_deref() {
        Some("subscribed") => Standing::Normal,
        Some("pending") => Standing::Pending,
        Some("unsubscribed") => Standing::KeptOptedOut,
        _ => Standing::Unknown,
    }
}
