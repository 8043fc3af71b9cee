//! Klaviyo: profiles upserted by e-mail, our tags in their property array `rekomi_tags`, then the picked list. As a bulk subscribe
//! lifts suppressions, each sync looks first: only who was not there before is subscribed; all others join with consent untouched.
//! Must not hold a host name, a credential or a clock. Facts: Klaviyo's API description of revision 2026-07-15, and
//! <https://developers.klaviyo.com/en/reference/api_overview>.

use crm_connector_sdk::prelude::*;

mod consent;
mod refusal;

use consent::{confirmed, opted_out, standing, untouched};
use refusal::{judged, refusal, sent};

struct Klaviyo;

crm_connector_sdk::export!(Klaviyo);

/// Klaviyo's own tags label lists and flows, never people: this profile property stands in for them.
const TAGS: &str = "rekomi_tags";
/// Memo while somebody whom we were the first to bring in is not subscribed yet.
const NEW: &str = "new";
impl Connector for Klaviyo {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let answer = judged(Call::new("account"))?;
        let name = json::text(&answer, "/data/0/attributes/contact_information/organization_name");
        let mut account = Account { id: json::text(&answer, "/data/0/id"), name, ..Account::default() };
        match judged(Call::new("lists")) {
            Err(Error::Credentials(refusal)) if refusal.trouble == Trouble::Permission => account.lacking.push("lists:read".to_owned()),
            other => drop(other?),
        }
        Ok(account)
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        if picker != "list" {
            return Err(error::unsupported(format!("Klaviyo has no picker named '{picker}'")));
        }
        let page = judged(Call::new("lists").query_opt("page[cursor]", cursor))?;
        let items = json::rows(&page, "/data").iter().filter_map(|row| {
            let id = json::text(row, "/id")?;
            let mut choice = Choice::new(&id, json::text(row, "/attributes/name").unwrap_or_else(|| id.clone()));
            if let Some(process) = json::text(row, "/attributes/opt_in_process") {
                choice.facts.push(Pair::new("opt_in", &process));
                choice = choice.detail(process.replace('_', " "));
            }
            Some(choice)
        });
        Ok(Page { items: items.collect(), next: json::text(&page, "/links/next").as_deref().and_then(next_cursor) })
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let list = job.on.picked("list").ok_or_else(|| error::destination_missing("list", "no list is picked"))?;
        let found = find(&job.who.email)?;
        let (profile, dropped) = wanted(&job.who, found.as_ref());
        let ending = match &job.resume {
            Some(look) => confirmed(found.as_ref(), &job.on, look.parse().unwrap_or_default()),
            None => bring(job, known, list, found, profile)?,
        };
        Ok(dropped.into_iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let found = find(&job.who.email)?;
        // Nobody has this e-mail; the profile that we know may still be there under another one.
        let id = found.as_ref().map_or_else(|| known.contact_id.clone(), |found| json::text(found, "/id"));
        let is_there = |tag: &&String| found.as_ref().is_none_or(|found| tags_of(found).contains(tag));
        let off: Vec<_> = job.clear.iter().filter(is_there).cloned().collect();
        let mut change = Change::Unchanged;
        if let Some(id) = id.as_ref().filter(|_| !off.is_empty()) {
            let data = obj! { "id": id, "meta": patch("unappend", &off) };
            let reply = Call::new("untag").path("id", id).json(obj! { "data": data }).send()?;
            let gone = reply.status() == 404 && json::text(&reply.json(), "/errors/0/code").is_some();
            change = if gone { Change::Gone } else { reply.ok_or(refusal).map(|_| Change::Updated)? };
        }
        if id.is_none() || change == Change::Gone {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        }
        tags::removed(&mut known.tags, &job.clear);
        if known.tags.is_empty() && job.on.is_on("leave_list") {
            sent(Call::new("leave").json(obj! { "data": [obj! { "id": &id }] }))?;
            change = Change::Updated;
        }
        known.contact_id = id;
        Ok(done(change).standing(found.map_or(Standing::Unknown, |found| standing(&found, &job.on))))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = find(&who.email)? else { return Ok(None) };
        let there = tags_of(&found);
        let tags = known.tags.iter().filter(|tag| there.contains(tag)).cloned().collect();
        let known = Known { contact_id: json::text(&found, "/id"), tags, memo: known.memo.clone() };
        let members = judged(Call::new("member").query("filter", by_email(&who.email)))?;
        Ok(Some(Seen { known, standing: standing(&found, on), in_destination: Some(!json::rows(&members, "/data").is_empty()) }))
    }
}

