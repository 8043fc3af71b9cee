//! Ortto: people of one account, merged by e-mail with names and tags in one call that only ever adds. `bol::p`, the e-mail
//! permission, is never written, and nothing that is there is changed.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. The region is the merchant's choice and is
//! never probed: refused requests ban the host's address. Facts: <https://help.ortto.com/a-250-api-reference>.

use crm_connector_sdk::prelude::*;

mod fields;
mod refusal;

use refusal::{answer, judged};

struct Ortto;

crm_connector_sdk::export!(Ortto);

impl Connector for Ortto {
    fn verify(&self, on: &Connection) -> Result<Account, Error> {
        let tags = answer(Call::new("list_tags").json(obj! {}))?;
        // Each tag names the account; without tags there is nothing that does.
        let id = json::rows(&tags, "").iter().find_map(|tag| json::text(tag, "/instance_id"));
        let name = id.clone().unwrap_or_else(|| format!("Ortto account (region {})", on.setting("region").unwrap_or("default")));
        Ok(Account { id, name: Some(name), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        let items = match picker {
            "tags" => {
                let tags = answer(Call::new("list_tags").json(obj! {}))?;
                // Organizations have tags of their own in the same list.
                let people = json::rows(&tags, "").iter().filter(|tag| json::text(tag, "/type").is_none());
                people.filter_map(|tag| json::text(tag, "/name")).map(|name| Choice::new(&name, &name)).collect()
            }
            "fields" => fields::choices()?,
            other => return Err(error::unsupported(format!("Ortto has no picker named '{other}'"))),
        };
        Ok(Page { items, next: None })
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        // Tags go by name and are created by use: nothing to resolve.
        let bound = tags.iter().map(|tag| Binding { name: tag.clone(), wire: tag.clone(), id: None });
        let mut prepared = Prepared { tags: bound.collect(), ..Prepared::default() };
        if on.is_on("status_fields") {
            fields::prepare_own(on, apply, &mut prepared)?;
        }
        Ok(prepared)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let (first, last) = person::names(&job.who);
        let mut contact = obj! { "str::email": &job.who.email, "str::first": first, "str::last": last };
        let status = if job.on.is_on("status_fields") { Some(job.on.need_fact("status_field")?) } else { None };
        if let Some(field) = status {
            body::put(&mut contact, field, "approved");
        }
        let mut dropped = Vec::new();
        for field in &job.who.fields {
            match fields::wire(field) {
                Some(value) => body::put(&mut contact, &field.key, value),
                None => dropped.push(&field.key),
            }
        }
        let people = json::Value::from(vec![obj! { "fields": contact, "tags": &job.set }]);
        let person = merged(Call::new("merge").json(obj! { "people": people }), status)?;
        known.contact_id = json::text(&person, "/person_id").or(known.contact_id.take());
        let (change, standing) = match json::text(&person, "/status").as_deref() {
            Some("created") => (Change::Created, Standing::Normal),
            // The answer does not tell the e-mail permission, which stays as it is.
            Some("merged") => (Change::Updated, Standing::Unknown),
            _ => return Err(error::retryable("no-status", "merge: the answer does not say what became of the person")),
        };
        tags::added(&mut known.tags, &job.set);
        let ending = done(change).standing(standing);
        Ok(dropped.into_iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        if job.clear.is_empty() {
            return Ok(done(Change::Unchanged).standing(Standing::Unknown));
        }
        let people = json::Value::from(vec![obj! { "fields": obj! { "str::email": &job.who.email }, "unset_tags": &job.clear }]);
        let reply = Call::new("untag").json(obj! { "people": people }).send()?;
        let body = reply.json();
        // With skip_non_existing nobody is made; how that is said is not documented: no row with an id, or no valid person at all.
        let nobody = json::text(&body, "/error").is_some_and(|text| text.starts_with("No valid contacts"));
        let is_invalid = json::text(&body, "/details/0/status").as_deref() == Some("invalid");
        if !(reply.status() == 400 && nobody && !is_invalid) {
            let answer = judged(reply)?;
            if json::at(&answer, "/people").is_none() {
                return Err(error::retryable("no-people", "untag: the answer has no list of people"));
            }
            if let Some(id) = json::text(&answer, "/people/0/person_id") {
                known.contact_id = Some(id);
                tags::removed(&mut known.tags, &job.clear);
                return Ok(done(Change::Updated).standing(Standing::Unknown));
            }
        }
        *known = Known::default();
        Ok(done(Change::Gone).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, _on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let filter = obj! { "$str::is": obj! { "value": &who.email } };
        let found = answer(Call::new("find").json(obj! { "filter": filter }))?;
        if json::at(&found, "/contacts").is_none() {
            return Err(error::retryable("no-contacts", "find: the answer has no list of people"));
        }
        let Some(person) = json::rows(&found, "/contacts").first() else { return Ok(None) };
        let there: Vec<String> = json::rows(person, "/fields/tags").iter().filter_map(|tag| json::text(tag, "")).collect();
        let tags = known.tags.iter().filter(|tag| there.contains(tag)).cloned().collect();
        let standing = match json::at(person, "/fields/bol::p") {
            Some(json::Value::Bool(true)) => Standing::Normal,
            Some(json::Value::Bool(false)) => Standing::KeptOptedOut,
            _ => Standing::Unknown,
        };
        let known = Known { contact_id: json::text(person, "/id"), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing, in_destination: None }))
    }
}

/// The one person of a merge. Whether a refusal stands in a 200 or under `details` of a 400, its row looks alike.
fn merged(call: Call, status_field: Option<&str>) -> Result<json::Value, Error> {
    let reply = call.send()?;
    let body = reply.json();
    let row = json::at(&body, if reply.is_ok() { "/people/0" } else { "/details/0" });
    let Some(why) = row.and_then(|row| json::text(row, "/error")) else {
        return Ok(json::at(&judged(reply)?, "/people/0").cloned().unwrap_or_default());
    };
    let status = row.and_then(|row| json::text(row, "/status")).unwrap_or_default();
    let field = why.split("failed to validate field ").nth(1).and_then(|rest| rest.split_whitespace().next());
    Err(match field {
        Some(field) if Some(field) == status_field => error::stale(["status_field"]),
        Some(field) if field != "str::email" => error::rejected(field, status, &why),
        _ => error::rejected("email", status, &why),
    })
}
