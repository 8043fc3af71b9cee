//! HubSpot: contacts found by e-mail, made or updated, tagged in the checkbox property `rekomi_tags` and, if picked, put on a list.
//! There is no upsert by e-mail that leaves other values alone, so each sync looks first. Must not hold a host name, a credential or
//! a clock, and never touches subscriptions. Facts: HubSpot's API description of version 2026-09, <https://developers.hubspot.com/docs>.

use crm_connector_sdk::prelude::*;

mod options;
mod pickers;
mod refusal;

use options::{TAGS, spelt, ticked};
use refusal::{answer, existing, refusal, unless_404};

struct HubSpot;

crm_connector_sdk::export!(HubSpot);

impl Connector for HubSpot {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let mut account = Account::default();
        let details = Call::new("details").send()?;
        // The details ask for a scope of their own, which a key may lack; the contacts are what matters.
        if details.json()["category"] != "MISSING_SCOPES" {
            let details = details.ok_or(refusal)?.need_json()?;
            let domain = json::text(&details, "/uiDomain").map(|domain| format!(" ({domain})")).unwrap_or_default();
            account.id = json::text(&details, "/portalId");
            account.name = account.id.as_ref().map(|id| format!("HubSpot account {id}{domain}"));
        }
        answer(Call::new("contacts"))?;
        Ok(account)
    }

    fn list_choices(&self, _on: &Connection, picker: &str, search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::choices(picker, search, cursor)
    }

    fn prepare(&self, _on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        options::prepare(tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let wire = |tag: &String| spelt(tag, &job.on).ok_or_else(|| error::stale([tag])).map(str::to_owned);
        let tags = job.set.iter().map(wire).collect::<Result<Vec<_>, Error>>()?;
        let (fields, dropped): (Vec<_>, Vec<_>) = job.who.fields.iter().partition(|field| is_field(&field.key));
        let contact = match find("find", &job.who.email, &fields)? {
            Some(contact) => contact,
            None => create(&job.who.email, values(&job.who, &fields, &tags, None))?,
        };
        let id = json::text(&contact, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no contact"))?;
        known.contact_id = Some(id.clone());
        let (is_new, rest) = (contact["made"] == true, values(&job.who, &fields, &tags, Some(&contact)));
        if !is_new && rest != obj! {} {
            answer(Call::new("update").path("contact", &id).json(obj! { "properties": rest }))?;
        }
        tags::added(&mut known.tags, &job.set);
        if job.on.picked("list").is_some() {
            let joined = answer(Call::new("join").json(vec![id.clone()].into()))?;
            if json::rows(&joined, "/recordIdsMissing").iter().any(|missing| *missing == id) {
                return Err(error::retryable("missing", "join: HubSpot does not know the contact yet"));
            }
        }
        let ending = done(if is_new { Change::Created } else { Change::Updated }).standing(standing(&contact));
        Ok(dropped.into_iter().fold(ending, |ending, field| ending.warn(Remark::DroppedField, &field.key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let by_id = known.contact_id.as_ref().map(|id| find("read", id, &[])).transpose()?.flatten();
        let found = if by_id.is_some() { by_id } else { find("find", &job.who.email, &[])? };
        let Some((id, contact)) = found.and_then(|contact| Some((json::text(&contact, "/id")?, contact))) else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let there = ticked(&contact, TAGS);
        let ours = |option: &String| job.clear.iter().any(|tag| spelt(tag, &job.on).unwrap_or(tag) == option);
        let rest: Vec<_> = there.iter().filter(|option| !ours(option)).cloned().collect();
        let change = if rest.len() < there.len() { Change::Updated } else { Change::Unchanged };
        known.contact_id = Some(id.clone());
        if change == Change::Updated {
            // The last one leaves a blank behind, which carries meaning here.
            let values = json::Value::from_iter([("properties", json::Value::from_iter([(TAGS, rest.join(";"))]))]);
            Call::new("untag").path("contact", &id).json_as_is(&values).send()?.ok_or(refusal)?;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&contact)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(contact) = find("find", &who.email, &[])? else { return Ok(None) };
        let (id, there) = (json::text(&contact, "/id").unwrap_or_default(), ticked(&contact, TAGS));
        let tags = known.tags.iter().filter(|tag| there.iter().any(|there| there == spelt(tag, on).unwrap_or(tag))).cloned().collect();
        let lists = on.picked("list").map(|_| answer(Call::new("memberships").path("id", &id))).transpose()?;
        let picked = |row: &json::Value| json::text(row, "/listId").as_deref() == on.picked("list");
        let in_destination = lists.map(|lists| json::rows(&lists, "/results").iter().any(picked));
        Ok(Some(Seen { known: Known { contact_id: Some(id), tags, memo: None }, standing: standing(&contact), in_destination }))
    }
}

/// Makes the contact, unless somebody else has made it this moment: which of its names are blank is not known then, so none is written.
fn create(email: &str, mut values: json::Value) -> Result<json::Value, Error> {
    body::put(&mut values, "email", email);
    let reply = Call::new("create").json(obj! { "properties": values }).send()?;
    if let Some(id) = existing(&reply) {
        return Ok(obj! { "id": id, "properties": obj! { "firstname": "?", "lastname": "?" } });
    }
    Ok(obj! { "id": json::text(&reply.ok_or(refusal)?.need_json()?, "/id"), "made": true })
}

/// What is to be written, all of it text: names where there are none, fields that differ, options that are not ticked yet.
fn values(who: &Person, fields: &[&Field], tags: &[String], contact: Option<&json::Value>) -> json::Value {
    let there = |key: &str| contact.and_then(|contact| json::text(&contact["properties"], key));
    let tick = |key: &str, wanted: &[String]| {
        let there = contact.map(|contact| ticked(contact, key)).unwrap_or_default();
        let missing: Vec<_> = wanted.iter().filter(|option| !there.contains(option)).cloned().collect();
        // A leading semicolon adds to what is ticked; without it the value replaces.
        (!missing.is_empty()).then(|| [if contact.is_some() { ";" } else { "" }, &missing.join(";")].concat())
    };
    let (first, last) = person::names(who);
    let (first, last) = (first.filter(|_| there("firstname").is_none()), last.filter(|_| there("lastname").is_none()));
    let mut values = obj! { "firstname": first, "lastname": last, (TAGS): tick(TAGS, tags) };
    for Field { key, value } in fields {
        let value = match value {
            Value::Many(options) => tick(key, options),
            Value::Truth(truth) => Some(truth.to_string()),
            Value::Text(text) | Value::Number(text) | Value::Date(text) => Some(text.clone()),
        };
        body::put(&mut values, key, value.filter(|value| there(key).as_ref() != Some(value)));
    }
    values
}

/// A contact by e-mail (`find`) or by id (`read`), with the values that matter.
fn find(call: &str, contact: &str, fields: &[&Field]) -> Result<Option<json::Value>, Error> {
    let mut keys = vec!["email", "firstname", "lastname", "hs_email_optout", TAGS];
    keys.extend(fields.iter().map(|field| field.key.as_str()));
    unless_404(Call::new(call).path("contact", contact).query("properties", keys.join(",")))
}

fn standing(contact: &json::Value) -> Standing {
    match contact["properties"]["hs_email_optout"].as_str() {
        Some("true") => Standing::KeptOptedOut,
        _ if contact["made"] == true || contact["properties"]["email"].is_string() => Standing::Normal,
        _ => Standing::Unknown,
    }
}

/// HubSpot's own properties begin with hs_ and hold subscriptions and legal grounds among others; the others here are ours to handle.
fn is_field(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !key.starts_with("hs_") && !["email", "firstname", "lastname", TAGS].contains(&key.as_str())
}
