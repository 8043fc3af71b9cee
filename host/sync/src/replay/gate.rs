//! The newest recorded syncs run on a version that is to go live, and what it would do differently: kept with the version, and shown to the
//! person who must say yes. Holds no value and nobody's name: calls, and places in requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestFault};
use crm_contract::types::{Invocation, Person, Value};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::compare::{Compared, Verdict};
use super::newest::Newest;
use super::offline::NoCredentials;
use super::parts::At;
use super::recorded::Recorded;
use super::run::{Replayed, kind_of, replay};
use crate::context::Context;
use crate::services::ServiceError;

/// Syncs that are run again, unless somebody says otherwise.
pub const MOST: usize = 200;
/// How long all of it may take.
const TIME: Duration = Duration::from_secs(60);
/// How often, and how long apart, a host without a free place for a guest is asked again.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Places that are told apart, syncs that are named, and the longest name of each: a gate fits into a record beside other things.
const PLACES: usize = 16;
const SYNCS: usize = 6;
const NAME: usize = 60;
const WORDS: usize = 140;
/// Stands for a name that may be somebody's.
const BLANK: &str = "…";

/// How a version did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Syncs that were run again.
    pub replayed: u32,
    /// Of those: the same requests in the same order.
    pub same: u32,
    /// Of those: ended in another way than they had. For information; what ends otherwise may well send the same.
    pub ended_otherwise: u32,
    /// The time was over, or the host had no place for more, before all that were asked for had been run again.
    pub cut_short: bool,
    /// What is different, most frequent first; the most frequent ones where there are many. Ends too, which make no sync differ.
    pub places: Vec<Place>,
    /// The newest syncs that differ.
    pub different: Vec<Differs>,
}

/// One kind of difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Empty = the run as a whole.
    pub call: String,
    /// `body at /tags/0`, `new call`, `no longer made`.
    pub what: String,
    /// In how many syncs.
    pub syncs: u32,
}

/// One sync that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    pub organization: String,
    pub sync: String,
    pub words: String,
}

impl Gate {
    /// Whether nobody need be asked: no sync differs.
    pub fn is_clear(&self) -> bool {
        self.same == self.replayed
    }
}

/// Runs the newest `most` recorded syncs of a connector again on a version that is loaded. Nothing is sent, no credential is opened, and
/// no job is changed.
///
/// # Errors
/// When the version is not loaded, or the store cannot be read.
pub async fn gate(context: &Context, connector: &str, digest: &Digest, most: usize) -> Result<Gate, ServiceError> {
    let manifest = context.guests.manifest(digest).ok_or(ServiceError::NotFound("version"))?;
    let mut tally = Tally::default();
    let deadline = Instant::now() + TIME;
    tally.gate.cut_short = match timeout_at(deadline, all(context, connector, digest, &manifest, most, &mut tally)).await {
        Ok(done) => !done?,
        Err(_) => true,
    };
    Ok(tally.gate())
}

/// `false` = the host has no place for guests.
async fn all(
    context: &Context,
    connector: &str,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    most: usize,
    tally: &mut Tally,
) -> Result<bool, ServiceError> {
    let mut newest = Newest::of(context, connector, most).await?;
    for _ in 0..most {
        let Some(recorded) = newest.next().await? else { return Ok(true) };
        let Some(replayed) = patiently(context, digest, manifest, &recorded).await? else { return Ok(false) };
        tally.add(&recorded, &replayed);
    }
    Ok(true)
}

async fn patiently(
    context: &Context,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    recorded: &Recorded,
) -> Result<Option<Replayed>, GuestFault> {
    for _ in 0..TRIES {
        match replay(&*context.guests, &*context.gateway, digest, manifest, recorded, Arc::new(NoCredentials)).await {
            Err(GuestFault::Busy) => tokio::time::sleep(PAUSE).await,
            result => return result.map(Some),
        }
    }
    Ok(None)
}

/// A gate that is being filled.
#[derive(Default)]
pub(super) struct Tally {
    gate: Gate,
    places: BTreeMap<(String, String), u32>,
}

