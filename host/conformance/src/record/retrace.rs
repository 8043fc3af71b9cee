//! Runs the connector once more, offline, on answers that are handed in, and notes what it asks for: the requests of a recorded fixture.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Result, bail};
use async_trait::async_trait;
use crm_catalog::model::{BodyKind, Call, Manifest};
use crm_contract::ports::{
    Digest, Gateway, GuestLog, Guests, Journal, JournalError, LogLevel, Mode, Recall, ShownRequest, StepKey, StepOutcome, StepRecord,
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{Heard, pairs};
use crate::defaults::{connection, invocation, shown, stage};
use crate::host;
use crate::playback::{record, response};
use crate::suite::Suite;
use crate::wire;

/// What the run asked for, in a fixture's words, and how it ended.
pub(super) struct Retraced {
    pub requests: Vec<Value>,
    pub answer: Value,
}

/// # Errors
/// When the connector makes other calls than were heard, or is stopped.
pub(super) async fn run(
    suite: &Suite,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    function: &str,
    input: &Value,
    heard: &[Heard],
) -> Result<Retraced> {
    let mode = manifest.auth.first().map_or_else(String::new, |auth| auth.mode.clone());
    let invocation = invocation(function, input, &mode)?;
    let choice = input.pointer("/choice").and_then(Value::as_str).map(str::to_owned);
    let scope = host::scope(manifest, connection(&invocation).clone(), stage(&invocation), choice);
    let tape = Arc::new(Tape {
        manifest: manifest.clone(),
        state: Mutex::new(State { left: heard.iter().cloned().collect(), ..State::default() }),
    });
    let outbound = suite.egress().open(scope, Mode::Replay, tape.clone());
    let answer = suite.engine().call(digest, invocation, outbound, tape.clone()).await;
    let state = std::mem::take(&mut *tape.state.lock());
    if let Some(call) = state.astray {
        bail!(
            "with invented identities the connector makes the call {call:?}, which the run did not make there: write this fixture by hand"
        );
    }
    if let Some(left) = state.left.front() {
        bail!("with invented identities the connector does not make the call {:?}: write this fixture by hand", left.call);
    }
    match answer {
        Ok(answer) => Ok(Retraced { requests: state.requests, answer: shown(&answer)? }),
        Err(fault) => bail!("with invented identities the connector is stopped: {fault}"),
    }
}

#[derive(Default)]
struct State {
    left: VecDeque<Heard>,
    requests: Vec<Value>,
    astray: Option<String>,
}

/// The answers, handed out in order.
struct Tape {
    manifest: Arc<Manifest>,
    state: Mutex<State>,
}

#[async_trait]
impl Journal for Tape {
    fn recall(&self, key: &StepKey) -> Recall {
        let mut state = self.state.lock();
        let Some(call) = self.manifest.call(&key.call) else { return Recall::Nothing };
        match state.left.front() {
            Some(heard) if heard.call == key.call => {
                let outcome = match &heard.answer {
                    Ok(given) => StepOutcome::Answered(response(call, given)),
                    Err(why) => StepOutcome::Unanswered(why.clone()),
                };
                state.left.pop_front();
                record(key, call, outcome)
            }
            _ => {
                state.astray.get_or_insert_with(|| key.call.clone());
                Recall::Nothing
            }
        }
    }

    fn resumed(&self) -> bool {
        false
    }

    async fn intend(&self, _key: &StepKey, _request: &ShownRequest) -> Result<(), JournalError> {
        Ok(())
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        if let Some(call) = self.manifest.call(&step.key.call) {
            self.state.lock().requests.push(expected(&self.manifest, call, &step.request));
        }
        Ok(())
    }
}

impl GuestLog for Tape {
    fn line(&self, _level: LogLevel, _text: &str) {}
}

/// A request as a fixture states it.
fn expected(manifest: &Manifest, call: &Call, shown: &ShownRequest) -> Value {
    let (host, path, query) = wire::parts(&shown.url);
    let mut request = Map::new();
    request.insert("call".to_owned(), json!(call.name));
    request.insert("method".to_owned(), json!(shown.method));
    let choices = manifest.endpoint(&call.endpoint).map(|endpoint| &endpoint.choices);
    let choice = choices.and_then(|choices| choices.iter().find(|(_, of)| of.as_str() == host));
    match choice {
        Some((choice, _)) => drop(request.insert("endpoint".to_owned(), json!(format!("{}@{choice}", call.endpoint)))),
        None if call.endpoint != "api" => drop(request.insert("endpoint".to_owned(), json!(call.endpoint))),
        None => {}
    }
    request.insert("path".to_owned(), json!(path));
    let query = decoded(query);
    if !query.is_empty() {
        request.insert("query".to_owned(), pairs(&query));
    }
    let set = shown.headers.iter().filter(|(name, _)| call.headers.iter().any(|header| header.eq_ignore_ascii_case(name)));
    let headers: Vec<(String, String)> = set.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    if !headers.is_empty() {
        request.insert("headers".to_owned(), pairs(&headers));
    }
    match (call.body, shown.body.as_deref().unwrap_or_default()) {
        (_, "") => {}
        (BodyKind::Form, body) => drop(request.insert("form".to_owned(), pairs(&decoded(body)))),
        (_, body) => drop(request.insert("body".to_owned(), serde_json::from_str(body).unwrap_or_else(|_| json!(body)))),
    }
    Value::Object(request)
}

fn decoded(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
