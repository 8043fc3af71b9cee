//! Flodesk: one list of subscribers, in segments that stand for tags. New people are created in their segments; who is there is added
//! to what is missing. Nobody who left is written to but for segments. Knows this vendor's API and nothing else: no host name, no
//! credential, no clock. Facts: <https://developers.flodesk.com>.

use crm_connector_sdk::prelude::*;

mod refusal;
mod segments;
mod subscriber;

use refusal::{answer, is_page, refusal, says};
use subscriber::{dropped, fields, id_of, ids, is_for, standing};

struct Flodesk;

crm_connector_sdk::export!(Flodesk);

/// At most so many segments are looked at when Flodesk did not take one.
const LOOKS: usize = 5;

impl Connector for Flodesk {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let page = answer(Call::new("test"))?;
        let some = segments::rows(&page)?.len();
        // No call tells a key's account: the number of segments is all that a merchant could know it by.
        let number = json::text(&page, "/meta/total_items").unwrap_or_else(|| some.to_string());
        Ok(Account { name: Some(format!("Flodesk account with {number} segments")), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        segments::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        segments::prepare(tags, &on.tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut wanted: Vec<String> = job.on.picked("segment").map(str::to_owned).into_iter().collect();
        tags::added(&mut wanted, &tags::ids(&job.set, &job.on.tags)?);
        let found = find_by_email(&job.who.email)?;
        let (first, last) = person::names(&job.who);
        let (subscriber, change) = match found {
            None => {
                let fields = fields(&job.who, &json::Value::Null);
                let new = obj! { "email": &job.who.email, "first_name": first, "last_name": last, "segment_ids": &wanted, "custom_fields": fields };
                (write(job, known, Call::new("save").json(new), &wanted)?, Change::Created)
            }
            Some(found) => {
                known.contact_id = Some(id_of(&found)?);
                update(job, known, found, &wanted)?
            }
        };
        let ending = done(change).standing(standing(&subscriber));
        let ending = dropped(&job.who, &subscriber).iter().fold(ending, |ending, field| ending.warn(Remark::DroppedField, field));
        // Absent is not empty: only a list that is there can show that a segment was not taken.
        let lost: Vec<String> = match ids(&subscriber) {
            Some(there) => wanted.into_iter().filter(|id| !there.contains(id)).collect(),
            None => Vec::new(),
        };
        must_exist(job, &lost)?;
        tags::added(&mut known.tags, &job.set);
        Ok(lost.iter().fold(ending, |ending, id| ending.warn(Remark::NotConfirmed, name_of(job, id).unwrap_or("segment"))))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = find_by_email(&job.who.email)?;
        // Nobody has this e-mail; the subscriber that we know may still be there under another one.
        if let (None, Some(id)) = (&found, &known.contact_id) {
            found = find(id)?;
        }
        let Some(found) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = id_of(&found)?;
        known.contact_id = Some(id.clone());
        let (clear, rest): (Vec<_>, Vec<_>) = job.all.iter().chain(&job.clear).partition(|tag| job.clear.contains(tag));
        // One segment may stand for two spellings of a tag, or be the one that was picked: what is still wanted stays.
        let keeps = |segment: &&json::Value| {
            let picked = json::text(segment, "/id").as_deref() == job.on.picked("segment");
            picked || rest.iter().any(|tag| is_for(&job.on, tag, segment))
        };
        let ours = json::rows(&found, "/segments").iter().filter(|segment| clear.iter().any(|tag| is_for(&job.on, tag, segment)));
        let off: Vec<String> = ours.filter(|segment| !keeps(segment)).filter_map(|segment| json::text(segment, "/id")).collect();
        let mut change = Change::Unchanged;
        if !off.is_empty() {
            answer(Call::new("remove").path("subscriber", &id).json(obj! { "segment_ids": off }))?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&found)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = find_by_email(&who.email)? else { return Ok(None) };
        let segments = json::rows(&found, "/segments");
        let is_there = |tag: &&String| segments.iter().any(|segment| is_for(on, tag, segment));
        let tags = known.tags.iter().filter(is_there).cloned().collect();
        let in_destination = on.picked("segment").map(|picked| ids(&found).unwrap_or_default().iter().any(|id| id == picked));
        let known = Known { contact_id: Some(id_of(&found)?), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: standing(&found), in_destination }))
    }
}

