//! The journal of an author's run: each call is printed as one JSON line when it has been answered, and kept for `--record`.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::Effect;
use crm_contract::ports::{GuestLog, Journal, JournalError, LogLevel, Outbound, Recall, ShownRequest, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Request, Response, Unanswered};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::leaks::Leaks;
use super::{note, say};

pub(super) struct Steps {
    leaks: Leaks,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steps: Vec<StepRecord>,
    /// A `write` that is on its way: if no answer comes, this is what was sent.
    announced: Option<(StepKey, ShownRequest)>,
}

impl Steps {
    pub(super) fn new(leaks: Leaks) -> Arc<Self> {
        Arc::new(Self { leaks, state: Mutex::default() })
    }

    pub(super) fn take(&self) -> Vec<StepRecord> {
        std::mem::take(&mut self.state.lock().steps)
    }

    /// One JSON line, without any secret.
    pub(super) fn line(&self, value: &Value) {
        say(&self.leaks.blanked(&value.to_string()));
    }

    fn keep(&self, step: StepRecord) {
        let number = self.state.lock().steps.len() + 1;
        self.line(&shown(number, &step));
        self.state.lock().steps.push(step);
    }

    fn count(&self) -> usize {
        self.state.lock().steps.len()
    }

    /// A call that left no record: it was refused before it could leave, or its outcome is unknown.
    fn unrecorded(&self, call: &str, why: &Unanswered) {
        let announced = self.state.lock().announced.take();
        let (key, request) = announced.unwrap_or_else(|| {
            let key = StepKey { call: call.to_owned(), hash: String::new(), occurrence: 0 };
            (key, ShownRequest { method: String::new(), url: String::new(), headers: Vec::new(), body: None })
        });
        let outcome = StepOutcome::Unanswered(why.clone());
        self.keep(StepRecord { key, effect: Effect::Write, request, outcome, good: false, reused: false, at: 0, took_ms: 0 });
    }
}

/// A step as its author reads it.
fn shown(number: usize, step: &StepRecord) -> Value {
    let pairs = |pairs: &[(String, String)]| -> Value {
        Value::Object(pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>())
    };
    let mut line = Map::new();
    let mut put = |key: &str, value: Value| drop(line.insert(key.to_owned(), value));
    put("step", json!(number));
    put("call", json!(step.key.call));
    if !step.request.method.is_empty() {
        put("method", json!(step.request.method));
        put("url", json!(step.request.url));
        put("headers", pairs(&step.request.headers));
        put("body", step.request.body.as_deref().map_or(Value::Null, read));
    }
    match &step.outcome {
        StepOutcome::Answered(response) => {
            let headers: Vec<(String, String)> = response.headers.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
            put("status", json!(response.status));
            put("response_headers", pairs(&headers));
            put("response", read(&String::from_utf8_lossy(&response.body)));
        }
        StepOutcome::Unanswered(why) => put("unanswered", json!(why)),
    }
    put("ms", json!(step.took_ms));
    Value::Object(line)
}

/// JSON as JSON, anything else as text.
fn read(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| json!(body))
}

#[async_trait]
impl Journal for Steps {
    fn recall(&self, _key: &StepKey) -> Recall {
        Recall::Nothing
    }

    fn resumed(&self) -> bool {
        false
    }

    async fn intend(&self, key: &StepKey, request: &ShownRequest) -> Result<(), JournalError> {
        self.state.lock().announced = Some((key.clone(), request.clone()));
        Ok(())
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        self.state.lock().announced = None;
        self.keep(step);
        Ok(())
    }
}

impl GuestLog for Steps {
    fn line(&self, level: LogLevel, text: &str) {
        let level = format!("{level:?}").to_lowercase();
        note(&self.leaks.blanked(&format!("log ({level}): {text}")));
    }
}

/// Egress, with an eye on calls that leave no record.
pub(super) struct Watched {
    pub(super) egress: Arc<dyn Outbound>,
    pub(super) steps: Arc<Steps>,
}

#[async_trait]
impl Outbound for Watched {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let (call, before) = (request.call.clone(), self.steps.count());
        let answer = self.egress.send(request).await;
        if let Err(why) = &answer
            && self.steps.count() == before
        {
            self.steps.unrecorded(&call, why);
        }
        answer
    }
}
