//! beehiiv: subscriptions of one publication, looked for by e-mail, added when new, then tagged by name.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Must never add somebody who is there: the manifest
//! fixes `reactivate_existing` to false and lets the call out for new addresses only. Facts: <https://developers.beehiiv.com>.

use crm_connector_sdk::prelude::*;

mod refusal;

use refusal::{accepted, answer, judged};

struct Beehiiv;

crm_connector_sdk::export!(Beehiiv);

/// Seconds until an address that is being validated is looked at again.
const VALIDATING_S: u32 = 60;
/// What such a look is handed back.
const VALIDATING: &str = "validating";

impl Connector for Beehiiv {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let page = answer(Call::new("publications").query("page", 1))?;
        // An organization has no id: its oldest publication is a good fingerprint.
        let id = json::text(&page, "/data/0/id");
        let lacking = id.is_none().then(|| "the key sees no publication".to_owned());
        let name = json::first_text(&page, &["/data/0/organization_name", "/data/0/name"]);
        Ok(Account { id, name, lacking: lacking.into_iter().collect(), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        let names_only = matches!(picker, "first_name_field" | "last_name_field");
        match picker {
            "publication" => page(Call::new("publications").query("page", cursor.unwrap_or("1")), |row| {
                let choice = Choice::new(json::text(row, "/id")?, json::text(row, "/name")?);
                Some(json::text(row, "/organization_name").into_iter().fold(choice, Choice::detail))
            }),
            "fields" | "first_name_field" | "last_name_field" => page(Call::new("list_fields").query_opt("page", cursor), |row| {
                // On the wire a field is known by its name.
                let (name, kind) = (json::text(row, "/display")?, json::text(row, "/kind").unwrap_or_default());
                (!names_only || kind == "string").then(|| Choice::new(&name, &name).detail(kind))
            }),
            other => Err(error::unsupported(format!("beehiiv has no picker named '{other}'"))),
        }
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let (person, is_new) = match find(&job.who.email)? {
            Some(person) => (person, false),
            None => (subscribe(job)?, true),
        };
        let id = json::text(&person, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no subscription"))?;
        known.contact_id = Some(id.clone());
        let fields = if is_new { Vec::new() } else { custom_fields(job, &person) };
        let has_fields = !fields.is_empty();
        if has_fields {
            answer(Call::new("update").path("id", &id).json(obj! { "custom_fields": fields }))?;
        }
        let missing: Vec<String> = job.set.iter().filter(|tag| !has_tag(&person, tag)).cloned().collect();
        if !missing.is_empty() {
            answer(Call::new("tag").path("id", &id).json(obj! { "tags": &missing }))?;
        }
        tags::added(&mut known.tags, &job.set);
        if is_new && job.resume.is_none() && is(&person, VALIDATING) {
            return Ok(later(VALIDATING_S, VALIDATING));
        }
        // Only who was added by this job is looked at again.
        if job.resume.is_some() && is(&person, "invalid") {
            return Err(error::rejected("email", "invalid", "beehiiv checked the address and found it invalid"));
        }
        let added = is_new || job.resume.is_some();
        let change = match (added, has_fields || !missing.is_empty()) {
            (true, _) => Change::Created,
            (false, true) => Change::Updated,
            (false, false) => Change::Unchanged,
        };
        Ok(stands(&person, done(change)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        // Without names the call would say nothing of what to take off.
        if job.clear.is_empty() {
            return Ok(done(Change::Unchanged).standing(Standing::Unknown));
        }
        let ours = known.contact_id.clone();
        if let Some(id) = &ours {
            let reply = Call::new("untag").path("id", id).json(obj! { "tags": &job.clear }).send()?;
            if reply.status() != 404 {
                accepted(reply)?;
                tags::removed(&mut known.tags, &job.clear);
                return Ok(done(Change::Updated).standing(Standing::Unknown));
            }
        }
        // Not known, or somebody deleted the subscription and it was added anew.
        let Some(person) = find(&job.who.email)? else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = json::text(&person, "/id").filter(|id| ours.as_ref() != Some(id));
        let id = id.ok_or_else(|| error::retryable(404, "untag: the subscription is found and is not found at once"))?;
        known.contact_id = Some(id.clone());
        let there: Vec<String> = job.clear.iter().filter(|tag| has_tag(&person, tag)).cloned().collect();
        if !there.is_empty() {
            accepted(Call::new("untag").path("id", &id).json(obj! { "tags": &there }).send()?)?;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(stands(&person, done(if there.is_empty() { Change::Unchanged } else { Change::Updated })))
    }

    fn lookup_contact(&self, _on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(person) = find(&who.email)? else { return Ok(None) };
        let mut known = Known { contact_id: json::text(&person, "/id"), ..known.clone() };
        // Absent is not empty: then the answer does not say which tags there are.
        if json::at(&person, "/tags").is_some() {
            known.tags.retain(|tag| has_tag(&person, tag));
        }
        Ok(Some(Seen { known, standing: standing(&person), in_destination: Some(true) }))
    }
}

/// The subscription with this address, tags and custom fields included. `None` when there is none.
fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let call = Call::new("find").path("email", email.trim()).query("expand[]", "tags").query("expand[]", "custom_fields");
    let reply = call.send()?;
    if reply.status() == 404 {
        return Ok(None);
    }
    data(&judged(reply)?).map(Some)
}

fn subscribe(job: &Job) -> Result<json::Value, Error> {
    let body = obj! { "email": &job.who.email, "custom_fields": custom_fields(job, &json::Value::Null) };
    data(&answer(Call::new("subscribe").json(body))?)
}

/// What of our data differs from what is there. A name is written only where there is none.
fn custom_fields(job: &Job, person: &json::Value) -> Vec<json::Value> {
    let (first, last) = person::names(&job.who);
    let names = [("first_name_field", first), ("last_name_field", last)];
    let names = names.into_iter().filter_map(|(picker, name)| Some((job.on.picked(picker)?, json::Value::from(name?))));
    let names: Vec<_> = names.filter(|(field, _)| value_of(person, field).and_then(|there| body::tidy(there.clone())).is_none()).collect();
    let fields = job.who.fields.iter().map(|field| (field.key.as_str(), body::Json::into_json(&field.value)));
    let fields = fields.filter(|(field, value)| value_of(person, field) != Some(value) && body::tidy(value.clone()).is_some());
    names.into_iter().chain(fields).map(|(field, value)| obj! { "name": field, "value": value }).collect()
}

fn value_of<'a>(person: &'a json::Value, field: &str) -> Option<&'a json::Value> {
    let row = json::rows(person, "/custom_fields").iter().find(|row| json::text(row, "/name").as_deref() == Some(field))?;
    json::at(row, "/value")
}

fn has_tag(person: &json::Value, tag: &str) -> bool {
    let lower = crm_connector_sdk::text::lower;
    json::rows(person, "/tags").iter().filter_map(json::Value::as_str).any(|there| lower(there) == lower(tag))
}

fn is(person: &json::Value, status: &str) -> bool {
    json::text(person, "/status").is_some_and(|there| there == status)
}

fn standing(person: &json::Value) -> Standing {
    match json::text(person, "/status").as_deref() {
        Some("active") => Standing::Normal,
        Some("pending" | "validating" | "needs_attention") => Standing::Pending,
        // Possibly by an unsubscribe, says the vendor, or by the person's own pause; whatever it was, it stays so.
        Some("inactive" | "paused") => Standing::KeptOptedOut,
        _ => Standing::Unknown,
    }
}

/// The standing, and what the merchant should know of it.
fn stands(person: &json::Value, ending: Ending) -> Ending {
    let ending = ending.standing(standing(person));
    match json::text(person, "/status").as_deref() {
        Some("validating") => ending.warn(Remark::NotConfirmed, "beehiiv is still checking the address"),
        Some("needs_attention") => ending.warn(Remark::NotConfirmed, "the subscription waits for your approval in beehiiv"),
        Some("invalid") => ending.warn(Remark::NotConfirmed, "beehiiv found the address invalid"),
        _ => ending,
    }
}

/// One page of a picker; pages are counted from one.
fn page(call: Call, choice: impl Fn(&json::Value) -> Option<Choice>) -> Result<Page, Error> {
    let reply = answer(call)?;
    let (number, pages) = (json::number(&reply, "/page").unwrap_or(1), json::number(&reply, "/total_pages").unwrap_or(1));
    let items = json::rows(&reply, "/data").iter().filter_map(choice).collect();
    Ok(Page { items, next: (number < pages).then(|| (number + 1).to_string()) })
}

fn data(reply: &json::Value) -> Result<json::Value, Error> {
    json::at(reply, "/data").cloned().ok_or_else(|| error::retryable("no-data", "the answer holds no subscription"))
}
