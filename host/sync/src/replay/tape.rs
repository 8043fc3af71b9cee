//! The record of a run, played to egress and the guest: the answers are handed out by call, and what the guest asks for is written down.
//! A changed request still gets the answer of the one that it stands for, so that the run goes on and later differences are seen too.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::{Call, Manifest};
use crm_contract::ports::{
    CREDENTIALS_REFUSED, GuestLog, Journal, JournalError, LogLevel, Outbound, Recall, ShownRequest, StepKey, StepOutcome, StepRecord,
};
use crm_contract::types::{Request, Response, Unanswered};
use parking_lot::Mutex;

use super::recorded::Exchange;

/// What a call that the record has no answer for is told.
const NOT_RECORDED: &str = "the record of this run holds no answer for this call";

/// A call that the guest made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub call: String,
    /// What would have been sent; `None` = egress turned it away first, and says why.
    pub asked: Result<ShownRequest, String>,
    /// The recorded exchange whose answer it got.
    pub from: Option<usize>,
}

pub(super) struct Tape {
    manifest: Arc<Manifest>,
    exchanges: Vec<Exchange>,
    resumed: bool,
    state: Mutex<State>,
}

struct State {
    /// Handed out to a request of the same hash; handed out at all.
    exact: Vec<bool>,
    used: Vec<bool>,
    last: Option<usize>,
    open: Option<usize>,
    made: Vec<Made>,
    credentials: Option<String>,
    log: Vec<String>,
}

/// What a run left.
pub(super) struct Left {
    pub made: Vec<Made>,
    /// Why the credentials could not be used, where that is what the run was told.
    pub credentials: Option<String>,
    pub log: Vec<String>,
}

impl Tape {
    pub(super) fn new(manifest: Arc<Manifest>, exchanges: Vec<Exchange>, resumed: bool) -> Arc<Self> {
        let state = State {
            exact: vec![false; exchanges.len()],
            used: vec![false; exchanges.len()],
            last: None,
            open: None,
            made: Vec::new(),
            credentials: None,
            log: Vec::new(),
        };
        Arc::new(Self { manifest, exchanges, resumed, state: Mutex::new(state) })
    }

    pub(super) fn end(&self) -> Left {
        let mut state = self.state.lock();
        Left { made: std::mem::take(&mut state.made), credentials: state.credentials.take(), log: std::mem::take(&mut state.log) }
    }

    /// The exchange that answers this request: one that was turned away exactly here; else the same request; else the first of this call
    /// that answered none yet.
    fn find(&self, state: &State, key: &StepKey) -> Option<usize> {
        let next = state.last.map_or(0, |last| last + 1);
        let of_call = |(at, exchange): (usize, &Exchange)| (exchange.call == key.call && answers(exchange)).then_some(at);
        let here = self.exchanges.get(next).filter(|exchange| exchange.hash.is_none());
        if let Some(at) = here.and_then(|exchange| of_call((next, exchange))).filter(|at| !state.used[*at]) {
            return Some(at);
        }
        let mut all = self.exchanges.iter().enumerate().filter_map(of_call);
        let same = all.clone().find(|at| self.exchanges[*at].hash.as_ref() == Some(&key.hash) && !state.exact[*at]);
        same.or_else(|| all.find(|at| !state.used[*at]))
    }

    fn hand_out(&self, key: &StepKey) -> Recall {
        let mut state = self.state.lock();
        let found = self.find(&state, key);
        state.open = found;
        let outcome = match found {
            None => StepOutcome::Unanswered(Unanswered::Refused(NOT_RECORDED.to_owned())),
            Some(at) => {
                state.used[at] = true;
                state.exact[at] = self.exchanges[at].hash.as_ref() == Some(&key.hash);
                state.last = Some(at);
                self.exchanges[at].outcome.clone()
            }
        };
        let Some(call) = self.manifest.call(&key.call) else { return Recall::Nothing };
        // Also an unknown outcome goes out as a record: egress then notes what would have been sent.
        let request = ShownRequest { method: String::new(), url: String::new(), headers: Vec::new(), body: None };
        let good = good(call, &outcome);
        let record = StepRecord { key: key.clone(), effect: call.effect, request, outcome, good, reused: false, at: 0, took_ms: 0 };
        Recall::Record(Box::new(record))
    }

    fn made(&self) -> usize {
        self.state.lock().made.len()
    }

    fn unanswered(&self, call: &str, noted: bool, why: &Unanswered) {
        let mut state = self.state.lock();
        let words = match why {
            Unanswered::Refused(words) => words.clone(),
            other => format!("{other:?}"),
        };
        if let Some(why) = words.strip_prefix(CREDENTIALS_REFUSED) {
            state.credentials = Some(why.to_owned());
        }
        if !noted {
            state.made.push(Made { call: call.to_owned(), asked: Err(words), from: None });
        }
    }
}

/// Whether an exchange has an answer to give. What a check of egress turned away is for egress to judge anew.
pub(super) fn answers(exchange: &Exchange) -> bool {
    match &exchange.outcome {
        StepOutcome::Unanswered(Unanswered::Refused(words)) => exchange.hash.is_some() || words.starts_with(CREDENTIALS_REFUSED),
        _ => true,
    }
}

/// By this version's manifest, as egress would have it.
fn good(call: &Call, outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Answered(response) if (200..300).contains(&response.status) || call.ok.contains(&response.status))
}

#[async_trait]
impl Journal for Tape {
    fn recall(&self, key: &StepKey) -> Recall {
        self.hand_out(key)
    }

    fn resumed(&self) -> bool {
        self.resumed
    }

    async fn intend(&self, _key: &StepKey, _request: &ShownRequest) -> Result<(), JournalError> {
        Ok(())
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        let from = state.open.take();
        state.made.push(Made { call: step.key.call, asked: Ok(step.request), from });
        Ok(())
    }
}

impl GuestLog for Tape {
    fn line(&self, level: LogLevel, text: &str) {
        self.state.lock().log.push(format!("{}: {text}", format!("{level:?}").to_lowercase()));
    }
}

/// Egress, with an eye on calls that it turns away before it asks the record.
pub(super) struct Watched {
    pub inner: Arc<dyn Outbound>,
    pub tape: Arc<Tape>,
}

#[async_trait]
impl Outbound for Watched {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let (call, before) = (request.call.clone(), self.tape.made());
        let answer = self.inner.send(request).await;
        if let Err(why) = &answer {
            self.tape.unanswered(&call, self.tape.made() > before, why);
        }
        answer
    }
}
