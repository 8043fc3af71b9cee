//! Mailchimp: members of one audience, upserted under the MD5 of their address, then tagged by name. Two calls per affiliate, both
//! safe to repeat; a third when the address changed.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. The data centre is cut from the key by the
//! manifest. Must never send `status`, which could subscribe somebody again. Facts: <https://mailchimp.com/developer/marketing/>.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::{md5, text};

mod pickers;
mod refusal;

use pickers::{PAGE, next};
use refusal::{COMPLIANCE, accepted, answer, judged, title};

struct Mailchimp;

crm_connector_sdk::export!(Mailchimp);

/// Written from the person's name; no merchant's mapping may reach them.
const NAMES: [&str; 2] = ["FNAME", "LNAME"];

impl Connector for Mailchimp {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let me = answer(Call::new("account"))?;
        let role = json::text(&me, "/role").unwrap_or_default();
        // The roles below Manager cannot change an audience; a key outlives a change of its user's role.
        let lacking =
            matches!(role.as_str(), "author" | "viewer").then(|| format!("the key's user has the role {role}: it needs Manager or higher"));
        let (id, name) = (json::text(&me, "/account_id"), json::text(&me, "/account_name"));
        Ok(Account { id, name, lacking: lacking.into_iter().collect(), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(picker, search, cursor)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let first_time = known.tags.is_empty();
        if let Some(old) = person::previous_email(&job.who)
            && !moved(old, &job.who.email)?
        {
            return Ok(done(Change::Unchanged).standing(Standing::SkippedOptedOut));
        }
        let own = hash(&job.who.email);
        let reply = Call::new("save").path("hash", &own).json(member(job)).send()?;
        if title(&reply) == COMPLIANCE {
            return tag_opted_out(job, known, &own);
        }
        let saved = judged(reply)?;
        let id = json::text(&saved, "/id").unwrap_or(own);
        known.contact_id = Some(id.clone());
        if !job.set.is_empty() {
            accepted(set_tags("tag", &id, &job.set)?)?;
            tags::added(&mut known.tags, &job.set);
        }
        // The answer is 200 for old and new. A new member's times of joining and of the last change are the same.
        let changed = json::text(&saved, "/last_changed");
        let joined = ["/timestamp_opt", "/timestamp_signup"].iter().any(|at| changed.is_some() && json::text(&saved, at) == changed);
        let ending = done(if first_time && joined { Change::Created } else { Change::Updated }).standing(standing(&saved));
        let cleaned = json::text(&saved, "/status").is_some_and(|status| status == "cleaned");
        let ending = if cleaned { ending.warn(Remark::NotConfirmed, BOUNCED) } else { ending };
        let dropped = job.who.fields.iter().filter(|field| NAMES.contains(&field.key.as_str()));
        Ok(dropped.fold(ending, |ending, field| ending.warn(Remark::DroppedField, &field.key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        if job.clear.is_empty() {
            return Ok(done(Change::Unchanged).standing(Standing::Unknown));
        }
        let own = hash(&job.who.email);
        // The id of a contact whose address was changed in Mailchimp no longer resolves; then the address decides.
        let mut ids: Vec<String> = known.contact_id.iter().chain([&own]).cloned().collect();
        ids.dedup();
        for id in ids {
            let reply = set_tags("untag", &id, &job.clear)?;
            if reply.status() != 404 {
                accepted(reply)?;
                known.contact_id = Some(id);
                tags::removed(&mut known.tags, &job.clear);
                return Ok(done(Change::Updated).standing(Standing::Unknown));
            }
        }
        *known = Known::default();
        Ok(done(Change::Gone).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, _on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let own = hash(&who.email);
        let reply = Call::new("member").path("hash", &own).send()?;
        if reply.status() == 404 {
            return Ok(None);
        }
        let found = judged(reply)?;
        let mut on_contact = names(json::rows(&found, "/tags"));
        if json::number(&found, "/tags_count").is_some_and(|count| count > on_contact.len() as i64) {
            on_contact = paging::collect(10, |cursor| {
                let start = paging::offset(cursor)?;
                let reply = answer(Call::new("member_tags").path("hash", &own).query("count", PAGE).query("offset", start))?;
                Ok((names(json::rows(&reply, "/tags")), next(&reply, "/tags", start)))
            })?;
        }
        let mut known = Known { contact_id: json::text(&found, "/id").or(Some(own)), ..known.clone() };
        known.tags.retain(|ours| on_contact.iter().any(|theirs| theirs.eq_ignore_ascii_case(ours)));
        let standing = standing(&found);
        Ok(Some(Seen { known, standing, in_destination: Some(standing != Standing::Archived) }))
    }
}

const BOUNCED: &str = "the address is cleaned: mail to it bounced";

/// Gives the contact with the old address the new one. `false`: they opted out under the old one, and the vendor keeps it so.
fn moved(old: &str, new: &str) -> Result<bool, Error> {
    let reply = Call::new("move").path("hash", hash(old)).json(obj! { "email_address": new }).send()?;
    match (reply.status(), title(&reply).as_str()) {
        (400, COMPLIANCE) => Ok(false),
        // 404: nobody has the old address. Any other 400: the new one is taken, or no good, which the upsert will say.
        (400 | 404, _) => Ok(true),
        _ => accepted(reply).map(|_| true),
    }
}

fn member(job: &Job) -> json::Value {
    let (first, last) = person::names(&job.who);
    let mut fields = obj! { "FNAME": first, "LNAME": last };
    for field in job.who.fields.iter().filter(|field| !NAMES.contains(&field.key.as_str())) {
        // Merge fields hold text or numbers.
        match &field.value {
            Value::Many(parts) => body::put(&mut fields, &field.key, parts.join(", ")),
            Value::Truth(truth) => body::put(&mut fields, &field.key, truth.to_string()),
            value => body::put(&mut fields, &field.key, value),
        }
    }
    let as_audience = if job.on.fact("double_optin") == Some("true") { "pending" } else { "subscribed" };
    let status = job.on.setting("new_contacts").filter(|choice| *choice != "as-audience").unwrap_or(as_audience);
    obj! { "email_address": &job.who.email, "status_if_new": status, "merge_fields": fields }
}

/// The contact may not be written, but it is there: tags change no subscription.
fn tag_opted_out(job: &Job, known: &mut Known, id: &str) -> Result<Ending, Error> {
    let skipped = done(Change::Unchanged).standing(Standing::SkippedOptedOut);
    if job.set.is_empty() {
        return Ok(skipped);
    }
    let reply = set_tags("tag", id, &job.set)?;
    if reply.status() == 404 {
        return Ok(skipped);
    }
    accepted(reply)?;
    known.contact_id = Some(id.to_owned());
    tags::added(&mut known.tags, &job.set);
    Ok(done(Change::Updated).standing(Standing::KeptOptedOut))
}

fn set_tags(call: &str, id: &str, names: &[String]) -> Result<Reply, Error> {
    let tags: Vec<json::Value> = names.iter().map(|name| obj! { "name": name }).collect();
    Call::new(call).path("hash", id).json(obj! { "tags": tags }).send()
}

fn standing(member: &json::Value) -> Standing {
    match json::text(member, "/status").as_deref() {
        Some("subscribed") => Standing::Normal,
        Some("pending") => Standing::Pending,
        Some("unsubscribed" | "cleaned") => Standing::KeptOptedOut,
        Some("archived") => Standing::Archived,
        // `transactional`: never subscribed, and whether they ever left is not said.
        _ => Standing::Unknown,
    }
}

/// Mailchimp's name of a contact.
fn hash(email: &str) -> String {
    md5::hex(&text::lower(email.trim()))
}

fn names(rows: &[json::Value]) -> Vec<String> {
    rows.iter().filter_map(|row| json::text(row, "/name")).collect()
}
