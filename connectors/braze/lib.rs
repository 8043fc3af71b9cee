//! Braze: users of one workspace, looked up by e-mail, with an array attribute that stands in for tags. Two calls per affiliate
//! (look, write), and a third before a new user is put into a subscription group. Braze queues what it accepts.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Facts: <https://www.braze.com/docs/api/home>,
//! and the pages that `connector.toml` names.

use crm_connector_sdk::prelude::*;

mod pickers;
mod profile;
mod refusal;

use profile::{News, TAGS, Users};
use refusal::{answer, tracked};

struct Braze;

crm_connector_sdk::export!(Braze);

/// Nobody can have this address (RFC 2606): asking for it tests the key and shows nobody's data.
const NOBODY: &str = "nobody@example.invalid";

impl Connector for Braze {
    fn verify(&self, on: &Connection) -> Result<Account, Error> {
        find(NOBODY)?;
        // No answer names the workspace: the instance is all there is to tell two connections apart.
        let instance = on.setting("instance").unwrap_or("us-01").to_ascii_uppercase();
        Ok(Account { name: Some(format!("Braze workspace on {instance}")), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "fields" => pickers::attributes(cursor),
            other => Err(error::unsupported(format!("Braze has no picker named '{other}'"))),
        }
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let who = &job.who;
        let mut users = find(&who.email)?;
        let mut moves = false;
        if let (None, Some(old)) = (users.first(), person::previous_email(who)) {
            users = find(old)?;
            moves = users.first().is_some();
        }
        let Some(user) = users.first() else { return create(job, known) };
        known.contact_id = json::text(user, "/braze_id").or(known.contact_id.take());
        let mut news = News::for_user(job, user)?;
        let mut change = Change::Updated;
        if moves {
            body::put(&mut news.data, "email", &who.email);
            news.write(if users.opted_out() { "move_opted_out" } else { "move" }, &users)?;
        } else if news.data == obj! {} {
            change = Change::Unchanged;
        } else {
            news.write("update", &users)?;
        }
        tags::added(&mut known.tags, &job.set);
        Ok(ending(change, &news, &users))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut users = find(&job.who.email)?;
        if let (None, Some(old)) = (users.first(), person::previous_email(&job.who)) {
            users = find(old)?;
        }
        if users.first().is_none() {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        }
        // Users may share an address, and each of them may have been tagged.
        let off = |user: &json::Value| {
            let there: Vec<String> = job.clear.iter().filter(|tag| profile::is_on(user, tag)).cloned().collect();
            (!there.is_empty()).then(|| profile::addressed(user, obj! { (TAGS.to_owned()): obj! { "remove": there } }))
        };
        let off: Vec<json::Value> = users.all.iter().filter_map(off).collect();
        let change = if off.is_empty() { Change::Unchanged } else { Change::Updated };
        if !off.is_empty() {
            tracked(Call::new("untag").json(obj! { "attributes": off }))?;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(users.standing()))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let users = find(&who.email)?;
        let Some(user) = users.first() else { return Ok(None) };
        let in_destination = match on.picked("group") {
            Some(group) => Some(group_state(group, &who.email)?.as_deref() == Some("Subscribed")),
            None => None,
        };
        let known = Known {
            contact_id: json::text(user, "/braze_id"),
            tags: known.tags.iter().filter(|tag| users.all.iter().any(|user| profile::is_on(user, tag))).cloned().collect(),
            memo: known.memo.clone(),
        };
        Ok(Some(Seen { known, standing: users.standing(), in_destination }))
    }
}

/// Everybody with this address. Braze lets several users share one.
fn find(email: &str) -> Result<Users, Error> {
    let found = answer(Call::new("find").json(obj! { "email_address": email }))?;
    let Some(all) = json::at(&found, "/users").and_then(json::Value::as_array) else {
        return Err(error::retryable("no-users", "find: the answer has no list of users"));
    };
    // Without an ID a write would fall upon whoever Braze picks by the address.
    if all.iter().any(|user| json::first_text(user, &["/external_id", "/braze_id"]).is_none()) {
        return Err(error::retryable("no-id", "find: the answer shows a user without an ID"));
    }
    Ok(Users { all: all.clone() })
}

/// A new user, in the group that the merchant entered unless the address has left it before there was a user. Whoever was seen
/// before is not new: a change of address takes minutes to show, and the person behind it may have left the group.
fn create(job: &Job, known: &mut Known) -> Result<Ending, Error> {
    let mut news = News::for_nobody(job);
    body::put(&mut news.data, "email", &job.who.email);
    let mut standing = Standing::Normal;
    if let (Some(group), None) = (job.on.picked("group"), &known.contact_id) {
        if group_state(group, &job.who.email)?.as_deref() == Some("Unsubscribed") {
            standing = Standing::KeptOptedOut;
        } else {
            let state = obj! { "subscription_group_id": group, "subscription_state": "subscribed" };
            body::put(&mut news.data, "subscription_groups", vec![state]);
        }
    }
    news.dropped.extend(tracked(Call::new("create").json(obj! { "attributes": vec![news.data.clone()] }))?);
    tags::added(&mut known.tags, &job.set);
    Ok(ending(Change::Created, &news, &Users::default()).standing(standing))
}

/// What Braze knows of this address in the group: `Subscribed`, `Unsubscribed` or `Unknown`.
fn group_state(group: &str, email: &str) -> Result<Option<String>, Error> {
    let state = answer(Call::new("group_state").query("subscription_group_id", group).query("email", email))?;
    let Some(states) = json::at(&state, "/status").and_then(json::Value::as_object) else {
        return Err(error::retryable("no-status", "group_state: the answer has no states"));
    };
    // One person was asked about. Whoever shares the address and left the group speaks for it.
    let left = states.values().find(|state| state.as_str() == Some("Unsubscribed"));
    Ok(left.or_else(|| states.values().next()).and_then(|state| json::text(state, "")))
}

fn ending(change: Change, news: &News, users: &Users) -> Ending {
    let mut ending = done(change).standing(users.standing());
    if users.all.len() > 1 {
        ending = ending.warn(Remark::SeveralMatches, "email");
    }
    news.dropped.iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key))
}
