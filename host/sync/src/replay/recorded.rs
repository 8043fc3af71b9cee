//! One run of a sync as it was: what it was asked, what it was told, how it ended. One line of a journal file. Holds a person's data and the
//! vendor's answers about them, and no secret.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crm_catalog::model::Stage;
use crm_contract::ports::{Digest, ShownRequest, StepOutcome};
use crm_contract::types::{Invocation, Pair, Response, Unanswered};
use crm_store::model::{Attempt, KeptStep, Outcome, Step, Unkept};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A recorded run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub organization: String,
    pub connection: String,
    /// The job's id.
    pub sync: String,
    /// Which attempt of it, from 1.
    pub attempt: u32,
    pub connector: String,
    pub version: String,
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    #[serde(default)]
    pub after_unknown: bool,
    #[serde(default)]
    pub resumed: bool,
    pub invocation: Invocation,
    /// In the order in which they were made.
    pub exchanges: Vec<Exchange>,
    pub outcome: Outcome,
    /// Unix milliseconds.
    pub started: u64,
    pub ended: u64,
}

/// One call and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    pub call: String,
    /// The hash of the canonical request; `None` where the call was turned away before it left a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ShownRequest>,
    #[serde(serialize_with = "written", deserialize_with = "read")]
    pub outcome: StepOutcome,
    /// Taken from an earlier attempt's record instead of being sent.
    #[serde(default)]
    pub reused: bool,
    #[serde(default)]
    pub at: u64,
}

impl Recorded {
    /// The run that an attempt was. `None` when its arguments were not kept: no guest ran, or an older host made it.
    pub fn of(organization: &str, connection: &str, attempt: Attempt, steps: &[Step]) -> Option<Self> {
        let asked = attempt.asked?;
        let mut steps: Vec<&Step> = steps.iter().filter(|step| step.attempt == attempt.number).collect();
        steps.sort_by_key(|step| step.number);
        let mut exchanges: Vec<Exchange> = steps.into_iter().map(|step| Exchange::of(&step.kept)).collect();
        if let (Some(unusable), Some(last)) = (asked.unusable, exchanges.last_mut()) {
            last.outcome = StepOutcome::Answered(unusable);
        }
        // Later ones first, so that the places of the others stay what they are.
        for unkept in asked.unkept.into_iter().rev() {
            let place = exchanges.len().min(usize::try_from(unkept.after).unwrap_or(usize::MAX));
            exchanges.insert(place, Exchange::turned_away(unkept));
        }
        Some(Self {
            organization: organization.to_owned(),
            connection: connection.to_owned(),
            sync: attempt.job,
            attempt: attempt.number,
            connector: attempt.connector,
            version: attempt.version,
            digest: attempt.digest,
            account: asked.account,
            choice: asked.choice,
            after_unknown: asked.after_unknown,
            resumed: asked.resumed,
            invocation: asked.invocation,
            exchanges,
            outcome: attempt.outcome,
            started: attempt.started,
            ended: attempt.ended,
        })
    }

    pub fn stage(&self) -> Stage {
        match &self.invocation {
            Invocation::Verify { .. } => Stage::Verify,
            Invocation::ListChoices { .. } => Stage::Pick,
            Invocation::Prepare { .. } => Stage::Prepare,
            Invocation::SyncContact { .. } => Stage::Sync,
            Invocation::UntagContact { .. } => Stage::Untag,
            Invocation::LookupContact { .. } => Stage::Lookup,
        }
    }

    /// Its line in a journal file, without the end of the line.
    ///
    /// # Errors
    /// Never in practice: it is plain data.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// About how much memory it holds, in bytes.
    pub(super) fn weight(&self) -> usize {
        let exchange = |exchange: &Exchange| {
            let request = exchange.request.as_ref().and_then(|request| request.body.as_ref()).map_or(0, String::len);
            let answer = match &exchange.outcome {
                StepOutcome::Answered(response) => response.body.len(),
                StepOutcome::Unanswered(_) => 0,
            };
            request + answer + 1_024
        };
        2_048 + self.exchanges.iter().map(exchange).sum::<usize>()
    }
}

impl Exchange {
    fn of(kept: &KeptStep) -> Self {
        match kept {
            // Announced, and never answered as far as the record knows.
            KeptStep::Intent { key, request, at } => Self {
                call: key.call.clone(),
                hash: Some(key.hash.clone()),
                request: Some(request.clone()),
                outcome: StepOutcome::Unanswered(Unanswered::UnknownOutcome),
                reused: false,
                at: *at,
            },
            KeptStep::Done(step) => Self {
                call: step.key.call.clone(),
                hash: Some(step.key.hash.clone()),
                request: Some(step.request.clone()),
                outcome: step.outcome.clone(),
                reused: step.reused,
                at: step.at,
            },
        }
    }

    fn turned_away(unkept: Unkept) -> Self {
        let outcome = StepOutcome::Unanswered(unkept.why);
        Self { call: unkept.call, hash: None, request: None, outcome, reused: false, at: 0 }
    }
}

/// A line of a journal file that is no recorded run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no recorded run: {why}")]
pub struct LineError {
    pub line: usize,
    pub why: String,
}

/// The runs of a journal file's text; blank lines are passed over.
///
/// # Errors
/// At the first line that is none.
pub fn read_lines(text: &str) -> Result<Vec<Recorded>, LineError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| serde_json::from_str(line).map_err(|error| LineError { line: at + 1, why: error.to_string() })).collect()
}

/// How an outcome stands in a journal file: bodies as text, so that a person can read them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Written {
    Answered { status: u16, headers: Vec<(String, String)>, body: String },
    Unanswered(Unanswered),
}

/// Before bytes that are no text, and before text that could be taken for such.
const BASE64: &str = "base64:";

fn written<S: Serializer>(outcome: &StepOutcome, to: S) -> Result<S::Ok, S::Error> {
    let written = match outcome {
        StepOutcome::Unanswered(why) => Written::Unanswered(why.clone()),
        StepOutcome::Answered(response) => {
            let body = match std::str::from_utf8(&response.body) {
                Ok(text) if !text.starts_with(BASE64) => text.to_owned(),
                _ => format!("{BASE64}{}", BASE64_STANDARD.encode(&response.body)),
            };
            let headers = response.headers.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
            Written::Answered { status: response.status, headers, body }
        }
    };
    written.serialize(to)
}

fn read<'de, D: Deserializer<'de>>(from: D) -> Result<StepOutcome, D::Error> {
    Ok(match Written::deserialize(from)? {
        Written::Unanswered(why) => StepOutcome::Unanswered(why),
        Written::Answered { status, headers, body } => {
            let body = match body.strip_prefix(BASE64) {
                Some(text) => BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)?,
                None => body.into_bytes(),
            };
            let headers = headers.into_iter().map(|(key, value)| Pair { key, value }).collect();
            StepOutcome::Answered(Response { status, headers, body })
        }
    })
}

#[cfg(test)]
#[path = "recorded_tests.rs"]
mod tests;
