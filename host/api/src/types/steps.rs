//! Steps of an attempt: the exact request, with secrets as labelled slots, and what was answered.

use base64::Engine;
use crm_contract::ports::{ShownRequest, StepOutcome};
use crm_contract::types::Unanswered;
use crm_store::model::{KeptStep, Step as Kept};
use serde::Serialize;
use utoipa::ToSchema;

use super::{time, word};

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Step {
    number: u32,
    call: String,
    /// `read`, `idempotent` or `write`; of an announced write whose end is not known, `write`.
    effect: String,
    request: ShownHttpRequest,
    /// Absent when there is no answer.
    response: Option<ShownResponse>,
    /// Why there is no answer: `throttled`, `unreachable`, `timed-out`, `too-large`, `unknown-outcome` or `refused`.
    unanswered: Option<String>,
    /// The words of a refusal.
    detail: Option<String>,
    good: bool,
    /// Taken from an earlier attempt's record instead of being sent.
    reused: bool,
    pub(crate) at: String,
    took_ms: u32,
}

/// A request as it is sent, except that a secret is shown as its slot, such as `{secret:api_key}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownHttpRequest {
    method: String,
    url: String,
    headers: Vec<Header>,
    /// Text, or base64 after `base64:`.
    body: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Header {
    name: String,
    value: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ShownResponse {
    status: u16,
    headers: Vec<Header>,
    /// Text, or base64 after `base64:`.
    body: String,
}

impl From<&ShownRequest> for ShownHttpRequest {
    fn from(request: &ShownRequest) -> Self {
        let headers = request.headers.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() });
        Self { method: request.method.clone(), url: request.url.clone(), headers: headers.collect(), body: request.body.clone() }
    }
}

impl From<&Kept> for Step {
    fn from(step: &Kept) -> Self {
        match &step.kept {
            KeptStep::Intent { key, request, at } => Self {
                number: step.number,
                call: key.call.clone(),
                effect: "write".to_owned(),
                request: request.into(),
                response: None,
                unanswered: Some("unknown-outcome".to_owned()),
                detail: None,
                good: false,
                reused: false,
                at: time(*at),
                took_ms: 0,
            },
            KeptStep::Done(record) => {
                let (response, unanswered, detail) = match &record.outcome {
                    StepOutcome::Answered(answer) => {
                        let headers = answer.headers.iter().map(|h| Header { name: h.key.clone(), value: h.value.clone() }).collect();
                        (Some(ShownResponse { status: answer.status, headers, body: shown(&answer.body) }), None, None)
                    }
                    StepOutcome::Unanswered(why) => {
                        let (code, detail) = unanswered(why);
                        (None, Some(code.to_owned()), detail)
                    }
                };
                Self {
                    number: step.number,
                    call: record.key.call.clone(),
                    effect: word(&record.effect),
                    request: (&record.request).into(),
                    response,
                    unanswered,
                    detail,
                    good: record.good,
                    reused: record.reused,
                    at: time(record.at),
                    took_ms: record.took_ms,
                }
            }
        }
    }
}

fn unanswered(why: &Unanswered) -> (&'static str, Option<String>) {
    match why {
        Unanswered::Throttled(throttle) => ("throttled", throttle.after_seconds.map(|s| format!("for {s} s"))),
        Unanswered::Unreachable => ("unreachable", None),
        Unanswered::TimedOut => ("timed-out", None),
        Unanswered::TooLarge => ("too-large", None),
        Unanswered::UnknownOutcome => ("unknown-outcome", None),
        Unanswered::Refused(words) => ("refused", Some(words.clone())),
    }
}

fn shown(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("base64:{}", base64::prelude::BASE64_STANDARD.encode(body)),
    }
}
