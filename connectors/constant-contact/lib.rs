//! Constant Contact: people who are new are created with list and tags in one call; people who are there get list and tags through
//! the vendor's queue, and a later run looks whether they arrived.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs, OAuth and constants (`create_source`,
//! `status=all`) are in `connector.toml`. Facts: <https://developer.constantcontact.com/api_guide/index.html>, API description 3.0.178.

use crm_connector_sdk::prelude::*;

mod pickers;
mod refusal;

use pickers::{all_tags, create_tag};
use refusal::{answer, judged, need, rows};

struct ConstantContact;

crm_connector_sdk::export!(ConstantContact);

/// The vendor's cap on first and last names, in characters.
const MAX_NAME: usize = 50;
/// How many custom fields the vendor takes with a contact.
const MAX_FIELDS: usize = 25;

impl Connector for ConstantContact {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let account = answer(Call::new("account"))?;
        let id = Some(need(&account, "/encoded_account_id")?);
        Ok(Account { id, name: json::first_text(&account, &["/organization_name", "/contact_email"]), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, all_tags, create_tag)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut tags = tags::ids(&job.set, &job.on.tags)?;
        let list = job.on.picked("list").ok_or_else(|| error::destination_missing("list", "no list is picked"))?;
        let (contact, new) = match find(&job.who.email)? {
            Some(contact) => (contact, false),
            None => create(job, list, &tags)?,
        };
        known.contact_id = Some(need(&contact, "/contact_id")?);
        let standing = standing(&contact);
        if standing == Standing::Archived {
            return Ok(done(Change::Unchanged).standing(standing));
        }
        let mut work = Vec::new();
        let lacks = |rows: &str, id: &str| !new && !holds(&contact, rows, id);
        if matches!(standing, Standing::Normal | Standing::Pending) && lacks("/list_memberships", list) {
            work.push(Call::new("join").json(obj! { "source": obj! { "contact_ids": [&known.contact_id] }, "list_ids": [list] }));
        }
        tags.retain(|tag| lacks("/taggings", tag));
        if !tags.is_empty() {
            work.push(Call::new("tag").json(obj! { "source": obj! { "contact_ids": [&known.contact_id] }, "tag_ids": tags }));
        }
        if let Some(later) = queued(work, job.resume.as_deref(), &job.set)? {
            return Ok(later);
        }
        tags::added(&mut known.tags, &job.set);
        let change = if new { Change::Created } else { Change::Unchanged };
        let ending = done(if job.resume.is_some() { Change::Updated } else { change }).standing(standing);
        // The vendor does not say that they may be mailed: `not_set`, `temp_hold`.
        let unlisted = standing == Standing::Unknown && lacks("/list_memberships", list);
        let ending =
            if unlisted { ending.warn(Remark::NotConfirmed, "not put on the list: no permission to send is noted") } else { ending };
        // Fields of a contact that exists could only be written by overwriting all of it.
        let dropped = job.who.fields.iter().filter(|field| !new || !writable(job).any(|written| written.key == field.key));
        let ending = dropped.fold(ending, |ending, field| ending.warn(Remark::DroppedField, &field.key));
        let (first, last) = person::names(&job.who);
        let long = |name: &Option<String>| new && name.iter().any(|name| name.chars().count() > MAX_NAME);
        let long = [("first", first), ("last", last)].into_iter().filter(|(_, name)| long(name));
        Ok(long.fold(ending, |ending, (field, _)| ending.warn(Remark::Shortened, field)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(contact) = find(&job.who.email)?.filter(|contact| standing(contact) != Standing::Archived) else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = Some(need(&contact, "/contact_id")?);
        let tags = tags::resolve(&job.clear, &job.on.tags, false, all_tags, create_tag)?.tags;
        let tags: Vec<String> = tags.into_iter().filter_map(|tag| tag.id).filter(|tag| holds(&contact, "/taggings", tag)).collect();
        let untag = Call::new("untag").json(obj! { "source": obj! { "contact_ids": [&known.contact_id] }, "tag_ids": &tags });
        if let Some(later) = queued(if tags.is_empty() { vec![] } else { vec![untag] }, job.resume.as_deref(), &job.clear)? {
            return Ok(later);
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(if job.resume.is_some() { Change::Updated } else { Change::Unchanged }).standing(standing(&contact)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(contact) = find(&who.email)? else { return Ok(None) };
        // A tag whose id is not remembered cannot be compared; what we know of it stands.
        let id = |name: &String| on.tags.iter().find(|tag| &tag.name == name).and_then(|tag| tag.id.as_deref());
        let there = |name: &&String| id(name).is_none_or(|id| holds(&contact, "/taggings", id));
        let tags = known.tags.iter().filter(there).cloned().collect();
        let standing = standing(&contact);
        let listed = on.picked("list").is_some_and(|list| holds(&contact, "/list_memberships", list));
        let known = Known { contact_id: Some(need(&contact, "/contact_id")?), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing, in_destination: Some(listed && standing != Standing::Archived) }))
    }
}

/// Creates a contact that the look has not found, and says whether it is new: somebody may have been faster (409).
fn create(job: &Job, list: &str, tags: &[String]) -> Result<(json::Value, bool), Error> {
    let (first, last) = person::names(&job.who);
    let cut = |name: Option<String>| name.map(|name| name.chars().take(MAX_NAME).collect::<String>());
    let field = |field: &Field| match &field.value {
        Value::Many(choices) => obj! { "custom_field_id": &field.key, "choice_ids": choices },
        Value::Truth(truth) => obj! { "custom_field_id": &field.key, "value": truth.to_string() },
        Value::Text(text) | Value::Number(text) | Value::Date(text) => obj! { "custom_field_id": &field.key, "value": text },
    };
    let fields: Vec<json::Value> = writable(job).map(field).collect();
    let permission = job.on.setting("permission").filter(|wanted| *wanted == "explicit").unwrap_or("implicit");
    let contact = obj! {
        "email_address": obj! { "address": &job.who.email, "permission_to_send": permission },
        "first_name": cut(first), "last_name": cut(last),
        "list_memberships": [list], "taggings": tags, "custom_fields": fields,
    };
    let reply = Call::new("create").json(contact).send()?;
    let words = status::words(&reply);
    let says = |what: &str| reply.text().to_ascii_lowercase().contains(what);
    Err(match reply.status() {
        409 => return find(&job.who.email)?.map(|there| (there, false)).ok_or_else(|| error::retryable(409, words)),
        400 if says("email") => error::rejected("email", 400, words),
        400 if says("list") => error::destination_missing(400, words),
        400 if says("tag") => error::stale(&job.set),
        _ => return Ok((judged(reply)?.need_json()?, true)),
    })
}

/// Hands work to the vendor's queue, or looks how far it is there, after 5 seconds and then twice as long each time. `None`: there is
/// nothing to do (any more).
fn queued(work: Vec<Call>, resume: Option<&str>, tags: &[String]) -> Result<Option<Ending>, Error> {
    if work.is_empty() {
        return Ok(None);
    }
    // How often we looked, then the activities.
    let mut before = resume.unwrap_or_default().split_whitespace();
    let looks = before.next().and_then(|looks| looks.parse().ok()).unwrap_or(0u32).min(6);
    let mut ids: Vec<String> = before.map(str::to_owned).collect();
    for id in &ids {
        let reply = judged(Call::new("activity").path("id", id).send()?)?;
        if matches!(json::text(&reply.need_json()?, "/state").as_deref(), Some("failed" | "cancelled" | "timed_out")) {
            return Err(error::permanent("activity-failed", status::words(&reply)));
        }
    }
    for call in if ids.is_empty() { work } else { vec![] } {
        let reply = call.send()?;
        if matches!(reply.status(), 400 | 404) {
            let list_gone = error::destination_missing(reply.status(), status::words(&reply));
            return Err(if reply.call() == "join" { list_gone } else { error::stale(tags) });
        }
        ids.push(need(&judged(reply)?.need_json()?, "/activity_id")?);
    }
    Ok(Some(later(5 << looks, format!("{} {}", looks + 1, ids.join(" ")))))
}

fn holds(contact: &json::Value, rows: &str, id: &str) -> bool {
    json::rows(contact, rows).iter().any(|row| row.as_str() == Some(id))
}

/// How a contact stands, by its permission. A deleted one is still answered for its address.
fn standing(contact: &json::Value) -> Standing {
    match json::text(contact, "/email_address/permission_to_send").as_deref() {
        _ if json::text(contact, "/deleted_at").is_some() => Standing::Archived,
        Some("explicit" | "implicit") => Standing::Normal,
        Some("pending_confirmation") => Standing::Pending,
        Some("unsubscribed") => Standing::KeptOptedOut,
        _ => Standing::Unknown,
    }
}

/// The contact of this e-mail; where there are several, one that is not deleted.
fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let found = rows(&answer(Call::new("find").query("email", email))?, "/contacts")?;
    Ok(found.iter().find(|contact| standing(contact) != Standing::Archived).or(found.first()).cloned())
}

/// The custom fields that the vendor takes; their ids are UUIDs.
fn writable(job: &Job) -> impl Iterator<Item = &Field> {
    let is_id = |text: &str| text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    job.who.fields.iter().filter(move |field| is_id(&field.key)).take(MAX_FIELDS)
}
