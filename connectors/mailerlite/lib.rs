//! MailerLite: one pool of subscribers, in groups that stand for tags. New and active people are upserted by address with what they
//! lack; others, such as those who left, are only put into groups, one call each. No status is ever sent. Knows this vendor's API and
//! nothing else: no host name, no credential, no clock. Facts: <https://developers.mailerlite.com>, mailerlite-nodejs faebc1b.

use crm_connector_sdk::prelude::*;

mod groups;
mod refusal;
mod subscriber;

use refusal::{answer, complaints, is_opt_out, is_page, refusal};
use subscriber::{dropped, fields, id_of, is_active, is_for, is_in, standing};

struct MailerLite;

crm_connector_sdk::export!(MailerLite);

impl Connector for MailerLite {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let reply = Call::new("account").send()?;
        if reply.status() == 404 && !is_page(&reply) {
            answer(Call::new("test"))?;
            return Ok(Account { name: Some("MailerLite account".to_owned()), ..Account::default() });
        }
        let account = reply.ok_or(refusal)?.need_json()?;
        let id = json::text(&account, "/data/id").ok_or_else(|| error::retryable("no-account", "the answer names no account"))?;
        // Its token still answers here, and nowhere else.
        if let Some(end @ ("terminated" | "closed")) = json::text(&account, "/data/status").as_deref() {
            return Err(error::credentials(Trouble::AccountClosed, end, format!("MailerLite says that this account is {end}")));
        }
        Ok(Account { id: Some(id), name: json::first_text(&account, &["/data/name", "/data/sender_email"]), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        groups::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        groups::prepare(tags, &on.tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut wanted: Vec<String> = job.on.picked("group").map(str::to_owned).into_iter().collect();
        tags::added(&mut wanted, &tags::ids(&job.set, &job.on.tags)?);
        let found = find(&job.who.email)?;
        if let Some(found) = &found {
            known.contact_id = Some(id_of(found)?);
        }
        let there = found.unwrap_or(json::Value::Null);
        wanted.retain(|group| !is_in(&there, group));
        let upsert = there.is_null() || is_active(&there);
        let written = if upsert { save(job, known, &there, &wanted)? } else { assign(job, known, &there, &wanted)? };
        let Some((subscriber, change)) = written else {
            return Ok(done(Change::Unchanged).standing(Standing::SkippedOptedOut));
        };
        known.contact_id = Some(id_of(&subscriber)?);
        tags::added(&mut known.tags, &job.set);
        let ending = done(change).standing(standing(&subscriber));
        Ok(dropped(&job.who, &subscriber, upsert).iter().fold(ending, |ending, field| ending.warn(Remark::DroppedField, field)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = find(&job.who.email)?;
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
        let wanted: Vec<&String> = job.all.iter().filter(|tag| !job.clear.contains(tag)).collect();
        // One group may stand for two spellings of a tag, or be the one that was picked: what is still wanted stays.
        let keeps = |group: &json::Value| {
            json::text(group, "/id").as_deref() == job.on.picked("group") || wanted.iter().any(|tag| is_for(&job.on, tag, group))
        };
        let mut change = Change::Unchanged;
        for tag in &job.clear {
            let groups = json::rows(&found, "/groups").iter().filter(|group| is_for(&job.on, tag, group) && !keeps(group));
            for group in groups.filter_map(|group| json::text(group, "/id")) {
                let reply = Call::new("remove").path("subscriber", &id).path("group", group).send()?;
                // Taken out, or deleted, by somebody else meanwhile.
                if reply.status() != 404 || is_page(&reply) {
                    reply.ok_or(refusal)?;
                    change = Change::Updated;
                }
            }
            tags::removed(&mut known.tags, std::slice::from_ref(tag));
        }
        Ok(done(change).standing(standing(&found)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = find(&who.email)? else { return Ok(None) };
        let is_there = |tag: &&String| json::rows(&found, "/groups").iter().any(|group| is_for(on, tag, group));
        let tags = known.tags.iter().filter(is_there).cloned().collect();
        let in_destination = on.picked("group").map(|picked| is_in(&found, picked));
        let known = Known { contact_id: Some(id_of(&found)?), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: standing(&found), in_destination }))
    }
}

/// What is written, or found to be there already. `None`: MailerLite refuses the person as one who left.
type Written = Option<(json::Value, Change)>;

/// The upsert, for somebody new or active, with what is missing. It takes nothing away.
fn save(job: &Job, known: &mut Known, there: &json::Value, missing: &[String]) -> Result<Written, Error> {
    let fields = fields(&job.who, there);
    if !there.is_null() && missing.is_empty() && fields == obj! {} {
        return Ok(Some((there.clone(), Change::Unchanged)));
    }
    let reply = Call::new("save").json(obj! { "email": &job.who.email, "fields": fields, "groups": missing }).send()?;
    if is_opt_out(&reply) {
        known.contact_id = json::text(&reply.json(), "/subscriber").or(known.contact_id.take());
        return Ok(None);
    }
    let change = if reply.status() == 201 { Change::Created } else { Change::Updated };
    // `groups.1` is the second of those that were asked for.
    let gone = complaints(&reply).into_iter().filter_map(|key| missing.get(key.strip_prefix("groups.")?.parse::<usize>().ok()?).cloned());
    must_exist(job, &gone.collect::<Vec<_>>(), &reply)?;
    Ok(Some((reply.ok_or(refusal)?.need_json()?["data"].take(), change)))
}

/// Group by group, for somebody who is not active: the upsert would not be refused for all of them, and what it does is not documented.
fn assign(job: &Job, known: &mut Known, there: &json::Value, missing: &[String]) -> Result<Written, Error> {
    for group in missing {
        let reply = Call::new("assign").path("subscriber", id_of(there)?).path("group", group).send()?;
        if is_opt_out(&reply) {
            return Ok(None);
        }
        if reply.status() == 404 && !is_page(&reply) {
            // The subscriber was there a moment ago, so it is the group that is gone.
            must_exist(job, std::slice::from_ref(group), &reply)?;
        }
        reply.ok_or(refusal)?;
        tags::added(&mut known.tags, &tags_of(job, group));
    }
    Ok(Some((there.clone(), if missing.is_empty() { Change::Unchanged } else { Change::Updated })))
}

/// An error when there are groups that are gone: the merchant picks anew, or the tags are prepared once more.
fn must_exist(job: &Job, gone: &[String], reply: &Reply) -> Result<(), Error> {
    if gone.iter().any(|group| job.on.picked("group") == Some(group)) {
        return Err(error::destination_missing(reply.status(), status::words(reply)));
    }
    let stale: Vec<String> = gone.iter().flat_map(|group| tags_of(job, group)).collect();
    if stale.is_empty() { Ok(()) } else { Err(error::stale(stale)) }
}

/// Our tags that this group stands for.
fn tags_of(job: &Job, group: &str) -> Vec<String> {
    let tags = job.on.tags.iter().filter(|tag| tag.id.as_deref() == Some(group) && job.set.contains(&tag.name));
    tags.map(|tag| tag.name.clone()).collect()
}

/// The subscriber with this e-mail or id, in whatever status.
fn find(subscriber: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").path("subscriber", subscriber).send()?;
    if reply.status() == 404 && !is_page(&reply) {
        return Ok(None);
    }
    Ok(Some(reply.ok_or(refusal)?.need_json()?["data"].take()))
}
