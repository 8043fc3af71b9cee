//! The contact or lead of a person: finding it by id or e-mail, making it, and the fields that may be written to it. Never reads
//! or writes tags or campaigns.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

/// What was read of a contact or lead. `writable`: there, and no lead that became a contact; `field`: what the field for tags holds.
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) writable: bool,
    pub(crate) nameless: bool,
    pub(crate) standing: Standing,
    pub(crate) field: String,
    pub(crate) several: bool,
}

pub(crate) fn found_or_created(job: &Job) -> Result<(Record, bool), Error> {
    let mut refused = error::retryable("create", "the record could not be created");
    // Twice: a record that was made in between, by us or by somebody else, is found the second time.
    for _ in 0..2 {
        match find(&job.on, "Email", &job.who.email)?.map_or_else(|| create(job).map(|made| (made, true)), |there| Ok((there, false))) {
            Ok(record) => return Ok(record),
            Err(Error::Rejected(why)) if why.told.code.starts_with("DUPLICATE") => refused = Error::Rejected(why),
            Err(Error::Retryable(why)) if why.code == error::UNKNOWN_OUTCOME => refused = Error::Retryable(why),
            Err(other) => return Err(other),
        }
    }
    Err(refused)
}

fn create(job: &Job) -> Result<Record, Error> {
    let (first, last) = names(&job.who);
    let last = last.or_else(|| job.who.email.split('@').next().map(str::to_owned));
    let lead = job.on.picked("object").filter(|object| *object == "Lead");
    let company = lead.and_then(|_| job.who.company.as_deref().or_else(|| job.on.setting("lead_company")));
    let new = obj! { "FirstName": first, "LastName": last, "Email": &job.who.email, "Company": company };
    let made = answer(Call::new("create").json(with_own(job, new, &job.set.join(";"))))?;
    let id = json::text(&made, "/id").ok_or_else(|| error::retryable("no-id", "create: made, but the answer names no record"))?;
    Ok(Record { id, writable: false, nameless: false, standing: Standing::Normal, field: String::new(), several: false })
}

/// A last name is required: the only name there is; without any, `create` takes the address before the @.
pub(crate) fn names(who: &Person) -> (Option<String>, Option<String>) {
    let (first, last) = person::names(who);
    if last.is_some() { (first, last) } else { (None, first) }
}

/// `body` with the merchant's own fields: mapped data, and the tags if a field holds them.
pub(crate) fn with_own(job: &Job, mut body: json::Value, tags: &str) -> json::Value {
    for field in job.who.fields.iter().filter(|field| is_own(job, &field.key)) {
        match &field.value {
            Value::Many(values) => body::put(&mut body, &field.key, values.join(";")),
            value => body::put(&mut body, &field.key, value),
        }
    }
    job.on.setting("tag_field").into_iter().for_each(|field| body::put(&mut body, field, tags));
    body
}

/// Fields that the merchant made end in `__c`. The one for tags is not for other data.
pub(crate) fn is_own(job: &Job, key: &str) -> bool {
    key.ends_with("__c") && job.on.setting("tag_field") != Some(key)
}

/// The record that we know, or, when that id no longer resolves, the one that has the e-mail now.
pub(crate) fn known_or_found(job: &Job, known: &Known) -> Result<Option<Record>, Error> {
    let kind = if job.on.picked("object") == Some("Lead") { "00Q" } else { "003" };
    let id = known.contact_id.as_deref().filter(|id| id.starts_with(kind));
    let record = id.map(|id| find(&job.on, "Id", id)).transpose()?.flatten();
    if record.is_some() { Ok(record) } else { find(&job.on, "Email", &job.who.email) }
}

/// The oldest fitting record of the picked kind. Where no lead fits but one that became a contact, that contact is meant.
pub(crate) fn find(on: &Connection, key: &str, value: &str) -> Result<Option<Record>, Error> {
    let (object, more, order) = match on.picked("object") {
        Some("Lead") => ("Lead", ",ConvertedContactId", "IsConverted,CreatedDate"),
        _ => ("Contact", "", "CreatedDate"),
    };
    let field = on.setting("tag_field").unwrap_or_default();
    let value = value.replace('\\', "\\\\").replace('\'', "\\'");
    let fields = format!("Id,FirstName,LastName,Email,HasOptedOutOfEmail{more},{field}");
    let q = format!("SELECT {} FROM {object} WHERE {key}='{value}' ORDER BY {order} LIMIT 2", fields.trim_end_matches(','));
    let reply = answer(Call::new("find").query("q", q))?;
    let rows = json::rows(&reply, "/records");
    let Some((row, id)) = rows.first().and_then(|row| Some((row, json::text(row, "/Id")?))) else { return Ok(None) };
    let contact = json::text(row, "/ConvertedContactId");
    if contact.is_some() && !field.is_empty() {
        return Err(error::rejected("contact", "converted", "this lead became a contact, where the field for tags is not written"));
    }
    let standing = match json::at(row, "/HasOptedOutOfEmail") {
        Some(json::Value::Bool(true)) => Standing::KeptOptedOut,
        // The contact that a lead became may have opted out since, and it is not read.
        Some(json::Value::Bool(false)) if contact.is_none() => Standing::Normal,
        _ => Standing::Unknown,
    };
    let (writable, nameless) = (contact.is_none(), json::text(row, "/FirstName").is_none());
    let (field, several) = (json::text(row, field).unwrap_or_default(), rows.len() > 1);
    Ok(Some(Record { id: contact.unwrap_or(id), writable, nameless, standing, field, several }))
}
