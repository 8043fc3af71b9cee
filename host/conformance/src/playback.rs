//! The vendor's part of a scenario, played to the guest through the host's own egress in its replay mode: egress checks each
//! request as it would before sending (declared, allowed, guarded, fixed constants added) and shows it exactly; here it is
//! compared with the fixture and answered from it. Opens no socket and holds no credential.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::{Call, Effect, Manifest};
use crm_contract::ports::{GuestLog, Journal, JournalError, LogLevel, Outbound, Recall, ShownRequest, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Pair, Request, Response, Unanswered};
use parking_lot::Mutex;

use crate::failure::Found;
use crate::fixture::{Exchange, GivenResponse};
use crate::wire;

/// How egress refuses a call that no exchange answers.
const NOT_RECORDED: &str = "the journal holds no answer for this call";

/// Good answers of earlier runs of the same scenario.
pub(crate) type Earlier = HashMap<StepKey, Response>;

/// One run's record, as egress and the guest see it.
pub(crate) struct Playback {
    manifest: Arc<Manifest>,
    resumed: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With their places in the fixture's list.
    left: VecDeque<(usize, Exchange)>,
    /// The exchange that was just handed out, to be compared when egress notes the step.
    open: Option<(usize, Exchange)>,
    /// Its place, for what egress itself has to say about a call.
    last: Option<usize>,
    earlier: Earlier,
    wrong: Vec<Found>,
    log: Vec<String>,
}

/// What a run left behind.
pub(crate) struct Ended {
    pub wrong: Vec<Found>,
    pub earlier: Earlier,
    pub log: Vec<String>,
}

impl Playback {
    /// `resumed`: good answers of `earlier` runs to calls that change something stand in for asking again.
    pub(crate) fn new(manifest: Arc<Manifest>, exchanges: &[Exchange], earlier: Earlier, resumed: bool) -> Arc<Self> {
        let state = State { left: exchanges.iter().cloned().enumerate().collect(), earlier, ..State::default() };
        Arc::new(Self { manifest, resumed, state: Mutex::new(state) })
    }

    /// Exchanges that were not used count as wrong.
    pub(crate) fn end(&self) -> Ended {
        let state = std::mem::take(&mut *self.state.lock());
        let unused = state.left.iter().map(|(at, exchange)| {
            Found::new(format!("/exchanges/{at}"), format!("the exchange of call {:?} was not used", exchange.request.call))
        });
        let wrong = state.wrong.iter().cloned().chain(unused).collect();
        Ended { wrong, earlier: state.earlier, log: state.log }
    }

    fn next(&self, key: &StepKey) -> Recall {
        let mut state = self.state.lock();
        let Some(call) = self.manifest.call(&key.call) else { return Recall::Nothing };
        if self.resumed
            && call.effect != Effect::Read
            && let Some(response) = state.earlier.get(key)
        {
            return record(key, call, StepOutcome::Answered(response.clone()));
        }
        match state.left.pop_front() {
            Some((at, exchange)) if exchange.request.call.split('@').next() == Some(key.call.as_str()) => {
                let outcome = match (&exchange.response, &exchange.unanswered) {
                    (Some(given), _) => StepOutcome::Answered(response(call, given)),
                    (None, Some(why)) => StepOutcome::Unanswered(why.clone()),
                    (None, None) => StepOutcome::Unanswered(Unanswered::Unreachable),
                };
                state.open = Some((at, exchange));
                state.last = Some(at);
                record(key, call, outcome)
            }
            other => {
                let (place, expected) = match &other {
                    Some((at, exchange)) => (format!("/exchanges/{at}"), format!("{:?}", exchange.request.call)),
                    None => ("/exchanges".to_owned(), "no further call".to_owned()),
                };
                state.wrong.push(Found::new(place, format!("the guest made the call {:?}; the fixture expects {expected}", key.call)));
                // Put back, so that it is reported as unused as well.
                state.left.extend(other);
                Recall::Nothing
            }
        }
    }

    fn compare(&self, step: &StepRecord) {
        let mut state = self.state.lock();
        let Some((at, exchange)) = state.open.take() else { return };
        let Some(call) = self.manifest.call(&step.key.call) else { return };
        let found = wire::differences(&self.manifest, call, &exchange.request, &step.request);
        let place = format!("/exchanges/{at}/request");
        state.wrong.extend(found.into_iter().map(|mut found| {
            found.what = format!("call {:?}: {}", step.key.call, found.what);
            found.below(&place)
        }));
        if let (true, StepOutcome::Answered(response)) = (step.good, &step.outcome) {
            state.earlier.insert(step.key.clone(), response.clone());
        }
    }

    /// Egress said no: at the exchange that comes next, which the guest meant.
    fn refused(&self, call: &str, why: &str) {
        // Said already, and better, when the fixture had no such call.
        if why == NOT_RECORDED {
            return;
        }
        let mut state = self.state.lock();
        let at = state.left.front().filter(|(_, exchange)| exchange.request.call == call).map(|(at, _)| *at).or(state.last);
        let place = at.map_or_else(|| "/exchanges".to_owned(), |at| format!("/exchanges/{at}/request"));
        let rules: &[&str] = if why.contains("fresh answer of") || why.contains("the contact exists") { &["S10", "S11"] } else { &["S5"] };
        state.wrong.push(Found::ruled(place, format!("egress refuses the call {call:?}: {why}"), rules));
    }
}

pub(crate) fn record(key: &StepKey, call: &Call, outcome: StepOutcome) -> Recall {
    let good =
        matches!(&outcome, StepOutcome::Answered(response) if (200..300).contains(&response.status) || call.ok.contains(&response.status));
    let request = ShownRequest { method: String::new(), url: String::new(), headers: Vec::new(), body: None };
    Recall::Record(Box::new(StepRecord { key: key.clone(), effect: call.effect, request, outcome, good, reused: false, at: 0, took_ms: 0 }))
}

/// As egress would hand it over: only the headers that the call may read.
pub(crate) fn response(call: &Call, given: &GivenResponse) -> Response {
    let readable = |name: &str| call.read_headers.iter().any(|header| header.eq_ignore_ascii_case(name));
    let headers = given.headers.iter().filter(|(name, _)| readable(name)).map(|(name, value)| Pair::new(name.to_ascii_lowercase(), value));
    Response { status: given.status, headers: headers.collect(), body: given.bytes() }
}

#[async_trait]
impl Journal for Playback {
    fn recall(&self, key: &StepKey) -> Recall {
        self.next(key)
    }

    fn resumed(&self) -> bool {
        self.resumed
    }

    async fn intend(&self, _key: &StepKey, _request: &ShownRequest) -> Result<(), JournalError> {
        Ok(())
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        self.compare(&step);
        Ok(())
    }
}

impl GuestLog for Playback {
    fn line(&self, level: LogLevel, text: &str) {
        self.state.lock().log.push(format!("{level:?}: {text}"));
    }
}

/// Egress, watched: what it refuses is said in its own words, whatever the guest makes of it.
pub(crate) struct Watched {
    pub egress: Arc<dyn Outbound>,
    pub playback: Arc<Playback>,
}

#[async_trait]
impl Outbound for Watched {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let call = request.call.clone();
        let answer = self.egress.send(request).await;
        if let Err(Unanswered::Refused(why)) = &answer {
            self.playback.refused(&call, why);
        }
        answer
    }
}
