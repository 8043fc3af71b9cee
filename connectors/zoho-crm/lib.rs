//! Zoho CRM: a contact or a lead by e-mail, looked for first, then made or filled, then tagged by name.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Whether somebody opted out is read and
//! never written. Facts: <https://www.zoho.com/crm/developer/docs/api/v8/>, and the vendor's API description zoho/crm-oas 45dff2c.

use crm_connector_sdk::{prelude::*, text};

mod fields;
mod labels;
mod refusal;

use labels::wire;
use refusal::{answer, judged};

struct Zoho;

crm_connector_sdk::export!(Zoho);

/// What is read of a record, in every module.
const FIELDS: &str = "id,Email,Secondary_Email,First_Name,Last_Name,Email_Opt_Out,Tag";

impl Connector for Zoho {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let mut account = Account::default();
        let probes = [(Call::new("org"), "ZohoCRM.org.READ"), (Call::new("tags").query("module", "Contacts"), "ZohoCRM.settings.tags.ALL")];
        for (call, scope) in probes {
            match answer(call) {
                // The token is good, it was only made without this scope.
                Err(Error::Credentials(refusal)) if refusal.told.code == "OAUTH_SCOPE_MISMATCH" => account.lacking.push(scope.to_owned()),
                other => {
                    let body = other?;
                    account.id = account.id.or_else(|| json::text(&body, "/org/0/id"));
                    account.name = account.name.or_else(|| json::text(&body, "/org/0/company_name"));
                }
            }
        }
        Ok(account)
    }

    fn list_choices(&self, on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "tags" => {
                let items = labels::all(on)?.into_iter().filter_map(|tag| Some(Choice::new(tag.id?, tag.name)));
                Ok(Page { items: items.collect(), next: None })
            }
            "fields" => fields::choices(on),
            other => Err(error::unsupported(format!("Zoho CRM has no picker named '{other}'"))),
        }
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, || labels::all(on), |tag| labels::create(on, tag))
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        // Whether every tag is prepared is known before anything is written.
        tags::ids(&job.set, &job.on.tags)?;
        let (found, several) = look(&job.on, &job.who, known)?;
        let (change, nameless) = match &found {
            Some(record) => (fill(job, record, known)?, false),
            None => insert(job, known)?,
        };
        if !job.set.is_empty() {
            act("tag", &job.on, &job.set, known)?;
            tags::added(&mut known.tags, &job.set);
        }
        let change = if change == Change::Unchanged && !job.set.is_empty() { Change::Updated } else { change };
        // An upsert that updated met a record which the search did not show yet, so nothing of it is known.
        let unseen = if change == Change::Created { Standing::Normal } else { Standing::Unknown };
        let ending = done(change).standing(found.as_ref().map_or(unseen, standing));
        let ending = if several { ending.warn(Remark::SeveralMatches, "email") } else { ending };
        let ending = if nameless { ending.warn(Remark::RequiredUnmapped, "last") } else { ending };
        Ok(fields::dropped(&job.who).fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        if job.clear.is_empty() {
            return Ok(done(Change::Unchanged).standing(Standing::Unknown));
        }
        let (Some(record), _) = look(&job.on, &job.who, known)? else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        act("untag", &job.on, &job.clear, known)?;
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(Change::Updated).standing(standing(&record)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let mut known = known.clone();
        let (Some(record), _) = look(on, who, &mut known)? else { return Ok(None) };
        let there: Vec<String> = json::rows(&record, "/Tag").iter().filter_map(|tag| json::text(tag, "/name")).collect();
        known.tags.retain(|tag| there.iter().any(|name| text::lower(name) == text::lower(wire(on, tag))));
        Ok(Some(Seen { known, standing: standing(&record), in_destination: Some(true) }))
    }
}

/// The record of this person, and whether there are several: by the id that we know, or, when that no longer resolves or belongs
/// to another address now, by e-mail. The search lags behind for minutes, the id does not.
fn look(on: &Connection, who: &Person, known: &mut Known) -> Result<(Option<json::Value>, bool), Error> {
    let company = is_lead(on).then_some("Company").into_iter();
    let fields = [FIELDS].into_iter().chain(company).chain(fields::mapped(who).map(|(key, _)| key)).collect::<Vec<_>>().join(",");
    let is = |record: &json::Value, field: &str| json::text(record, field).is_some_and(|it| text::lower(&it) == person::email_lower(who));
    let holds = |record: &json::Value| is(record, "/Email") || is(record, "/Secondary_Email");
    if let Some(id) = &known.contact_id {
        let reply = Call::new("record").path("id", id).query("fields", &fields).send()?;
        let body = if matches!(reply.status(), 400 | 404) { json::Value::Null } else { judged(reply)? };
        if let Some(record) = json::at(&body, "/data/0").filter(|record| holds(record)) {
            return Ok((Some(record.clone()), false));
        }
    }
    let body = answer(Call::new("find").query("email", &who.email).query("fields", &fields))?;
    let hits: Vec<&json::Value> = json::rows(&body, "/data").iter().filter(|record| holds(record)).collect();
    let record = hits.iter().find(|record| is(record, "/Email")).or(hits.first()).copied();
    known.contact_id = record.and_then(|record| json::text(record, "/id"));
    Ok((record.cloned(), hits.len() > 1))
}

