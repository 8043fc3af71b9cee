//! Salesforce: contacts or leads, looked up by e-mail, created or filled where empty; then topics (or a field of the merchant's)
//! as tags, and a campaign. The opt-out flag is read and never written.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs and constants are in
//! `connector.toml`. Facts: the REST and Connect REST guides on developer.salesforce.com.

use crm_connector_sdk::{prelude::*, text};

mod pickers;
mod records;
mod refusal;

use records::{Record, find, found_or_created, is_own, known_or_found, names, with_own};
use refusal::{answer, refusal};

struct Salesforce;

crm_connector_sdk::export!(Salesforce);

/// Topics added in one run; `[sync]` counts on it.
const TOPICS: usize = 20;

impl Connector for Salesforce {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let reply = answer(Call::new("organization"))?;
        let sandbox = json::at(&reply, "/records/0/IsSandbox") == Some(&json::Value::Bool(true));
        let name = json::text(&reply, "/records/0/Name").map(|name| if sandbox { format!("{name} (sandbox)") } else { name });
        Ok(Account { id: json::text(&reply, "/records/0/Id"), name, ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(picker, cursor)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let (record, created) = found_or_created(job)?;
        known.contact_id = Some(record.id.clone());
        let there = if created { Vec::new() } else { held(&job.on, &record)? };
        let missing: Vec<&str> = job.set.iter().map(String::as_str).filter(|tag| !there.iter().any(|(_, name)| same(name, tag))).collect();
        let all = there.iter().map(|(_, name)| name.as_str()).chain(missing.iter().copied());
        let tags = if missing.is_empty() { String::new() } else { all.collect::<Vec<_>>().join(";") };
        let first = names(&job.who).0.filter(|_| record.nameless);
        let patch = if record.writable { with_own(job, obj!("FirstName": first), &tags) } else { obj!() };
        if patch != obj!() {
            answer(Call::new("update").path("id", &record.id).json(patch.clone()))?;
        }
        for (n, tag) in missing.iter().enumerate().filter(|_| job.on.setting("tag_field").is_none()) {
            if n == TOPICS {
                return Err(error::retryable("more-tags", format!("{TOPICS} topics were added; the next run adds the others")));
            }
            answer(Call::new("add_topic").path("id", &record.id).json(obj! { "topicName": *tag }))?;
        }
        tags::added(&mut known.tags, &job.set);
        job.on.picked("campaign").map(|campaign| join(campaign, &record.id)).transpose()?;
        let change = if missing.is_empty() && patch == obj!() { Change::Unchanged } else { Change::Updated };
        let several = record.several.then_some((Remark::SeveralMatches, "e-mail"));
        let dropped = job.who.fields.iter().filter(|field| !is_own(job, &field.key) || !created && !record.writable);
        let warnings = several.into_iter().chain(dropped.map(|field| (Remark::DroppedField, field.key.as_str())));
        let ending = done(if created { Change::Created } else { change }).standing(record.standing);
        Ok(warnings.fold(ending, |ending, (what, subject)| ending.warn(what, subject)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(record) = known_or_found(job, known)? else {
            *known = Known::default();
            return Ok(done(Change::Gone));
        };
        known.contact_id = Some(record.id.clone());
        let there = held(&job.on, &record)?;
        let (ours, rest): (Vec<_>, Vec<_>) = there.iter().partition(|(_, name)| job.clear.iter().any(|tag| same(tag, name)));
        let field = job.on.setting("tag_field");
        if let (Some(field), false) = (field, ours.is_empty()) {
            let text = rest.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(";");
            // Null is how a field is emptied.
            let value = if text.is_empty() { json::Value::Null } else { text.into() };
            answer(Call::new("update").path("id", &record.id).json_as_is(&[(field.to_owned(), value)].into_iter().collect()))?;
        }
        for (topic, _) in ours.iter().filter(|_| field.is_none()) {
            let reply = Call::new("remove_topic").path("id", &record.id).query("topicId", topic).send()?;
            let _ = if reply.status() == 404 { reply } else { reply.ok_or(refusal)? }; // 404: somebody else was faster.
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(if ours.is_empty() { Change::Unchanged } else { Change::Updated }).standing(record.standing))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(record) = find(on, "Email", &who.email)? else { return Ok(None) };
        let there = held(on, &record)?;
        let mut known = Known { contact_id: Some(record.id), ..known.clone() };
        known.tags.retain(|tag| there.iter().any(|(_, name)| same(name, tag)));
        Ok(Some(Seen { known, standing: record.standing, in_destination: None }))
    }
}

/// The record's tags: values of the merchant's field, or topics, each with its id.
fn held(on: &Connection, record: &Record) -> Result<Vec<(String, String)>, Error> {
    if on.setting("tag_field").is_some() {
        let values = record.field.split(';').map(str::trim).filter(|value| !value.is_empty());
        return Ok(values.map(|value| (String::new(), value.to_owned())).collect());
    }
    let reply = answer(Call::new("topics").path("id", &record.id))?;
    Ok(json::rows(&reply, "/topics").iter().filter_map(|row| Some((json::text(row, "/id")?, json::text(row, "/name")?))).collect())
}

/// The first three characters of an id tell its kind.
fn join(campaign: &str, id: &str) -> Result<(), Error> {
    let key = if id.starts_with("00Q") { "LeadId" } else { "ContactId" };
    let reply = Call::new("join").json(obj! { "CampaignId": campaign, (key): id }).send()?;
    let already = json::text(&reply.json(), "/0/errorCode").as_deref() == Some("DUPLICATE_VALUE");
    if already { Ok(()) } else { reply.ok_or(refusal).map(|_| ()) }
}

/// Topics and picklist values that differ in case are the same one.
fn same(a: &str, b: &str) -> bool {
    text::lower(a) == text::lower(b)
}