/// Writes what somebody lacks. Of all but the active, whether they left, bounced or never confirmed, the record is left alone: what the
/// upsert would do to their status is not documented. Segments change no subscription.
fn update(job: &Job, known: &mut Known, found: json::Value, wanted: &[String]) -> Result<(json::Value, Change), Error> {
    let id = id_of(&found)?;
    let (mut subscriber, mut change) = (found, Change::Unchanged);
    let (first, last) = person::names(&job.who);
    let (old_first, old_last) = (json::text(&subscriber, "/first_name"), json::text(&subscriber, "/last_name"));
    let fields = fields(&job.who, &subscriber);
    let lacks = (old_first.is_none() && first.is_some()) || (old_last.is_none() && last.is_some()) || fields != obj! {};
    let missing: Vec<&String> = wanted.iter().filter(|id| !ids(&subscriber).unwrap_or_default().contains(id)).collect();
    if subscriber["status"] == "active" && lacks {
        // A name that is there is said again: whether leaving it out would blank it is not documented.
        let body = obj! { "id": &id, "first_name": old_first.or(first), "last_name": old_last.or(last), "custom_fields": fields };
        subscriber = write(job, known, Call::new("save").json(body), &[])?;
        change = Change::Updated;
    }
    if !missing.is_empty() {
        let body = obj! { "segment_ids": missing };
        let added = write(job, known, Call::new("add").path("subscriber", &id).json(body), wanted)?;
        (subscriber, change) = (added, Change::Updated);
    }
    Ok((subscriber, change))
}

/// Sends it and keeps the id. A refusal that may be about a segment is not passed on before it is known which one is gone.
fn write(job: &Job, known: &mut Known, call: Call, wanted: &[String]) -> Result<json::Value, Error> {
    let reply = call.send()?;
    if matches!(reply.status(), 400 | 404 | 422) && !is_page(&reply) && (reply.call() == "add" || says(&reply, &["segment"])) {
        must_exist(job, wanted)?;
    }
    let subscriber = reply.ok_or(refusal)?.need_json()?;
    known.contact_id = Some(id_of(&subscriber)?);
    Ok(subscriber)
}

/// An error when one of these segments is gone: the merchant picks anew, or the tags are prepared once more.
fn must_exist(job: &Job, wanted: &[String]) -> Result<(), Error> {
    let mut stale = Vec::new();
    for id in wanted.iter().take(LOOKS) {
        let reply = Call::new("segment").path("segment", id).send()?;
        if reply.status() != 404 || is_page(&reply) {
            reply.ok_or(refusal)?;
        } else if job.on.picked("segment") == Some(id) {
            return Err(error::destination_missing(404, status::words(&reply)));
        } else {
            stale.extend(name_of(job, id));
        }
    }
    // The rest are not looked at one by one: preparing finds them again.
    stale.extend(wanted.iter().skip(LOOKS).filter_map(|id| name_of(job, id)));
    if stale.is_empty() { Ok(()) } else { Err(error::stale(stale)) }
}

/// The subscriber with this e-mail. Whether case counts in the path is not documented, and somebody who left must not seem new: so the
/// address is looked for in lower case, and then as typed.
fn find_by_email(email: &str) -> Result<Option<json::Value>, Error> {
    let lower = crm_connector_sdk::text::lower(email);
    match find(&lower)? {
        None if lower != email => find(email),
        found => Ok(found),
    }
}

/// The subscriber with this e-mail or id, in whatever state.
fn find(subscriber: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").path("subscriber", subscriber).send()?;
    if reply.status() == 404 && !is_page(&reply) {
        return Ok(None);
    }
    Ok(Some(reply.ok_or(refusal)?.need_json()?))
}

/// Our name of the tag that a segment stands for.
fn name_of<'a>(job: &'a Job, id: &str) -> Option<&'a str> {
    job.on.tags.iter().find(|tag| tag.id.as_deref() == Some(id) && job.set.contains(&tag.name)).map(|tag| tag.name.as_str())
}