/// Makes the record. Zoho wants a last name; the second half of the answer says that the person has none.
fn insert(job: &Job, known: &mut Known) -> Result<(Change, bool), Error> {
    let (first, last) = names(&job.who);
    let nameless = last.is_none();
    let company = job.who.company.as_deref().or_else(|| job.on.setting("company")).filter(|_| is_lead(&job.on));
    let last = last.unwrap_or_else(|| no_name(job).to_owned());
    let mut record = obj! { "Email": &job.who.email, "First_Name": first, "Last_Name": last, "Company": company };
    fields::mapped(&job.who).for_each(|(key, value)| body::put(&mut record, key, value));
    let saved = write(Call::new("save"), &job.on, record)?;
    let id = json::text(&saved, "/data/0/details/id").ok_or_else(|| error::retryable("no-id", "save: the answer names no record"))?;
    known.contact_id = Some(id);
    let updated = json::text(&saved, "/data/0/action").as_deref() == Some("update");
    Ok((if updated { Change::Updated } else { Change::Created }, nameless))
}

/// Writes what the record lacks, and mapped fields that hold something else. Of what Zoho calls its own it replaces only what stood
/// in for a last name that nobody knew then.
fn fill(job: &Job, record: &json::Value, known: &Known) -> Result<Change, Error> {
    let (first, last) = names(&job.who);
    let lacks = |field: &str| json::text(record, field).is_none();
    let stand_in = json::text(record, "/Last_Name").is_none_or(|name| name == no_name(job));
    let mut missing = obj! {
        "First_Name": first.filter(|_| lacks("/First_Name")),
        "Last_Name": last.filter(|_| stand_in),
        "Company": job.who.company.as_deref().filter(|_| is_lead(&job.on) && lacks("/Company")),
    };
    let differs = fields::mapped(&job.who).filter(|(key, value)| record.get(*key) != Some(value));
    differs.for_each(|(key, value)| body::put(&mut missing, key, value));
    if missing.as_object().is_none_or(|fields| fields.is_empty()) {
        return Ok(Change::Unchanged);
    }
    let id = known.contact_id.as_deref().unwrap_or_default();
    write(Call::new("fill").path("id", id), &job.on, missing).map(|_| Change::Updated)
}

/// A single name is a last name, because that is the one which Zoho wants.
fn names(who: &Person) -> (Option<String>, Option<String>) {
    let (first, last) = person::names(who);
    if last.is_some() { (first, last) } else { (None, first) }
}

fn no_name(job: &Job) -> &str {
    job.on.setting("last_name").unwrap_or(&job.who.email)
}

fn is_lead(on: &Connection) -> bool {
    on.picked("module") == Some("Leads")
}

/// One record. An empty `trigger` keeps the merchant's workflow rules still; without it they run.
fn write(call: Call, on: &Connection, record: json::Value) -> Result<json::Value, Error> {
    let mut body = obj! { "data": [record] };
    if !on.is_on("workflows") {
        body["trigger"] = json::Value::Array(Vec::new());
    }
    answer(call.json_as_is(&body))
}

/// Adds or takes off tags, by the name that Zoho knows.
fn act(call: &str, on: &Connection, tags: &[String], known: &Known) -> Result<(), Error> {
    let tags: Vec<json::Value> = tags.iter().map(|tag| obj! { "name": wire(on, tag) }).collect();
    let id = known.contact_id.as_deref().unwrap_or_default();
    answer(Call::new(call).path("id", id).json(obj! { "tags": tags })).map(drop)
}

fn standing(record: &json::Value) -> Standing {
    match json::at(record, "/Email_Opt_Out") {
        Some(json::Value::Bool(true)) => Standing::KeptOptedOut,
        Some(json::Value::Bool(false)) => Standing::Normal,
        _ => Standing::Unknown,
    }
}
