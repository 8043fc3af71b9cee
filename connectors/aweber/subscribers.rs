//! Subscribers of one list: the look by e-mail, adding, and what has to be written for someone who is there. Knows no warnings.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::refusal::{judged, judged_json, told};
use crate::{account, same};

/// The vendor's cap on names, in characters.
pub(crate) const MAX_NAME: usize = 60;
/// In the place of the last follow-up message sent: none will follow.
const NO_FOLLOW_UPS: u32 = 1001;

/// The picked list, as its paths name it.
pub(crate) struct List {
    account: String,
    list: String,
}

/// How adding someone ended.
pub(crate) enum Made {
    /// With the new subscriber's id.
    New(String),
    /// Somebody with this address is on the list after all; in the vendor's words.
    Taken(String),
}

impl List {
    pub(crate) fn picked(on: &Connection) -> Result<Self, Error> {
        let list = on.picked("list").ok_or_else(|| error::destination_missing("list", "no list is picked"))?;
        Ok(Self { account: account(on)?, list: list.to_owned() })
    }

    pub(crate) fn call(&self, name: &str) -> Call {
        Call::new(name).path("account", &self.account).path("list", &self.list)
    }

    /// Whom the job is about: by the address, by the one before it, else the one we know by id, whose address was changed in AWeber. The
    /// last keeps someone who left under another address or spelling from being added again.
    pub(crate) fn someone(&self, job: &Job, known: &Known) -> Result<Option<json::Value>, Error> {
        if let Some(found) = self.find(&job.who.email)? {
            return Ok(Some(found));
        }
        if let Some(old) = person::previous_email(&job.who)
            && let Some(found) = self.find(old)?
        {
            return Ok(Some(found));
        }
        known.contact_id.as_deref().map_or(Ok(None), |id| self.by_id(id))
    }

    /// The subscriber with this address, in whatever state. The vendor heeds case, and an opt-out that is overlooked would be undone: so
    /// the address is looked for as typed, in lower case, and with a capital first letter, as phones write it.
    pub(crate) fn find(&self, email: &str) -> Result<Option<json::Value>, Error> {
        let folded = lower(email);
        let mut letters = folded.chars();
        let capital: String = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
        let mut asked: Vec<&str> = Vec::new();
        for spelling in [email, &folded, &capital] {
            if asked.contains(&spelling) {
                continue;
            }
            if let Some(found) = self.find_exactly(spelling)? {
                return Ok(Some(found));
            }
            asked.push(spelling);
        }
        Ok(None)
    }

    pub(crate) fn find_exactly(&self, email: &str) -> Result<Option<json::Value>, Error> {
        let body = judged_json(self.call("find").query("email", email))?;
        // Without the list it is no empty list: it could hide that someone opted out.
        let rows = json::at(&body, "/entries").and_then(json::Value::as_array);
        let rows = rows.ok_or_else(|| error::retryable("no-rows", "find: the answer has no entries"))?;
        let ours = rows.iter().find(|row| json::text(row, "/email").is_some_and(|theirs| same(&theirs, email)));
        if ours.is_none() && !rows.is_empty() {
            return Err(error::retryable("other-rows", "find: the answer names subscribers, and none has this address"));
        }
        Ok(ours.cloned())
    }

    /// The subscriber of this id; `None` when it was deleted or moved to another list.
    fn by_id(&self, id: &str) -> Result<Option<json::Value>, Error> {
        let reply = self.call("subscriber").path("id", id).send()?;
        if reply.status() == 404 && told(&reply).is_some() {
            return Ok(None);
        }
        judged(reply)?.need_json().map(Some)
    }

    /// Adds someone whom the look has not found.
    pub(crate) fn create(&self, job: &Job) -> Result<Made, Error> {
        let mut fields = obj! {};
        for field in &job.who.fields {
            body::put(&mut fields, &field.key, plain(&field.value));
        }
        let no_follow_ups = (job.on.setting("follow_ups") == Some("false")).then_some(NO_FOLLOW_UPS);
        let person = obj! {
            "email": &job.who.email, "name": name(&job.who), "tags": &job.set, "custom_fields": fields,
            "last_followup_message_number_sent": no_follow_ups,
        };
        let reply = self.call("create").json(person).send()?;
        let words = told(&reply).unwrap_or_default();
        if reply.status() == 400 && words.contains("already subscribed") {
            return Ok(Made::Taken(words));
        }
        let reply = judged(reply)?;
        // The body is empty; the id is the last step of the new subscriber's address.
        let id = reply.header("location").and_then(|link| link.split(['?', '#']).next()?.trim_end_matches('/').rsplit('/').next());
        let id = id.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        id.map(|id| Made::New(id.to_owned()))
            .ok_or_else(|| error::retryable("no-id", "create: the answer has no address of the new subscriber"))
    }
}

/// What has to be written for a subscriber who is there, and the keys of fields that cannot be.
pub(crate) fn changes<'j>(there: &json::Value, job: &'j Job) -> (json::Value, Vec<&'j str>) {
    let has = |name: &&String| tags_of(there).iter().any(|tag| same(tag, name));
    let add: Vec<&String> = job.set.iter().filter(|name| !has(name)).collect();
    // An answer that leaves the name out does not say that there is none.
    let blank = json::at(there, "/name").is_some() && json::text(there, "/name").is_none();
    // An address that the person or the merchant changed in AWeber stays.
    let at_old = |email: String| person::previous_email(&job.who).is_some_and(|old| same(&email, old));
    let moved = json::text(there, "/email").is_some_and(at_old);
    let mut wanted = obj! {
        "email": moved.then_some(&job.who.email),
        "name": name(&job.who).filter(|_| blank),
        "tags": obj! { "add": add.into_iter().cloned().collect::<Vec<String>>() },
    };
    // Fields that are left out are emptied, so all are sent, or none when the answer does not show them.
    let Some(fields) = json::at(there, "/custom_fields").filter(|fields| fields.is_object()) else {
        return (wanted, job.who.fields.iter().map(|field| field.key.as_str()).collect());
    };
    let mut all = fields.clone();
    for field in &job.who.fields {
        body::put(&mut all, &field.key, plain(&field.value));
    }
    if all != *fields {
        body::put(&mut wanted, "custom_fields", all);
    }
    (wanted, Vec::new())
}

/// How a subscriber stands. Someone who unsubscribed gets nothing written.
pub(crate) fn standing(there: &json::Value) -> Standing {
    match json::text(there, "/status").as_deref() {
        Some("subscribed") => Standing::Normal,
        Some("unconfirmed") => Standing::Pending,
        Some("unsubscribed") => Standing::SkippedOptedOut,
        _ => Standing::Unknown,
    }
}

pub(crate) fn tags_of(there: &json::Value) -> Vec<String> {
    json::rows(there, "/tags").iter().filter_map(|tag| json::text(tag, "")).collect()
}

fn name(who: &Person) -> Option<String> {
    person::full_name(who).map(|name| name.chars().take(MAX_NAME).collect())
}

/// Custom fields are text here, all of them.
fn plain(value: &Value) -> String {
    match value {
        Value::Many(options) => options.join(", "),
        Value::Truth(truth) => (if *truth { "yes" } else { "no" }).to_owned(),
        Value::Text(text) | Value::Number(text) | Value::Date(text) => text.clone(),
    }
}