/// Upserts, then subscribes or joins, by what was seen of this person's consent before anything was written.
fn bring(job: &Job, known: &mut Known, list: &str, found: Option<json::Value>, mut profile: json::Value) -> Result<Ending, Error> {
    let (was_there, there) = (found.is_some(), found.as_ref().map(tags_of).unwrap_or_default());
    let missing: Vec<_> = job.set.iter().filter(|tag| !there.contains(tag)).cloned().collect();
    let seen = match found {
        // A repeated run may find everything written: then only the rest is done.
        Some(found) if missing.is_empty() && holds(&found["attributes"], &profile) => found,
        found => {
            body::put(&mut profile, "email", &job.who.email);
            let data = obj! { "attributes": profile, "meta": patch("append", &missing) };
            let reply = sent(Call::new("save").json(obj! { "data": data }))?;
            // Nobody was found and yet somebody was updated: not ours to subscribe.
            if !was_there {
                known.memo = (reply.status() == 201).then(|| NEW.to_owned());
            }
            // What was found just now is fresher than an answer that may stem from an earlier attempt.
            let saved = reply.need_json()?;
            found.or_else(|| json::at(&saved, "/data").cloned()).unwrap_or_default()
        }
    };
    let id = json::text(&seen, "/id").ok_or_else(|| error::retryable("no-id", "save: the answer names no profile"))?;
    known.contact_id = Some(id.clone());
    tags::added(&mut known.tags, &job.set);
    let is_new = known.memo.as_deref() == Some(NEW);
    let ending = done(if is_new { Change::Created } else { Change::Updated });
    let free = if was_there { untouched(&seen) } else { !opted_out(&seen, &job.on) };
    if is_new && free && job.on.setting("subscribe") != Some("false") {
        subscribe(&job.who, list)?;
        known.memo = None;
        // With double opt-in nothing changes until the person answers, so there is nothing to wait for.
        return Ok(if job.on.fact("opt_in") == Some("double_opt_in") { ending.standing(Standing::Pending) } else { consent::first_look() });
    }
    sent(Call::new("join").json(obj! { "data": [obj! { "id": &id }] }))?;
    known.memo = None;
    Ok(ending.standing(standing(&seen, &job.on)))
}

/// Asks for consent to be recorded, which also brings onto the list. Answered before the work is done, with an empty body.
fn subscribe(who: &Person, list: &str) -> Result<Reply, Error> {
    let source = who.consent.as_ref().map_or("Affiliate program", |consent| consent.source.as_str());
    let consent = obj! { "email": obj! { "marketing": obj! { "consent": "SUBSCRIBED" } } };
    let profiles = obj! { "data": [obj! { "attributes": obj! { "email": &who.email, "subscriptions": consent } }] };
    let attributes = obj! { "custom_source": source, "profiles": profiles };
    let lists = obj! { "list": obj! { "data": obj! { "id": list } } };
    sent(Call::new("subscribe").json(obj! { "data": obj! { "attributes": attributes, "relationships": lists } }))
}

/// The profile with this e-mail, its consent included.
fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let found = judged(Call::new("find").query("filter", by_email(email)))?;
    let rows = found["data"].as_array().ok_or_else(|| error::retryable("no-data", "find: the answer holds no list of profiles"))?;
    Ok(rows.first().cloned())
}

fn by_email(email: &str) -> String {
    format!("equals(email,{})", json::print(&email.into()))
}

/// What is written of a person besides the e-mail and the tags (names only where there is none), and the keys of fields that cannot be.
fn wanted(who: &Person, found: Option<&json::Value>) -> (json::Value, Vec<String>) {
    let (first, last) = person::names(who);
    let lacks = |key: &str| found.is_none_or(|found| json::text(&found["attributes"], key).is_none());
    // `$consent` and its like are not properties but orders to Klaviyo.
    let (dropped, kept): (Vec<_>, Vec<_>) = who.fields.iter().partition(|field| field.key.starts_with('$') || field.key == TAGS);
    let properties = body::object(kept.into_iter().map(|field| (field.key.clone(), body::Json::into_json(&field.value))));
    let (first, last) = (first.filter(|_| lacks("first_name")), last.filter(|_| lacks("last_name")));
    let profile = obj! { "first_name": first, "last_name": last, "properties": properties };
    (profile, dropped.into_iter().map(|field| field.key.clone()).collect())
}

/// Whether everything in `wanted` is already so.
fn holds(there: &json::Value, wanted: &json::Value) -> bool {
    wanted.as_object().map_or(there == wanted, |fields| fields.iter().all(|(key, value)| holds(&there[key], value)))
}

/// Adds to or takes from our array: one value as text, several as a list.
fn patch(verb: &str, tags: &[String]) -> json::Value {
    let values = if let [one] = tags { one.as_str().into() } else { json::Value::from(tags) };
    obj! { "patch_properties": obj! { (verb): obj! { (TAGS): values } } }
}

fn tags_of(profile: &json::Value) -> Vec<String> {
    json::rows(&profile["attributes"]["properties"], TAGS).iter().filter_map(|tag| json::text(tag, "")).collect()
}

/// The cursor in a page link; the link itself is never followed. In base64 only these characters are ever encoded.
fn next_cursor(link: &str) -> Option<String> {
    let pairs = link.split_once('?')?.1.split('&').filter_map(|pair| pair.split_once('='));
    let (_, cursor) = pairs.into_iter().find(|(key, _)| matches!(*key, "page[cursor]" | "page%5Bcursor%5D"))?;
    Some(cursor.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/"))
}
