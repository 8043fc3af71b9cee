//! HighLevel: contacts of one sub-account. Whoever has the e-mail is looked for first, for an upsert may cost somebody their main
//! address; then the tags by name, and the picked workflow once.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Must never send `dnd`, which is consent, nor `tags`
//! with a contact, which replaces the whole set. Facts: <https://marketplace.gohighlevel.com/docs/>.

use crm_connector_sdk::memo;
use crm_connector_sdk::prelude::*;

mod people;
mod pickers;
mod refusal;

use refusal::{answer, is_gone, judged};

struct HighLevel;

crm_connector_sdk::export!(HighLevel);

impl Connector for HighLevel {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let reply = answer(Call::new("location"))?;
        let id =
            json::text(&reply, "/location/id").ok_or_else(|| error::retryable("no-id", "location: the answer names no sub-account"))?;
        Ok(Account { id: Some(id), name: json::text(&reply, "/location/name"), ..Account::default() })
    }

    fn list_choices(&self, on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(on, picker)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let people::Brought { id, contact, change, keeps_address } = people::bring(job, known)?;
        // Only what is missing: a tag that is added once more might start a workflow once more.
        let there = people::tags(&contact);
        let missing: Vec<String> = job.set.iter().map(|tag| people::wire(tag)).filter(|tag| !there.contains(tag)).collect();
        let workflow = job.on.picked("workflow");
        if !missing.is_empty() {
            answer(Call::new("tag").path("contact", &id).json(obj! { "tags": &missing }))?;
            known.memo = None;
            if let Some(workflow) = workflow {
                memo::write(known, &obj! { "owed": workflow })?;
            }
        }
        tags::added(&mut known.tags, &job.set);
        // Once, for whoever was tagged just now, or in an earlier attempt that failed here.
        let owed = json::text(&memo::read(known), "/owed");
        let mut ending = done(change).standing(people::standing(&contact));
        if keeps_address {
            ending = ending.warn(Remark::DroppedField, "email");
        }
        if let Some(workflow) = workflow.filter(|picked| owed.as_deref() == Some(picked))
            && !enrol(&id)?
        {
            ending = ending.warn(Remark::NotConfirmed, format!("workflow {workflow}"));
        }
        known.memo = None;
        Ok(ending)
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        if job.clear.is_empty() {
            return Ok(done(Change::Unchanged).standing(Standing::Unknown));
        }
        let off = |id: &str| {
            let names: Vec<String> = job.clear.iter().map(|tag| people::wire(tag)).collect();
            let reply = Call::new("untag").path("contact", id).json(obj! { "tags": names }).send()?;
            if is_gone(&reply) { Ok(None) } else { judged(reply).map(Some) }
        };
        let mut id = known.contact_id.clone();
        let mut reply = id.as_deref().map_or(Ok(None), off)?;
        if reply.is_none() {
            // Merged or deleted: whoever has the e-mail now, or had it before a change.
            id = people::by_emails(job)?;
            reply = id.as_deref().map_or(Ok(None), off)?;
        }
        if reply.is_none() {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        }
        known.contact_id = id;
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(Change::Updated).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(contact) = people::locate(on, &who.email, known.contact_id.as_deref())? else { return Ok(None) };
        let mut known = Known { contact_id: json::text(&contact, "/id"), ..known.clone() };
        let there = people::tags(&contact);
        known.tags.retain(|tag| there.contains(&people::wire(tag)));
        Ok(Some(Seen { known, standing: people::standing(&contact), in_destination: None }))
    }
}

/// Adds the contact to the picked workflow. `false`: an earlier attempt sent this and its answer was lost. Nothing shows who is in a
/// workflow, and being added twice means being written to twice, so it is not sent again.
fn enrol(id: &str) -> Result<bool, Error> {
    match Call::new("enrol").path("contact", id).json(obj! {}).try_send() {
        Err(Unanswered::UnknownOutcome) => Ok(false),
        Err(why) => Err(error::unanswered("enrol", why)),
        Ok(reply) => {
            let reply = judged(reply)?;
            // The vendor spells it both ways.
            Ok(["/succeded", "/succeeded"].iter().all(|key| json::at(&reply, key) != Some(&json::Value::Bool(false))))
        }
    }
}
