//! Drip: people of one account, looked up and then upserted by e-mail together with their tags. Two calls per affiliate; where an
//! Email Series is picked three more, once, to start people on it who were never there.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Must never send `status`, which overrides what a
//! person chose. Facts: <https://developer.drip.com/>, DripEmail/api-docs 6f937b3 (2026-06-17).

use crm_connector_sdk::memo;
use crm_connector_sdk::prelude::*;

mod pickers;
mod refusal;

use refusal::{absent, answer, refusal};

struct Drip;

crm_connector_sdk::export!(Drip);

/// Written from the person's name; no merchant's mapping may reach them.
const NAMES: [&str; 2] = ["first_name", "last_name"];
/// In the memo: the Email Series that this person was brought to, or found on.
const SERIES: &str = "series";

impl Connector for Drip {
    fn verify(&self, on: &Connection) -> Result<Account, Error> {
        pickers::account(on)
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(picker, cursor)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let found = whose([Some(job.who.email.as_str()), person::previous_email(&job.who)])?;
        let (contact, dropped) = contact(job, found.as_ref());
        let reply = Call::new("save").json(obj! { "subscribers": [contact] }).send()?.ok_or(refusal)?;
        let change = if found.is_none() || reply.status() == 201 { Change::Created } else { Change::Updated };
        let saved = reply.need_json()?;
        let id = json::text(&saved, "/subscribers/0/id");
        let id = id.ok_or_else(|| error::retryable("no-id", "save: the answer names no person"))?;
        known.contact_id = Some(id.clone());
        tags::added(&mut known.tags, &job.set);
        let mut ending = done(change);
        let mut standing = standing(&saved);
        if standing == Standing::Normal
            && let Some(series) =
                job.on.picked("series").filter(|series| json::text(&memo::read(known), SERIES).as_deref() != Some(*series))
        {
            standing = look(&id)?.as_ref().map_or(Standing::Unknown, self::standing);
            if standing == Standing::Normal {
                if was_on(&id, series)? || start(&job.who.email)? {
                    memo::write(known, &obj! { (SERIES): series })?;
                } else {
                    ending = ending.warn(Remark::NotConfirmed, "the Email Series: Drip did not start the person on it");
                }
            }
        }
        Ok(dropped.into_iter().fold(ending.standing(standing), |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        // The id of somebody who was merged or deleted no longer resolves; then the address decides.
        let found = whose([known.contact_id.as_deref(), Some(&job.who.email), person::previous_email(&job.who)])?;
        let Some((found, id)) = found.and_then(|(found, _)| json::text(&found, "/subscribers/0/id").map(|id| (found, id))) else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let there: Vec<&String> = job.clear.iter().filter(|tag| has(&found, tag)).collect();
        let change = if there.is_empty() { Change::Unchanged } else { Change::Updated };
        if !there.is_empty() {
            let names: Vec<json::Value> = there.into_iter().map(|tag| tag.as_str().into()).collect();
            let body = obj! { "subscribers": [obj! { "id": &id, "initial_status": status_of(&found), "remove_tags": names }] };
            Call::new("untag").json(body).send()?.ok_or(refusal)?;
        }
        known.contact_id = Some(id);
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&found)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = look(&who.email)? else { return Ok(None) };
        let id = json::text(&found, "/subscribers/0/id");
        let in_destination = match (on.picked("series"), &id) {
            (Some(series), Some(id)) => was_on(id, series)?,
            _ => true,
        };
        let tags = known.tags.iter().filter(|tag| has(&found, tag)).cloned().collect();
        let known = Known { contact_id: id, tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: standing(&found), in_destination: Some(in_destination) }))
    }
}

/// What is written of a person, and the keys of the fields that cannot be. Who was found under a former address is given the new one.
fn contact<'a>(job: &'a Job, found: Option<&(json::Value, &str)>) -> (json::Value, Vec<&'a str>) {
    let (first, last) = person::names(&job.who);
    let mut fields = obj! {};
    // The vendor refuses the whole person for one key of another form.
    let fits = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !NAMES.contains(&key);
    let (ours, dropped): (Vec<_>, Vec<_>) = job.who.fields.iter().partition(|field| fits(&field.key));
    for Field { key, value } in ours {
        // Custom fields hold text.
        let text = match value {
            Value::Many(items) => items.join(", "),
            Value::Truth(truth) => truth.to_string(),
            Value::Text(text) | Value::Number(text) | Value::Date(text) => text.clone(),
        };
        body::put(&mut fields, key, text);
    }
    let status = match found {
        Some((found, _)) => status_of(found),
        None if job.on.setting("new_contacts") == Some("unsubscribed") => "unsubscribed",
        None => "active",
    };
    let (email, at) = (job.who.email.as_str(), found.map_or(job.who.email.as_str(), |(_, at)| at));
    let contact = obj! {
        "email": at,
        "new_email": (at != email).then_some(email),
        "first_name": first,
        "last_name": last,
        "initial_status": status,
        "tags": &job.set,
        "custom_fields": fields
    };
    (contact, dropped.into_iter().map(|field| field.key.as_str()).collect())
}

/// The first of these ids and e-mails that is somebody's: the person, and which one it was.
fn whose<const N: usize>(candidates: [Option<&str>; N]) -> Result<Option<(json::Value, &str)>, Error> {
    for who in candidates.into_iter().flatten() {
        if let Some(found) = look(who)? {
            return Ok(Some((found, who)));
        }
    }
    Ok(None)
}

/// The person with this id or e-mail; `None` when there is none.
fn look(who: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("person").path("person", who).send()?;
    if absent(&reply) {
        return Ok(None);
    }
    let found = reply.ok_or(refusal)?.need_json()?;
    match json::at(&found, "/subscribers/0") {
        Some(_) => Ok(Some(found)),
        None => Err(error::retryable("no-person", "person: the answer names nobody")),
    }
}

/// Is the person on this Email Series, or did they ever leave it? Whoever has more series than two pages hold counts as being on it.
fn was_on(id: &str, series: &str) -> Result<bool, Error> {
    let mut page = None;
    for _ in 0..2 {
        let answer = answer(Call::new("person_series").path("person", id).query_opt("page", page))?;
        let rows = pickers::rows_of(&answer, "/campaign_subscriptions")?;
        if rows.iter().any(|row| json::text(row, "/campaign_id").as_deref() == Some(series)) {
            return Ok(true);
        }
        page = pickers::next(&answer);
        if page.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `false`: the vendor refuses, as it does where it would have to bring back somebody who had left.
fn start(email: &str) -> Result<bool, Error> {
    let reply = Call::new("start_series").json(obj! { "subscribers": [obj! { "email": email }] }).send()?;
    if reply.status() == 422 {
        return Ok(false);
    }
    reply.ok_or(refusal).map(|_| true)
}

fn has(found: &json::Value, tag: &str) -> bool {
    json::rows(found, "/subscribers/0/tags").iter().any(|there| there.as_str().is_some_and(|there| there.eq_ignore_ascii_case(tag)))
}

/// What goes along as the status that is known and shall stay. Nothing but `active` is ever taken for a subscription.
fn status_of(found: &json::Value) -> &'static str {
    if standing(found) == Standing::Normal { "active" } else { "unsubscribed" }
}

fn standing(answer: &json::Value) -> Standing {
    match json::text(answer, "/subscribers/0/status").as_deref() {
        Some("active") => Standing::Normal,
        Some("unsubscribed") => Standing::KeptOptedOut,
        _ => Standing::Unknown,
    }
}
