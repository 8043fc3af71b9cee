//! Moosend: members of one list, found by e-mail; new ones are subscribed, existing ones updated with all that was read plus
//! ours, because what is left out may be cleared. Who is not an active member is left alone.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs and constants are in
//! `connector.toml`. Facts: <https://docs.moosend.com/api-documentation>, the official .NET client f2b2302.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

mod pickers;
mod refusal;

use refusal::{MEMBER_NOT_FOUND, answer, context};

struct Moosend;

crm_connector_sdk::export!(Moosend);

impl Connector for Moosend {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        answer(Call::new("list_lists").path("page", 1).path("size", 1))?;
        // The key is proven. A name is good to have, so its absence fails nothing.
        let senders = answer(Call::new("senders")).unwrap_or_default();
        Ok(Account { name: json::first_text(&senders, &["/0/Name", "/0/Email"]), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(picker, cursor)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(member) = find(&job.who.email)? else { return subscribe(job, known) };
        known.contact_id = json::text(&member, "/ID");
        if let Some(ending) = left_alone(&member) {
            return Ok(ending);
        }
        let mut tags = texts(&member, "/Tags");
        tags.extend(job.set.iter().filter(|tag| !holds(&tags, tag)).cloned().collect::<Vec<_>>());
        let name = json::text(&member, "/Name").or_else(|| person::full_name(&job.who));
        let answer = update(&member, name, &with_ours(read_fields(&member), job), &tags)?;
        tags::added(&mut known.tags, &job.set);
        Ok(answer.map_or_else(|| done(Change::Unchanged), |answer| ending(Change::Updated, &answer, &job.set, true)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(member) = find(&job.who.email)? else {
            *known = Known::default();
            return Ok(done(Change::Gone));
        };
        known.contact_id = json::text(&member, "/ID");
        if let Some(ending) = left_alone(&member) {
            return Ok(ending);
        }
        let mut tags = texts(&member, "/Tags");
        tags.retain(|tag| !holds(&job.clear, tag));
        let answer = update(&member, json::text(&member, "/Name"), &read_fields(&member), &tags)?;
        tags::removed(&mut known.tags, &job.clear);
        Ok(answer.map_or_else(|| done(Change::Unchanged), |answer| ending(Change::Updated, &answer, &job.clear, false)))
    }

    fn lookup_contact(&self, _on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(member) = find(&who.email)? else { return Ok(None) };
        let there = texts(&member, "/Tags");
        let mut known = Known { contact_id: json::text(&member, "/ID"), ..known.clone() };
        known.tags.retain(|tag| holds(&there, tag));
        Ok(Some(Seen { known, standing: standing(&member, Standing::KeptOptedOut), in_destination: Some(is_active(&member)) }))
    }
}

/// The list's member with this e-mail; `None` when it has none.
fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").query("Email", email).send()?;
    if json::number(&reply.json(), "/Code") == Some(MEMBER_NOT_FOUND) {
        return Ok(None);
    }
    named(context(reply)?).map(Some)
}

/// A member has an id; an answer without one is asked for again rather than believed.
fn named(member: json::Value) -> Result<json::Value, Error> {
    if json::text(&member, "/ID").is_some() { Ok(member) } else { Err(error::retryable("no-id", "the answer names no member")) }
}

fn subscribe(job: &Job, known: &mut Known) -> Result<Ending, Error> {
    let fields = with_ours(Vec::new(), job);
    let consent = job.who.consent.is_some().then_some(true);
    let new = obj! {
        "Name": person::full_name(&job.who),
        "Email": &job.who.email,
        "HasExternalDoubleOptIn": consent,
        "CustomFields": written(&fields),
        "Tags": &job.set,
    };
    let member = named(answer(Call::new("subscribe").json(new))?)?;
    known.contact_id = json::text(&member, "/ID");
    tags::added(&mut known.tags, &job.set);
    // A list with double opt-in takes the member in once the person has confirmed.
    let standing = if is_active(&member) { Standing::Normal } else { Standing::Pending };
    Ok(ending(Change::Created, &member, &job.set, true).standing(standing))
}

/// Sends everything again that was read, with this name, these fields and tags; nothing when all of it is as it was read.
fn update(member: &json::Value, name: Option<String>, fields: &[(String, String)], tags: &[String]) -> Result<Option<json::Value>, Error> {
    if name == json::text(member, "/Name") && fields == read_fields(member) && tags == texts(member, "/Tags") {
        return Ok(None);
    }
    let email = json::text(member, "/Email");
    let mut body = obj! { "Name": name, "Email": email, "CustomFields": written(fields), "Preferences": texts(member, "/Preferences") };
    // As it is: an empty list takes the last tag off.
    body["Tags"] = json::Value::from(tags);
    let id = json::text(member, "/ID").unwrap_or_default();
    answer(Call::new("update").path("id", id).json_as_is(&body)).map(Some)
}

/// The member's own field values, in order, without the empty ones.
fn read_fields(member: &json::Value) -> Vec<(String, String)> {
    let value = |field: &json::Value| json::text(field, "/Value").or_else(|| Some(json::at(field, "/Value")?.as_bool()?.to_string()));
    json::rows(member, "/CustomFields").iter().filter_map(|field| Some((json::text(field, "/Name")?, value(field)?))).collect()
}

/// `fields` with what we know: mapped data replaces, the parts of the name only fill what is empty.
fn with_ours(mut fields: Vec<(String, String)>, job: &Job) -> Vec<(String, String)> {
    let (first, last) = person::names(&job.who);
    let parts = [("first_field", first), ("last_field", last)];
    let names = parts.into_iter().filter_map(|(fact, value)| Some((job.on.fact(fact)?.to_owned(), value?, false)));
    let mapped = job.who.fields.iter().map(|field| (field.key.clone(), plain(&field.value), true));
    for (name, value, replace) in mapped.chain(names).filter(|(_, value, _)| !value.trim().is_empty()) {
        match fields.iter_mut().find(|(theirs, _)| *theirs == name) {
            Some(field) if replace => field.1 = value,
            Some(_) => {}
            None => fields.push((name, value)),
        }
    }
    fields
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Date(text) | Value::Number(text) => text.clone(),
        Value::Truth(truth) => truth.to_string(),
        Value::Many(items) => items.join(", "),
    }
}

fn written(fields: &[(String, String)]) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn texts(value: &json::Value, path: &str) -> Vec<String> {
    json::rows(value, path).iter().filter_map(|text| json::text(text, "")).collect()
}

/// Whether a tag is among these; a vendor that folds case must not make it a stranger.
fn holds(tags: &[String], tag: &str) -> bool {
    tags.iter().any(|other| lower(other) == lower(tag))
}

fn is_active(member: &json::Value) -> bool {
    standing(member, Standing::Unknown) == Standing::Normal
}

/// `SubscribeType`: subscribed, unsubscribed, bounced, removed.
fn standing(member: &json::Value, opted_out: Standing) -> Standing {
    match json::number(member, "/SubscribeType") {
        Some(1) => Standing::Normal,
        Some(2 | 3) => opted_out,
        Some(4) => Standing::Archived,
        _ => Standing::Unknown,
    }
}

/// Nothing is written to who is no active member: it could subscribe them again.
fn left_alone(member: &json::Value) -> Option<Ending> {
    (!is_active(member)).then(|| done(Change::Unchanged).standing(standing(member, Standing::SkippedOptedOut)))
}

/// How it ended: the tags that the answer shows, compared with what was wanted. None shown says nothing.
fn ending(change: Change, answer: &json::Value, tags: &[String], there: bool) -> Ending {
    let Some(shown) = json::at(answer, "/Tags").filter(|tags| tags.is_array()) else { return done(change) };
    let odd = tags.iter().filter(|tag| holds(&texts(shown, ""), tag) != there);
    odd.fold(done(change), |ending, tag| ending.warn(Remark::NotConfirmed, tag))
}
