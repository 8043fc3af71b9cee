//! Brevo: contacts looked up by e-mail, then created on the picked list or updated by id, tagged in the text attribute `REKOMI_TAGS`.
//! Two calls per affiliate; a third where the address changed.
//!
//! Must not hold a host name, a credential or a clock, and never sends `emailBlacklisted`, which could lift an opt-out. Facts:
//! <https://developers.brevo.com/reference>, API description as of 2026-02.

use crm_connector_sdk::{memo, prelude::*, text::lower};

mod attributes;
mod lists;
mod refusal;

use attributes::{TAGS, tags_of, values};
use lists::{holds, may_join};
use refusal::{answer, is_absent, refusal, said, unless_absent};

struct Brevo;

crm_connector_sdk::export!(Brevo);

impl Connector for Brevo {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let me = answer(Call::new("account"))?;
        let email = json::text(&me, "/email");
        let name = match (json::text(&me, "/companyName"), &email) {
            (Some(company), Some(email)) => Some(format!("{company} ({email})")),
            (company, email) => company.or_else(|| email.clone()),
        };
        // The id is newer than some descriptions of this call; the login is unique as well.
        Ok(Account { id: json::text(&me, "/organization_id").or(email), name, ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "list" => lists::page(cursor),
            "fields" => attributes::choices(),
            other => Err(error::unsupported(format!("Brevo has no picker named '{other}'"))),
        }
    }

    fn prepare(&self, _on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        attributes::prepare(tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let unbound: Vec<&String> = job.set.iter().filter(|tag| !job.on.tags.iter().any(|bound| bound.name == **tag)).collect();
        if !unbound.is_empty() {
            return Err(error::stale(unbound));
        }
        // On the wire a list is a number: text is refused.
        let list: Option<u64> = job.on.picked("list").and_then(|list| list.parse().ok());
        let list = list.ok_or_else(|| error::destination_missing("list", "no list is picked"))?;
        let (mut found, mut call) = (find(&job.who.email)?, "update");
        if let (None, Some(old)) = (&found, person::previous_email(&job.who)) {
            (found, call) = (find(old)?, "move");
        }
        let id = found.as_ref().and_then(|contact| json::text(contact, "/id"));
        if known.contact_id != id {
            // Another contact than the one we knew: nothing that was done for that one counts.
            *known = Known { contact_id: id, ..Known::default() };
        }
        let there = found.clone().unwrap_or_default();
        let joins = may_join(&there, list, known);
        let (attributes, dropped) = values(job, &there);
        let mut contact = obj! { "attributes": attributes, "listIds": joins.then(|| vec![list]) };
        let change = match (&found, &known.contact_id) {
            (None, _) => {
                body::put(&mut contact, "email", &job.who.email);
                create(contact, &job.who.email, known)?
            }
            (Some(_), None) => return Err(error::retryable("no-id", "find: the answer names no contact")),
            (Some(_), Some(id)) => {
                if call == "move" {
                    contact["attributes"]["EMAIL"] = job.who.email.as_str().into();
                }
                update(call, id, contact, joins)?
            }
        };
        tags::added(&mut known.tags, &job.set);
        if joins || holds(&there, "/listIds", list) {
            memo::write(known, &obj! { "joined": list.to_string() })?;
        }
        let ending = done(change).standing(standing(&there, list));
        Ok(dropped.into_iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(contact) = known_or_found(job, known)? else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = json::text(&contact, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no contact"))?;
        known.contact_id = Some(id.clone());
        let there = tags_of(&contact);
        let left: Vec<&str> = there.iter().filter(|tag| !job.clear.contains(tag)).map(String::as_str).collect();
        let mut change = Change::Unchanged;
        if left.len() < there.len() {
            // Here, and only here, an empty text means something: no tag is left.
            let rest = json::Value::from_iter([("attributes", json::Value::from_iter([(TAGS, left.join(","))]))]);
            let reply = Call::new("retag").path("id", id).json_as_is(&rest).send()?;
            if is_absent(&reply) {
                *known = Known::default();
                return Ok(done(Change::Gone).standing(Standing::Unknown));
            }
            reply.ok_or(refusal)?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(blocked(&contact)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(contact) = find(&who.email)? else { return Ok(None) };
        let there = tags_of(&contact);
        let mut known = Known { contact_id: json::text(&contact, "/id"), ..known.clone() };
        known.tags.retain(|tag| there.contains(tag));
        let list = on.picked("list").and_then(|list| list.parse().ok());
        let standing = list.map_or_else(|| blocked(&contact), |list| standing(&contact, list));
        Ok(Some(Seen { known, standing, in_destination: list.map(|list| holds(&contact, "/listIds", list)) }))
    }
}

/// The contact with this address as typed, or in lower case: whether Brevo tells capitals apart is unverified, and the upsert would write over
/// whoever is there. `None` when there is none.
fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let (look, lower) = (|email: &str| unless_absent(Call::new("find").path("email", email)), lower(email));
    match look(email)? {
        None if lower != email => look(&lower),
        found => Ok(found),
    }
}

/// The contact that we know, or, when that id no longer resolves, the one who has the address now, or had it before a change.
fn known_or_found(job: &Job, known: &Known) -> Result<Option<json::Value>, Error> {
    let by_id = known.contact_id.as_ref().map(|id| unless_absent(Call::new("read").path("id", id)));
    if let Some(contact) = by_id.transpose()?.flatten() {
        return Ok(Some(contact));
    }
    match (find(&job.who.email)?, person::previous_email(&job.who)) {
        (None, Some(old)) => find(old),
        (found, _) => Ok(found),
    }
}

fn create(contact: json::Value, email: &str, known: &mut Known) -> Result<Change, Error> {
    let reply = judged(Call::new("create").json(contact).send()?, true)?;
    // 204, without an id: somebody else created the contact since the look.
    let (made, change) = match reply.status() {
        204 => (find(email)?.unwrap_or_default(), Change::Updated),
        _ => (reply.need_json()?, Change::Created),
    };
    known.contact_id = json::text(&made, "/id");
    known.contact_id.is_some().then_some(change).ok_or_else(|| error::retryable("no-id", "create: the answer names no contact"))
}

fn update(call: &str, id: &str, contact: json::Value, joins: bool) -> Result<Change, Error> {
    if contact == obj! {} {
        return Ok(Change::Unchanged);
    }
    judged(Call::new(call).path("id", id).json(contact).send()?, joins)?;
    Ok(Change::Updated)
}

/// The answer to a write. A refusal that may be about the list is cleared up by asking whether the list is there.
fn judged(reply: Reply, joins: bool) -> Result<Reply, Error> {
    let about_list = reply.status() == 400 && !["email", "attribute", "rekomi"].iter().any(|part| said(&reply).contains(part));
    if joins && about_list && unless_absent(Call::new("list"))?.is_none() {
        return Err(error::destination_missing(400, status::words(&reply)));
    }
    reply.ok_or(refusal)
}

/// There are two ways to opt out: of everything, and, where the account allows it, of one list.
fn standing(contact: &json::Value, list: u64) -> Standing {
    if holds(contact, "/listUnsubscribed", list) { Standing::KeptOptedOut } else { blocked(contact) }
}

fn blocked(contact: &json::Value) -> Standing {
    let blocked = json::at(contact, "/emailBlacklisted") == Some(&json::Value::Bool(true));
    if blocked { Standing::KeptOptedOut } else { Standing::Normal }
}
