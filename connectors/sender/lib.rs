//! Sender: one pool of subscribers, looked up by e-mail; a group for each tag, by id. Who is new is created in all groups at once, who is
//! there joins the missing ones one by one and keeps the subscription as it is. Must not hold a host name, a credential or a clock.
//! Facts: <https://api.sender.net/>.

use crm_connector_sdk::prelude::*;

mod groups;
mod refusal;
mod subscriber;

use refusal::{answer, judged, missing_groups};
use subscriber::{Subscriber, dropped, fields};

struct Sender;

crm_connector_sdk::export!(Sender);

impl Connector for Sender {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let page = answer(Call::new("probe"))?;
        json::at(&page, "/data")
            .filter(|data| data.is_array())
            .ok_or_else(|| error::retryable("no-data", "probe: the answer holds no list"))?;
        // No call names the account.
        Ok(Account::default())
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "group" | "tags" => groups::choices(cursor),
            "fields" => subscriber::field_choices(cursor),
            other => Err(error::unsupported(format!("Sender has no picker named '{other}'"))),
        }
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, groups::all, groups::create)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let ids = tags::ids(&job.set, &job.on.tags)?;
        let (there, change) = match subscriber::find(&job.who.email)? {
            Some(there) => update(job, known, there)?,
            None => create(job, known, &ids)?,
        };
        known.contact_id = Some(there.id.clone());
        // Nobody who left is brought to a list of the merchant's or into an automation by us; the tag only says what they are.
        let automations = job.on.setting("automations") != Some("false") && !there.opted_out();
        let mut joined = false;
        if let Some(group) = job.on.picked("group").filter(|group| !there.is_in(group) && !there.opted_out()) {
            if !join(&there, group, automations)? {
                return Err(error::destination_missing(404, "join: the picked group is gone"));
            }
            joined = true;
        }
        for (name, group) in job.set.iter().zip(&ids) {
            if !there.is_in(group) {
                if !join(&there, group, automations)? {
                    return Err(error::stale([name]));
                }
                joined = true;
            }
            tags::added(&mut known.tags, std::slice::from_ref(name));
        }
        let change = if joined && change == Change::Unchanged { Change::Updated } else { change };
        let ending = done(change).standing(there.standing());
        Ok(dropped(&job.who).fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = subscriber::find(&job.who.email)?;
        if let (None, Some(id)) = (&found, &known.contact_id) {
            // Nobody has this e-mail; the subscriber that we know may still be there under another one.
            found = subscriber::find(id)?;
        }
        let Some(there) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = Some(there.id.clone());
        let mut change = Change::Unchanged;
        for group in job.clear.iter().filter_map(|tag| there.group_of(tag, &job.on.tags)) {
            let reply = Call::new("leave").path("group", &group).json(obj! { "subscribers": [&there.email] }).send()?;
            // 404: the group is gone, and nobody is in it.
            if reply.status() != 404 || !reply.json().is_object() {
                refusal::placed(reply, &there.email)?;
            }
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(there.standing()))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(there) = subscriber::find(&who.email)? else { return Ok(None) };
        let tags = known.tags.iter().filter(|tag| there.group_of(tag, &on.tags).is_some()).cloned().collect();
        let in_destination = on.picked("group").map(|group| there.is_in(group));
        let known = Known { contact_id: Some(there.id.clone()), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: there.standing(), in_destination }))
    }
}

/// Makes a subscriber who is in all groups from the start: one who was just made cannot join any for a while.
fn create(job: &Job, known: &mut Known, ids: &[String]) -> Result<(Subscriber, Change), Error> {
    let (first, last) = person::names(&job.who);
    let mut groups: Vec<&str> = job.on.picked("group").into_iter().collect();
    groups.extend(ids.iter().map(String::as_str).filter(|id| job.on.picked("group") != Some(id)));
    let body = obj! {
        "email": &job.who.email,
        "firstname": first,
        "lastname": last,
        "groups": groups.clone(),
        "fields": fields(&job.who),
        "trigger_automation": job.on.setting("automations") != Some("false"),
    };
    let reply = Call::new("create").json(body).send()?;
    if missing_groups(&reply) {
        return Err(groups::gone(job)?);
    }
    if matches!(reply.status(), 400 | 409 | 422) {
        // Perhaps the address is taken: somebody was faster, or an earlier attempt arrived.
        return match subscriber::find(&job.who.email)? {
            Some(there) => update(job, known, there),
            None => Err(refusal::not_made(&reply)),
        };
    }
    let made = Subscriber::read(&judged(reply)?).ok_or_else(|| error::retryable("no-id", "create: the answer names no subscriber"))?;
    Ok((made.assuming(&groups), Change::Created))
}

/// Fills in what is missing of somebody who is there.
fn update(job: &Job, known: &mut Known, there: Subscriber) -> Result<(Subscriber, Change), Error> {
    known.contact_id = Some(there.id.clone());
    let (first, last) = person::names(&job.who);
    let (first, last) = (first.filter(|_| there.first.is_none()), last.filter(|_| there.last.is_none()));
    let body = obj! { "firstname": first, "lastname": last, "fields": fields(&job.who) };
    if body == obj! {} {
        return Ok((there, Change::Unchanged));
    }
    answer(Call::new("update").path("subscriber", &there.email).json(body))?;
    Ok((there, Change::Updated))
}

/// Adds somebody to a group; `false` when the group is gone.
fn join(there: &Subscriber, group: &str, automations: bool) -> Result<bool, Error> {
    let body = obj! { "subscribers": [&there.email], "trigger_automation": automations };
    let reply = Call::new("join").path("group", group).json(body).send()?;
    if reply.status() == 404 && reply.json().is_object() {
        return Ok(false);
    }
    refusal::placed(reply, &there.email)?;
    Ok(true)
}
