//! Kit (formerly ConvertKit): one pool of subscribers, upserted by e-mail, tagged by id one tag at a time; a form and a sequence if
//! picked. The upsert never changes the state of somebody who is there; a form could, hence the looks before it. Must not hold a host
//! name, a credential or a clock. Facts: <https://developers.kit.com/api-reference>, official SDK-PHP 38ae53e (2026-07-29).

use crm_connector_sdk::prelude::*;

mod pickers;
mod refusal;

use pickers::{account_tags, all, bound};
use refusal::{answer, refusal, told};

struct Kit;

crm_connector_sdk::export!(Kit);

/// Kit has no last name of its own: it is written where the account has a custom field of this key.
const LAST_NAME: &str = "last_name";
/// Memo while somebody whom we made has not been brought to the form and the sequence yet.
const NEW: &str = "new";

impl Connector for Kit {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let answer = answer(Call::new("account"))?;
        let address = json::text(&answer, "/account/primary_email_address").map(|address| format!(" ({address})")).unwrap_or_default();
        let name = json::text(&answer, "/account/name").map(|name| name + &address);
        Ok(Account { id: json::text(&answer, "/account/id"), name, ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        let mut prepared = tags::resolve(tags, &on.tags, apply, account_tags, |name| {
            // Answers with the tag that is there when the name is taken, so two at once make one.
            let made = answer(Call::new("create_tag").json(obj! { "name": name }))?;
            bound(&made["tag"]).ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))
        })?;
        let fields = all("custom_fields", || Call::new("custom_fields"))?;
        if fields.iter().any(|field| field["key"] == LAST_NAME) {
            prepared.facts.push(Pair::new(LAST_NAME, LAST_NAME));
        }
        Ok(prepared)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let ids = tags::ids(&job.set, &job.on.tags)?;
        let found = find(&job.who.email)?;
        let (subscriber, dropped) = save(job, known, found.as_ref())?;
        let id = json::text(&subscriber, "/id").ok_or_else(|| error::retryable("no-id", "save: the answer names no subscriber"))?;
        known.contact_id = Some(id.clone());
        for (name, tag) in job.set.iter().zip(&ids) {
            let reply = Call::new("tag").path("tag", tag).path("subscriber", &id).json(obj! {}).send()?;
            if reply.status() == 404 && told(&reply).is_some() {
                return Err(error::stale([name]));
            }
            reply.ok_or(refusal)?;
            tags::added(&mut known.tags, std::slice::from_ref(name));
        }
        let is_new = known.memo.as_deref() == Some(NEW);
        // What was looked up just now is fresher than an answer that may stem from an earlier attempt.
        let mut state = json::text(found.as_ref().unwrap_or(&subscriber), "/state").unwrap_or_default();
        if state == "active" || (is_new && state == "inactive") {
            state = bring(job, &id, state)?;
        }
        known.memo = None;
        let ending = done(if is_new { Change::Created } else { Change::Updated }).standing(standing(&state));
        Ok(dropped.into_iter().fold(ending, |ending, field| ending.warn(Remark::DroppedField, field)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let found = find(&job.who.email)?;
        // Nobody has this e-mail; the subscriber that we know may still be there under another one.
        let id = found.as_ref().map_or_else(|| known.contact_id.clone(), |found| json::text(found, "/id"));
        let mut change = if found.is_some() { Change::Unchanged } else { Change::Gone };
        if let Some(id) = &id {
            // A tag that nobody has any more needs no taking off.
            let tags =
                tags::resolve(&job.clear, &job.on.tags, false, account_tags, |_| Err(error::unsupported("nothing is made here")))?.tags;
            for tag in tags.iter().filter_map(|tag| tag.id.as_ref()) {
                let reply = Call::new("untag").path("tag", tag).path("subscriber", id).send()?;
                if reply.status() != 404 || told(&reply).is_none() {
                    reply.ok_or(refusal)?;
                    change = Change::Updated;
                }
            }
        }
        if change == Change::Gone {
            *known = Known::default();
            return Ok(done(change).standing(Standing::Unknown));
        }
        known.contact_id = id;
        tags::removed(&mut known.tags, &job.clear);
        let state = found.and_then(|found| json::text(&found, "/state")).unwrap_or_default();
        Ok(done(change).standing(standing(&state)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = find(&who.email)? else { return Ok(None) };
        let (id, state) = (json::text(&found, "/id").unwrap_or_default(), json::text(&found, "/state").unwrap_or_default());
        let there = all("tags", || Call::new("subscriber_tags").path("subscriber", &id))?;
        let there: Vec<_> = there.iter().filter_map(bound).collect();
        let is_there = |name: &&String| {
            let ours = on.tags.iter().find(|tag| tag.name == **name).and_then(|tag| tag.id.as_ref());
            there.iter().any(|tag| tag.name == **name || ours.is_some_and(|ours| tag.id.as_ref() == Some(ours)))
        };
        let tags = known.tags.iter().filter(is_there).cloned().collect();
        let known = Known { contact_id: Some(id), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: standing(&state), in_destination: None }))
    }
}

/// Makes the subscriber, or writes what is missing or differs. Gives back the subscriber and the names of what could not be kept.
fn save(job: &Job, known: &mut Known, found: Option<&json::Value>) -> Result<(json::Value, Vec<String>), Error> {
    let there = |path: &str| found.and_then(|found| json::text(found, path));
    let (first, last) = person::names(&job.who);
    let (mut fields, mut dropped) = (obj! {}, Vec::new());
    match job.on.fact(LAST_NAME) {
        Some(key) => body::put(&mut fields, key, last.filter(|_| there("/fields/last_name").is_none())),
        None => dropped.extend(last.map(|_| LAST_NAME.to_owned())),
    }
    for Field { key, value } in &job.who.fields {
        let value = match value {
            Value::Many(items) => items.join(", "),
            Value::Truth(truth) => truth.to_string(),
            Value::Text(text) | Value::Number(text) | Value::Date(text) => text.clone(),
        };
        body::put(&mut fields, key, Some(value).filter(|value| there(&format!("/fields/{key}")).as_ref() != Some(value)));
    }
    let nameless = first.is_some() && there("/first_name").is_none();
    if let Some(found) = found.filter(|_| !nameless && fields == obj! {}) {
        return Ok((found.clone(), dropped));
    }
    // Through a form people confirm as the form says: until then they are inactive, as with Kit's own plugins.
    let state = (found.is_none() && job.on.picked("form").is_some()).then_some("inactive");
    // The first name that is there is said again: whether leaving it out would blank it is not documented.
    let first = there("/first_name").or(first);
    let wanted = obj! { "email_address": &job.who.email, "first_name": first, "state": state, "fields": fields };
    let reply = Call::new("save").json(wanted).send()?.ok_or(refusal)?;
    if found.is_none() && reply.status() != 200 {
        known.memo = Some(NEW.to_owned());
    }
    let mut saved = reply.need_json()?;
    dropped.extend(json::rows(&saved, "/warnings").iter().filter_map(|warning| json::text(warning, "")));
    Ok((saved["subscriber"].take(), dropped))
}

/// To the form and the sequence that are picked; gives back the state after it.
fn bring(job: &Job, id: &str, mut state: String) -> Result<String, Error> {
    if job.on.picked("form").is_some() {
        let left = answer(Call::new("left").query("email_address", &job.who.email))?;
        if !json::rows(&left, "/subscribers").is_empty() {
            return Ok("cancelled".to_owned());
        }
        let added = answer(Call::new("form").json(obj! { "email_address": &job.who.email }))?;
        state = json::text(&added, "/subscriber/state").unwrap_or(state);
    }
    if job.on.picked("sequence").is_some() {
        answer(Call::new("sequence").path("subscriber", id).json(obj! {}))?;
    }
    Ok(state)
}

/// The subscriber with this e-mail, in whatever state.
fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let found = answer(Call::new("find").query("email_address", email))?;
    let rows =
        found["subscribers"].as_array().ok_or_else(|| error::retryable("no-data", "find: the answer holds no list of subscribers"))?;
    Ok(rows.first().cloned())
}

fn standing(state: &str) -> Standing {
    match state {
        "active" => Standing::Normal,
        "inactive" => Standing::Pending,
        "cancelled" | "complained" => Standing::KeptOptedOut,
        _ => Standing::Unknown,
    }
}
