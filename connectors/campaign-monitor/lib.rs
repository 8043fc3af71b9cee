//! Campaign Monitor: subscribers of one list, found by e-mail. Who is not there is added through the vendor's queue, and looked for
//! until the queue is through; everybody else is updated in place. Tags are options of a custom field. There are no contact ids.
//!
//! Must never send `Resubscribe`, which overrides opt-outs: the manifest says `false`. Knows no host name, no credential and no clock.
//! Facts: <https://www.campaignmonitor.com/api/v3-3/subscribers/>.

use crm_connector_sdk::prelude::*;

mod fields;
mod options;
mod pickers;
mod refusal;

use fields::{entries, mapped, ticked_elsewhere};
use options::{KEY, holds, key_of_tags, spelt, ticked};
use refusal::{NO_SUCH_FIELD, NOT_ON_LIST, code, left, refusal};

struct CampaignMonitor;

crm_connector_sdk::export!(CampaignMonitor);

/// Seconds until the first look whether the queue is through, and the longest wait between two.
const FIRST: u32 = 10;
const LONGEST: u32 = 300;

impl Connector for CampaignMonitor {
    fn verify(&self, on: &Connection) -> Result<Account, Error> {
        pickers::account(on)
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(picker)
    }

    fn prepare(&self, _on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        options::prepare(tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let wires = job.set.iter().map(|tag| spelt(tag, &job.on).ok_or_else(|| error::stale([tag]))).collect::<Result<Vec<_>, _>>()?;
        let key = if wires.is_empty() { KEY } else { job.on.need_fact("tags_key")? };
        // Our own addition is looked for under the address that it was made with.
        let former = person::previous_email(&job.who).filter(|_| job.resume.is_none());
        let Some((found, at)) = whose(&job.who.email, former)? else { return add(job, key, &wires) };
        let standing = standing(&found);
        if standing == Standing::Archived {
            return Ok(done(Change::Unchanged).standing(standing));
        }
        let there = ticked(&found, key);
        let missing: Vec<&str> = wires.into_iter().filter(|wire| !holds(&there, wire)).collect();
        let (mut values, warnings) = mapped(&job.who, Some(&found));
        let name = person::full_name(&job.who).filter(|_| json::text(&found, "/Name").is_none());
        let mut change = if job.resume.is_some() { Change::Created } else { Change::Unchanged };
        if at != job.who.email || name.is_some() || !values.is_empty() || !missing.is_empty() {
            values.extend(entries(key, there.iter().map(String::as_str).chain(missing.iter().copied())));
            values.extend(ticked_elsewhere(&found, &values)?);
            let email = if at == job.who.email { json::text(&found, "/EmailAddress") } else { None };
            let body = obj! { "EmailAddress": email.as_ref().unwrap_or(&job.who.email), "Name": name, "CustomFields": values };
            let reply = Call::new("update").query("email", at).json(body).send()?;
            if let Some(standing) = left(&reply) {
                return Ok(done(Change::Unchanged).standing(standing));
            }
            written(reply, job)?;
            change = if job.resume.is_some() { change } else { Change::Updated };
        }
        tags::added(&mut known.tags, &job.set);
        // A value that is no option (any more) is dropped without a word.
        let lost = missing.iter().filter(|_| job.resume.is_some());
        let ending = lost.fold(done(change).standing(standing), |ending, tag| ending.warn(Remark::NotConfirmed, *tag));
        Ok(warnings.into_iter().fold(ending, |ending, (what, key)| ending.warn(what, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some((found, at)) = whose(&job.who.email, person::previous_email(&job.who))? else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let (standing, key) = (standing(&found), key_of_tags(&job.on));
        let clear: Vec<String> = job.clear.iter().map(|tag| spelt(tag, &job.on).unwrap_or(tag).to_owned()).collect();
        let (ours, rest): (Vec<String>, Vec<String>) = ticked(&found, key).into_iter().partition(|tag| holds(&clear, tag));
        let mut change = Change::Unchanged;
        // Whoever the merchant deleted is left alone.
        if !ours.is_empty() && standing != Standing::Archived {
            let mut values = entries(key, rest.iter().map(String::as_str));
            values.extend(ours.iter().map(|tag| obj! { "Key": key, "Value": tag, "Clear": true }));
            values.extend(ticked_elsewhere(&found, &values)?);
            let email = json::text(&found, "/EmailAddress").unwrap_or_else(|| at.to_owned());
            let body = obj! { "EmailAddress": email, "CustomFields": values };
            let reply = Call::new("untag").query("email", at).json(body).send()?;
            if let Some(standing) = left(&reply) {
                return Ok(done(Change::Unchanged).standing(standing));
            }
            written(reply, job)?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = look(&who.email)? else { return Ok(None) };
        let there = ticked(&found, key_of_tags(on));
        let tags = known.tags.iter().filter(|tag| holds(&there, spelt(tag, on).unwrap_or(tag))).cloned().collect();
        let standing = standing(&found);
        let in_destination = Some(matches!(standing, Standing::Normal | Standing::Pending));
        Ok(Some(Seen { known: Known { tags, ..known.clone() }, standing, in_destination }))
    }
}

/// Puts somebody who is not on the list into the queue, or goes on waiting for who was put there.
fn add(job: &Job, key: &str, wires: &[&str]) -> Result<Ending, Error> {
    let looks = job.resume.as_deref().and_then(|looks| looks.parse::<u32>().ok()).unwrap_or_default();
    if job.resume.is_some() {
        let wait = FIRST.saturating_mul(1 << looks.min(5)).min(LONGEST);
        return Ok(later(wait, looks.saturating_add(1).to_string()));
    }
    let (mut values, _) = mapped(&job.who, None);
    // Another campaign's addition may be in the queue, and the later one replaces what the earlier one ticked: both tick all.
    let others = job.all.iter().filter(|tag| !job.set.contains(tag)).filter_map(|tag| spelt(tag, &job.on));
    values.extend(entries(key, wires.iter().copied().chain(others)));
    let body = obj! { "EmailAddress": &job.who.email, "Name": person::full_name(&job.who), "CustomFields": values };
    let reply = Call::new("add").json(body).send()?;
    if let Some(standing) = left(&reply) {
        return Ok(done(Change::Unchanged).standing(standing));
    }
    written(reply, job)?;
    Ok(later(FIRST, "1"))
}

/// Whether a write arrived. A key that names no field any more (whoever renames a field changes its key) is ours, or a mapped one.
fn written(reply: Reply, job: &Job) -> Result<(), Error> {
    if code(&reply) == Some(NO_SUCH_FIELD) {
        return Err(error::stale(std::iter::once("tags_key").chain(job.who.fields.iter().map(|field| field.key.as_str()))));
    }
    reply.ok_or(refusal).map(drop)
}

/// The subscriber with this address, or with the former one; and the address under which it was found.
fn whose<'a>(email: &'a str, former: Option<&'a str>) -> Result<Option<(json::Value, &'a str)>, Error> {
    for at in [Some(email), former].into_iter().flatten() {
        if let Some(found) = look(at)? {
            return Ok(Some((found, at)));
        }
    }
    Ok(None)
}

fn look(email: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").query("email", email).send()?;
    if code(&reply) == Some(NOT_ON_LIST) {
        return Ok(None);
    }
    let found = reply.ok_or(refusal)?.need_json()?;
    match json::text(&found, "/State") {
        Some(_) => Ok(Some(found)),
        None => Err(error::retryable("no-state", "find: the answer names no subscriber")),
    }
}

fn standing(found: &json::Value) -> Standing {
    match json::text(found, "/State").as_deref() {
        Some("Active") => Standing::Normal,
        Some("Unconfirmed") => Standing::Pending,
        // The last two are of the older interface: complained of as spam, and on the client's suppression list.
        Some("Unsubscribed" | "Bounced" | "Spam" | "Suppressed") => Standing::KeptOptedOut,
        // By the merchant, from the list: nothing but `Resubscribe` would bring them back.
        Some("Deleted") => Standing::Archived,
        _ => Standing::Unknown,
    }
}
