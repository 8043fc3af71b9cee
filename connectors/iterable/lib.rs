//! Iterable: users of one project, known by e-mail, with an object of true/false keys that stands in for tags. Two calls per
//! affiliate (look, save), and a third where a static list was picked; a changed address is changed first, and rests a minute.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Facts: <https://api.iterable.com/api/docs>,
//! the official api-client 981eeb5, and the pages that `connector.toml` names.

use crm_connector_sdk::prelude::*;

mod lists;
mod profile;
mod refusal;

use profile::{TAGS, slug};
use refusal::{answer, judged};

struct Iterable;

crm_connector_sdk::export!(Iterable);

/// What the vendor asks to wait after a change of address, in seconds.
const SETTLE_S: u32 = 60;
/// What `later` hands back: the address is changed, the rest is still to be done.
const RENAMED: &str = "renamed";
/// The same when nobody knows whether the request to change the address arrived.
const UNSURE: &str = "unsure";

impl Connector for Iterable {
    fn verify(&self, on: &Connection) -> Result<Account, Error> {
        lists::all()?;
        // No answer names the project: the region is all there is to tell two connections apart.
        let region = on.setting("region").unwrap_or("us").to_ascii_uppercase();
        Ok(Account { name: Some(format!("Iterable project ({region} data center)")), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        let items = match picker {
            "list" => lists::choices()?,
            "fields" => profile::choices()?,
            other => return Err(error::unsupported(format!("Iterable has no picker named '{other}'"))),
        };
        Ok(Page { items, next: None })
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let who = &job.who;
        let user = find(&who.email)?;
        if user.is_none() && job.resume.as_deref() == Some(RENAMED) {
            // Not to be seen under the new address yet: to save now would make a second user.
            return Ok(later(SETTLE_S, RENAMED));
        }
        if let (None, Some(old)) = (&user, person::previous_email(who))
            && let Some(there) = find(old)?
        {
            return rename(job, old, &there).map(|token| later(SETTLE_S, token));
        }
        known.contact_id = user.as_ref().and_then(|user| json::text(user, "/userId")).or(known.contact_id.take());
        let (data, dropped) = profile::news(job, user.as_ref());
        let mut change = if user.is_none() { Change::Created } else { Change::Updated };
        if user.is_none() || data != obj! {} {
            answer(Call::new("save").json(obj! { "email": &who.email, "dataFields": data }))?;
        } else {
            change = Change::Unchanged;
        }
        tags::added(&mut known.tags, &job.set);
        if lists::join(job, known, user.as_ref())? && change == Change::Unchanged {
            change = Change::Updated;
        }
        let ending = done(change).standing(user.as_ref().map_or(Standing::Normal, standing));
        Ok(dropped.into_iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut user = find(&job.who.email)?;
        if let (None, Some(old)) = (&user, person::previous_email(&job.who)) {
            user = find(old)?;
        }
        let Some(user) = user else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let mut kept = job.all.clone();
        tags::removed(&mut kept, &job.clear);
        let kept: Vec<String> = kept.iter().map(|tag| slug(tag)).collect();
        let mut off = obj! {};
        // Two tags may share a key: it stays true as long as one of them is wanted.
        for key in job.clear.iter().map(|tag| slug(tag)).filter(|key| is_on(&user, key) && !kept.contains(key)) {
            body::put(&mut off, &key, false);
        }
        let mut change = Change::Unchanged;
        if off != obj! {} {
            let email = json::text(&user, "/email").unwrap_or_else(|| job.who.email.clone());
            answer(Call::new("untag").json(obj! { "email": email, "dataFields": obj! { (TAGS.to_owned()): off } }))?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&user)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(user) = find(&who.email)? else { return Ok(None) };
        let known = Known {
            contact_id: json::text(&user, "/userId"),
            tags: known.tags.iter().filter(|tag| is_on(&user, &slug(tag))).cloned().collect(),
            memo: known.memo.clone(),
        };
        let in_destination = on.picked("list").map(|list| lists::is_on(&user, list));
        Ok(Some(Seen { known, standing: standing(&user), in_destination }))
    }
}

/// The user with this address; `None` when the project has none, which is an empty object.
fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").query("email", email).send()?;
    if refusal::is_nobody(&reply) {
        return Ok(None);
    }
    let found = judged(reply)?;
    match (json::at(&found, "/user"), found.as_object()) {
        (Some(user @ json::Value::Object(_)), _) => Ok(Some(user.clone())),
        (Some(json::Value::Null), _) => Ok(None),
        (None, Some(empty)) if empty.is_empty() => Ok(None),
        _ => Err(error::retryable("no-user", "find: the answer shows neither a user nor that there is none")),
    }
}

/// Gives the user with the old address the new one, and tells what `later` is to hand back. `itblUserId` is there in hybrid
/// projects, never in those that know people by e-mail alone.
fn rename(job: &Job, old: &str, user: &json::Value) -> Result<&'static str, Error> {
    let new = &job.who.email;
    if json::at(user, "/dataFields/itblUserId").is_none() {
        return answer(Call::new("rename").json(obj! { "currentEmail": old, "newEmail": new })).map(|_| RENAMED);
    }
    let id = json::text(user, "/userId");
    // The one or the other, never both.
    let email = id.is_none().then_some(old);
    let call = Call::new("rename_hybrid").json(obj! { "userId": id, "email": email, "dataFields": obj! { "email": new } });
    match call.clone().try_send() {
        // The old address was there just now, and was after the pause as well: the request did not arrive.
        Err(Unanswered::UnknownOutcome) if job.resume.as_deref() == Some(UNSURE) => answer(call)?,
        // A look may lag behind by a minute, and a second request would make a user under the old address.
        Err(Unanswered::UnknownOutcome) => return Ok(UNSURE),
        Err(why) => return Err(error::unanswered("rename_hybrid", why)),
        Ok(reply) => judged(reply)?,
    };
    Ok(RENAMED)
}

/// Whether this tag's key is true.
fn is_on(user: &json::Value, key: &str) -> bool {
    json::at(user, &format!("/dataFields/{TAGS}/{key}")) == Some(&json::Value::Bool(true))
}

/// Someone who left a channel or a type of message has opted out, and stays so: neither field is ever written.
fn standing(user: &json::Value) -> Standing {
    let left = ["/dataFields/unsubscribedChannelIds", "/dataFields/unsubscribedMessageTypeIds"];
    if left.iter().any(|field| !json::rows(user, field).is_empty()) { Standing::KeptOptedOut } else { Standing::Normal }
}
