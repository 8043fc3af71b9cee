//! Systeme.io: one pool of contacts, looked up by e-mail, tagged by id one tag at a time. Nothing here can subscribe or unsubscribe anybody:
//! the API has no field for it. Must not hold a host name, a credential or a clock. Facts: <https://developer.systeme.io/reference>.

use crm_connector_sdk::prelude::*;

mod contact;
mod labels;
mod refusal;

use contact::{Contact, find, known_contact, missing, wanted};
use refusal::{answer, is_told, judged, refusal, refuses_address, taken};

struct SystemeIo;

crm_connector_sdk::export!(SystemeIo);

impl Connector for SystemeIo {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        refusal::items(&answer(Call::new("probe"))?, "probe")?;
        // No call names the account.
        Ok(Account::default())
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "tags" => labels::choices(cursor),
            "fields" => contact::field_choices(),
            other => Err(error::unsupported(format!("Systeme.io has no picker named '{other}'"))),
        }
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, labels::all, labels::create)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let ids = tags::ids(&job.set, &job.on.tags)?;
        let (there, mut change) = match find(&job.who.email)? {
            Some(there) => update(job, known, there)?,
            None => create(job, known)?,
        };
        known.contact_id = Some(there.id.clone());
        for (name, tag) in job.set.iter().zip(&ids) {
            // Also somebody new may have tags: those of a contact of this address that was deleted some days ago.
            if !there.has(tag) {
                put(&there.id, name, tag)?;
                change = if change == Change::Unchanged { Change::Updated } else { change };
            }
            tags::added(&mut known.tags, std::slice::from_ref(name));
        }
        let ending = done(change).standing(there.standing());
        Ok(contact::dropped(&job.who).fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = find(&job.who.email)?;
        if let (None, Some(id)) = (&found, &known.contact_id) {
            // Nobody has this e-mail; the contact that we know may still be there under another one.
            found = known_contact(id)?;
        }
        let Some(there) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = Some(there.id.clone());
        let mut change = Change::Unchanged;
        for tag in job.clear.iter().filter_map(|tag| there.tag_of(tag, &job.on.tags)) {
            let reply = Call::new("untag").path("id", &there.id).path("tag", tag).send()?;
            // 404: somebody else took it off.
            if reply.status() != 404 || !is_told(&reply) {
                reply.ok_or(refusal)?;
            }
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(there.standing()))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(there) = find(&who.email)? else { return Ok(None) };
        let tags = known.tags.iter().filter(|tag| there.tag_of(tag, &on.tags).is_some()).cloned().collect();
        let known = Known { contact_id: Some(there.id.clone()), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: there.standing(), in_destination: None }))
    }
}

/// Creates whom the look did not find. There is no upsert: a refused address may be one that is taken.
fn create(job: &Job, known: &mut Known) -> Result<(Contact, Change), Error> {
    let body = obj! { "email": &job.who.email, "fields": wanted(&job.who) };
    let reply = Call::new("create").json(body).send()?;
    if reply.status() == 422 && refuses_address(&reply) {
        return match find(&job.who.email)? {
            Some(there) => update(job, known, there),
            // Made a moment ago and not shown yet: the address is not to blame.
            None if taken(&reply) => Err(error::retryable("taken", status::words(&reply))),
            None => Err(error::rejected("email", 422, status::words(&reply))),
        };
    }
    let made = Contact::read(&judged(reply)?).ok_or_else(|| error::retryable("no-id", "create: the answer names no contact"))?;
    Ok((made, Change::Created))
}

/// Fills in what is missing of somebody who is there.
fn update(job: &Job, known: &mut Known, there: Contact) -> Result<(Contact, Change), Error> {
    known.contact_id = Some(there.id.clone());
    let fields = missing(&job.who, &there);
    if fields.is_empty() {
        return Ok((there, Change::Unchanged));
    }
    answer(Call::new("update").path("id", &there.id).json(obj! { "fields": fields }))?;
    Ok((there, Change::Updated))
}

/// Puts one tag on. What a refusal is about only shows when contact and tag are asked for.
fn put(id: &str, name: &str, tag: &str) -> Result<(), Error> {
    let reply = Call::new("tag").path("id", id).json(obj! { "tagId": &Value::Number(tag.to_owned()) }).send()?;
    if !matches!(reply.status(), 400 | 404 | 422) || !is_told(&reply) {
        return reply.ok_or(refusal).map(drop);
    }
    let Some(there) = known_contact(id)? else {
        return Err(error::retryable("contact-gone", "tag: the contact was deleted meanwhile"));
    };
    if there.has(tag) {
        return Ok(());
    }
    let seen = Call::new("one_tag").path("tag", tag).send()?;
    if seen.status() == 404 && is_told(&seen) {
        return Err(error::stale([name]));
    }
    judged(seen)?;
    Err(error::rejected("tags", reply.status(), status::words(&reply)))
}