impl Tally {
    pub(super) fn add(&mut self, recorded: &Recorded, replayed: &Replayed) {
        let gate = &mut self.gate;
        gate.replayed += 1;
        gate.ended_otherwise += u32::from(replayed.ended != replayed.ends);
        let mut found: Vec<(String, String)> = Vec::new();
        if replayed.ended != replayed.ends {
            found.push((String::new(), format!("ends `{}` instead of `{}`", replayed.ends, replayed.ended)));
        }
        if replayed.is_same() {
            gate.same += 1;
            return self.count(found);
        }
        let discreet = Discreet::of(&recorded.invocation);
        let mut put = |call: &str, what: String| {
            let one = (cut(call, NAME), cut(&what, NAME));
            if !found.contains(&one) {
                found.push(one);
            }
        };
        for compared in &replayed.calls {
            whats(compared, &discreet, |what| put(&compared.call, what));
        }
        if let Some(fault) = &replayed.fault {
            put("", format!("the connector is stopped: {}", kind_of(fault)));
        }
        if gate.different.len() < SYNCS {
            let said: Vec<String> =
                found.iter().map(|(call, what)| format!("{call}: {what}").trim_start_matches(": ").to_owned()).collect();
            let words = cut(&said.join("; "), WORDS);
            gate.different.push(Differs { organization: recorded.organization.clone(), sync: recorded.sync.clone(), words });
        }
        self.count(found);
    }

    fn count(&mut self, found: Vec<(String, String)>) {
        for one in found {
            // A connector has so many calls and places; one that makes up names must not fill the memory.
            if self.places.len() < 4_096 || self.places.contains_key(&one) {
                *self.places.entry(one).or_default() += 1;
            }
        }
    }

    pub(super) fn gate(self) -> Gate {
        let mut places: Vec<Place> = self.places.into_iter().map(|((call, what), syncs)| Place { call, what, syncs }).collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.syncs));
        places.truncate(PLACES);
        Gate { places, ..self.gate }
    }
}

fn whats(compared: &Compared, discreet: &Discreet, mut say: impl FnMut(String)) {
    match &compared.verdict {
        Verdict::Same => {}
        Verdict::Changed { parts } => parts.iter().for_each(|part| say(discreet.place(&part.at))),
        Verdict::New { .. } => say("new call".to_owned()),
        Verdict::Missing { .. } => say("no longer made".to_owned()),
        // Why may quote the guest.
        Verdict::Refused { .. } => say("not allowed by its manifest".to_owned()),
    }
    if compared.moved {
        say("at another place in the order".to_owned());
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain("…".chars()).collect() }
}

/// Names of places without anybody's name: a key of an object may be an address or an id.
struct Discreet {
    /// What the run was told of its person, in lower case.
    person: Vec<String>,
}

impl Discreet {
    fn of(invocation: &Invocation) -> Self {
        let (Invocation::SyncContact { job } | Invocation::UntagContact { job }) = invocation else { return Self { person: Vec::new() } };
        let Person { email, previous_email, first, last, full, company, fields, .. } = &job.who;
        let texts = [Some(email), previous_email.as_ref(), first.as_ref(), last.as_ref(), full.as_ref(), company.as_ref()];
        let values = fields.iter().filter_map(|field| match &field.value {
            Value::Text(text) | Value::Number(text) | Value::Date(text) => Some(text),
            Value::Truth(_) | Value::Many(_) => None,
        });
        let all = texts.into_iter().flatten().chain(values).chain(&job.known.contact_id);
        let person = all.map(|text| text.trim().to_lowercase()).filter(|text| text.chars().count() > 1);
        Self { person: person.collect() }
    }

    fn place(&self, at: &At) -> String {
        let name = |name: &String| if self.tells(name) { BLANK.to_owned() } else { name.clone() };
        let steps =
            |pointer: &String| pointer.split('/').map(|step| if self.tells(step) { BLANK } else { step }).collect::<Vec<_>>().join("/");
        match at {
            At::Query(key, pointer) => At::Query(name(key), steps(pointer)),
            At::Form(key, pointer) => At::Form(name(key), steps(pointer)),
            At::Header(key) => At::Header(name(key)),
            At::Body(pointer) => At::Body(steps(pointer)),
            At::Method | At::Host | At::Path => at.clone(),
        }
        .to_string()
    }

    /// Whether a name may be somebody's: an address, a long number, or a text of this run's person. Short texts only as a whole: `Al` is
    /// no reason to blank `total`.
    fn tells(&self, step: &str) -> bool {
        let lower = step.to_lowercase();
        let digits = step.bytes().filter(u8::is_ascii_digit).count();
        let is = |text: &String| lower == *text || (text.chars().count() > 3 && lower.contains(text.as_str()));
        step.contains(['@', '%']) || digits > 5 || self.person.iter().any(is)
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
