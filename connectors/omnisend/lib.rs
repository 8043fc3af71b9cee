//! Omnisend: one pool of contacts, looked up by e-mail, tagged by name. Who is new is created with tags and, where the merchant's setting
//! and a consent allow it, subscribed; who is there keeps every status. Tags on existing contacts are put on by the vendor's queue, so
//! they are looked for until they show. Must not hold a host name, a credential or a clock. Facts: <https://api-docs.omnisend.com>.

use crm_connector_sdk::prelude::*;

mod contact;
mod moment;
mod refusal;

use contact::{additions, address, dropped, find, newcomer, on_contact, spelled, standing};
use refusal::{answer, refusal, told};

struct Omnisend;

crm_connector_sdk::export!(Omnisend);

/// Seconds before each look for tags that were accepted. After the last they are called not confirmed.
const LOOKS_S: [u32; 7] = [5, 10, 30, 60, 120, 300, 300];

impl Connector for Omnisend {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let reply = Call::new("brand").send()?;
        let mut account = Account::default();
        // A key without this permission can do all the work; only the store stays unnamed.
        if reply.status() == 403 && told(&reply).is_some() {
            account.lacking.push("Brands: read (the store's name cannot be shown)".to_owned());
        } else {
            let brand = reply.ok_or(refusal)?.need_json()?;
            account.id =
                Some(json::text(&brand, "/brandID").ok_or_else(|| error::retryable("no-brand", "brand: the answer names no store"))?);
            account.name = json::first_text(&brand, &["/name", "/website"]);
        }
        answer(Call::new("probe"))?;
        Ok(account)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let found = find(&job.who.email)?;
        // Who was deleted meanwhile is begun anew.
        let looks = if found.is_some() { looks(job) } else { 0 };
        let (there, change) = match found {
            None => create(job)?,
            // A later look at what an earlier run did.
            Some(there) if looks > 0 => (there, if is_created(job) { Change::Created } else { Change::Updated }),
            Some(there) => {
                learnt(&there, known)?;
                let body = additions(&job.who, &there);
                let change = if body == obj! {} { Change::Unchanged } else { Change::Updated };
                if change == Change::Updated {
                    answer(Call::new("update").query("email", spelling(&there, job)).json(body))?;
                }
                (there, change)
            }
        };
        learnt(&there, known)?;
        let on = on_contact(&there);
        let (there_now, missing): (Vec<String>, Vec<String>) = job.set.iter().cloned().partition(|tag| spelled(&on, tag).is_some());
        tags::added(&mut known.tags, &there_now);
        let mut ending = done(change).standing(standing(&there, &job.who.email));
        if !missing.is_empty() {
            if looks == 0 {
                Call::new("tag").json(obj! { "emails": [spelling(&there, job)], "tags": &missing }).send()?.ok_or(refusal)?;
                // Accepted; from here on they may be on the contact because of us.
                tags::added(&mut known.tags, &missing);
            }
            if let Some(seconds) = LOOKS_S.get(looks) {
                return Ok(again(looks, change == Change::Created, *seconds));
            }
            tags::removed(&mut known.tags, &missing);
            ending = missing.iter().fold(ending, |ending, tag| ending.warn(Remark::NotConfirmed, tag));
        }
        Ok(dropped(&job.who).fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = find(&job.who.email)?;
        if let (None, Some(id)) = (&found, &known.contact_id) {
            let reply = Call::new("contact").path("id", id).send()?;
            if reply.status() != 404 || told(&reply).is_none() {
                found = Some(reply.ok_or(refusal)?.need_json()?);
            }
        }
        let Some(there) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = learnt(&there, known)?;
        let on = on_contact(&there);
        // As the contact has them; never another spelling that is wanted for itself.
        let off: Vec<&String> =
            job.clear.iter().filter_map(|tag| spelled(&on, tag).filter(|there| *there == tag || !job.all.contains(there))).collect();
        let mut ending = done(if looks(job) == 0 { Change::Unchanged } else { Change::Updated }).standing(standing(&there, &job.who.email));
        let mut cleared = job.clear.clone();
        if !off.is_empty() {
            if looks(job) == 0 {
                let off: Vec<&str> = off.iter().map(|tag| tag.as_str()).collect();
                // By the address, like all else; by the id where the contact has another one now.
                let body = match address(&there, &job.who.email) {
                    Some(email) => obj! { "emails": [email], "tags": off },
                    None => obj! { "contactIDs": [id], "tags": off },
                };
                Call::new("untag").json(body).send()?.ok_or(refusal)?;
            }
            if let Some(seconds) = LOOKS_S.get(looks(job)) {
                return Ok(again(looks(job), false, *seconds));
            }
            cleared.retain(|tag| spelled(&on, tag).is_none());
            ending = off.into_iter().fold(ending, |ending, tag| ending.warn(Remark::NotConfirmed, tag));
        }
        tags::removed(&mut known.tags, &cleared);
        Ok(ending)
    }

    fn lookup_contact(&self, _on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(there) = find(&who.email)? else { return Ok(None) };
        let on = on_contact(&there);
        let tags = known.tags.iter().filter(|tag| spelled(&on, tag).is_some()).cloned().collect();
        let known = Known { contact_id: json::text(&there, "/id"), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: standing(&there, &who.email), in_destination: None }))
    }
}

/// Creates whom the look did not find. 200: somebody was there after all, and was updated.
fn create(job: &Job) -> Result<(json::Value, Change), Error> {
    let reply = Call::new("create").json(newcomer(job)).send()?.ok_or(refusal)?;
    let change = if reply.status() == 200 { Change::Updated } else { Change::Created };
    let mut made = reply.need_json()?;
    // An answer that shows no tags says nothing about them: they were part of the creation.
    if change == Change::Created && json::at(&made, "/tags").is_none() {
        body::put(&mut made, "tags", &job.set);
    }
    Ok((made, change))
}

/// The contact's id, remembered the moment it is shown.
fn learnt(contact: &json::Value, known: &mut Known) -> Result<String, Error> {
    let id = json::text(contact, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no contact"))?;
    known.contact_id = Some(id.clone());
    Ok(id)
}

/// How often this job has looked for its tags; none in a first run.
fn looks(job: &Job) -> usize {
    job.resume.as_deref().and_then(|at| at.split(' ').next()?.parse().ok()).unwrap_or_default()
}

fn is_created(job: &Job) -> bool {
    job.resume.as_deref().is_some_and(|at| at.ends_with("created"))
}

fn again(looks: usize, created: bool, seconds: u32) -> Ending {
    later(seconds, format!("{} {}", looks + 1, if created { "created" } else { "updated" }))
}

/// The address as the contact has it. An answer that does not show it is the one to what we wrote ourselves.
fn spelling(there: &json::Value, job: &Job) -> String {
    address(there, &job.who.email).unwrap_or_else(|| job.who.email.clone())
}
