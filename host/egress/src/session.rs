//! One run's way out. [`Session::exchange`] is the list of checks, in order; each step lives in a room of its own. Nothing
//! leaves except through here, and nothing is sent that a step has not let through.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::Effect;
use crm_contract::ports::{Clock, Journal, JournalError, Mode, Outbound, Recall, Scope, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Pair, Request, Response, Unanswered, find};
use parking_lot::Mutex;

use crate::answer::good;
use crate::auth::{Tokens, header_names};
use crate::client::{Clients, Timeouts};
use crate::dev::Loopback;
use crate::error::{Refusal, Stop};
use crate::limit::Reservation;
use crate::limits::Limits;
use crate::plan::Plan;
use crate::request::{self, Declared, Guards};
use crate::reuse::{Circumstances, Decision, decide};
use crate::unsealed::{Open, Unsealed};
use crate::values::Values;
use crate::wire::Draft;

/// What all runs share.
pub(crate) struct Core {
    pub clock: Arc<dyn Clock>,
    pub clients: Clients,
    pub limits: Limits,
    pub tokens: Tokens,
    pub open: Arc<Open>,
    pub dev: Option<Loopback>,
    pub timeouts: Timeouts,
}

/// One run of one export.
pub(crate) struct Session {
    pub core: Arc<Core>,
    pub plan: Arc<Result<Plan, String>>,
    pub scope: Scope,
    pub mode: Mode,
    pub journal: Arc<dyn Journal>,
    /// What this run was promised when it was let start.
    pub promised: Option<Arc<Reservation>>,
    pub guards: Guards,
    pub run: Mutex<Run>,
}

/// What a run remembers.
#[derive(Default)]
pub(crate) struct Run {
    occurrences: HashMap<(String, String), u32>,
    after_unknown: bool,
    open: Option<Arc<Unsealed>>,
}

#[async_trait]
impl Outbound for Session {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let call: String = request.call.chars().take(80).collect();
        let result = self.exchange(request).await;
        let slug = self.scope.manifest.connector.slug.clone();
        let outcome = result.as_ref().map_or_else(Stop::code, |_| "answered");
        metrics::counter!("egress_calls_total", "connector" => slug, "outcome" => outcome).increment(1);
        if let Err(stop) = &result {
            if *stop == Stop::UnknownOutcome {
                self.run.lock().after_unknown = true;
            }
            tracing::debug!(egress.call = call, egress.outcome = outcome, connection = self.scope.connection, "call unanswered");
        }
        result.map_err(Unanswered::from)
    }
}

impl Session {
    /// The checks, in order.
    async fn exchange(&self, request: Request) -> Result<Response, Stop> {
        let plan = self.plan.as_ref().as_ref().map_err(|why| Refusal::Manifest(why.clone()))?;
        let scope = &self.scope;
        // 1. Declared, in this stage?
        let declared = request::declared(plan, &request.call, scope.stage)?;
        let (call_plan, call) = (declared.plan, declared.call);
        let (endpoint_plan, endpoint) = plan.endpoint(call_plan.endpoint);
        let auth = plan.auth(endpoint, &scope.on.mode)?;
        // 2. Path, query and headers by template and list. (A path may hold a part cut from a secret, hence the credentials.)
        let open = self.open(plan, call_plan.derives).await?;
        let values = Values { plan, secrets: open.as_ref().map(|o| &o.secrets), on: &scope.on };
        let path = request::path(call_plan, call, &request.path, &values)?;
        let query = request::query(call, request.query)?;
        let mut theirs = header_names(auth);
        theirs.extend(endpoint_plan.headers.iter().map(|(name, _)| name.clone()));
        let headers = request::headers(call_plan, &request.headers, &theirs)?;
        // 3. Body: kind, shape, fields, constants.
        let rules = call_plan.rules.bind(|name| find(&scope.on.settings, name), |name| find(&scope.on.facts, name));
        let payload = request::body(call_plan, call.body, !call.fixed.is_empty(), request.body, &rules)?;
        // 4. Guard answered in this run; new-only fields for new contacts only.
        request::guard(call, &self.guards, payload.new_only.as_deref())?;
        // 5. The URL: known by now unless only a token answer can tell, and refused before anything is journalled.
        let mut draft = Draft { session: self, plan, declared, auth, open, path, query, headers, payload };
        let target = draft.target().await?;
        // 6. What identifies the exchange.
        let key = self.key(&draft);
        // 7. Already answered?
        let shown = draft.shown(&target)?;
        if self.mode == Mode::Replay {
            return self.replay(&draft, key, shown).await;
        }
        if let Some(record) = self.recall(&draft, &key)? {
            return self.again(&draft, record, shown).await;
        }
        // 8. A preview answers with the manifest's sample.
        if self.mode == Mode::Preview {
            return self.preview(&draft, key, shown).await;
        }
        // 9. to 16. Limits, intent, DNS, authentication, sending, echoes, learning, journal.
        draft.send(key, shown, target).await
    }

    /// The run's credentials. A preview of a connection without any goes on without; a replay opens them only where a
    /// part of one is in the path, without which nothing would be found again.
    async fn open(&self, plan: &Plan, derives: bool) -> Result<Option<Arc<Unsealed>>, Stop> {
        if self.mode == Mode::Replay && !derives {
            return Ok(None);
        }
        if let Some(open) = &self.run.lock().open {
            return Ok(Some(open.clone()));
        }
        let open = match self.core.open.get(&self.scope, plan).await {
            Ok(open) => open,
            Err(_) if self.mode != Mode::Live => return Ok(None),
            Err(stop) => return Err(stop),
        };
        self.core.limits.learn_credential(&self.scope, &open);
        self.run.lock().open = Some(open.clone());
        Ok(Some(open))
    }

    fn key(&self, draft: &Draft<'_, '_>) -> StepKey {
        let Declared { call, probe, .. } = draft.declared;
        let endpoint = draft.plan.endpoint(draft.declared.plan.endpoint).1;
        let hash = request::hash(call, endpoint, probe, &draft.path, &draft.query, &draft.headers, &draft.payload);
        let mut run = self.run.lock();
        let count = run.occurrences.entry((call.name.clone(), hash.clone())).or_default();
        let occurrence = *count;
        *count += 1;
        StepKey { call: call.name.clone(), hash, occurrence }
    }

    /// A call that its limits held back never was: the next equal one takes its place.
    pub(crate) fn uncount(&self, key: &StepKey) {
        if let Some(count) = self.run.lock().occurrences.get_mut(&(key.call.clone(), key.hash.clone())) {
            *count = count.saturating_sub(1);
        }
    }

    fn recall(&self, draft: &Draft<'_, '_>, key: &StepKey) -> Result<Option<Box<StepRecord>>, Stop> {
        let call = draft.declared.call;
        let after_unknown = self.scope.after_unknown || self.run.lock().after_unknown;
        let circumstances = Circumstances {
            effect: call.effect,
            resumed: self.journal.resumed(),
            is_guard: draft.declared.plan.is_guard,
            after_unknown,
            fresh_s: call.fresh_s,
            now: self.core.clock.now_ms(),
        };
        match decide(self.journal.recall(key), circumstances) {
            Decision::Send => Ok(None),
            Decision::Reuse(record) => Ok(Some(record)),
            Decision::Unknown => Err(Stop::UnknownOutcome),
        }
    }

    /// A recorded answer stands in; it is noted again, so that this attempt's record is complete by itself.
    async fn again(
        &self,
        draft: &Draft<'_, '_>,
        record: Box<StepRecord>,
        shown: crm_contract::ports::ShownRequest,
    ) -> Result<Response, Stop> {
        let StepRecord { key, outcome, good, at, took_ms, .. } = *record;
        let kept = StepRecord {
            key,
            effect: draft.declared.call.effect,
            request: shown,
            outcome: outcome.clone(),
            good,
            reused: true,
            at,
            took_ms,
        };
        self.note(kept).await?;
        match outcome {
            StepOutcome::Answered(response) => Ok(response),
            // Only answers are ever reused.
            StepOutcome::Unanswered(_) => Err(Stop::Unreachable),
        }
    }

    /// Everything from the record, nothing sent.
    async fn replay(&self, draft: &Draft<'_, '_>, key: StepKey, shown: crm_contract::ports::ShownRequest) -> Result<Response, Stop> {
        let record = match self.journal.recall(&key) {
            Recall::Nothing => return Err(Refusal::NotRecorded.into()),
            Recall::Intent => return Err(Stop::UnknownOutcome),
            Recall::Record(record) => record,
        };
        let StepRecord { key, outcome, good, at, took_ms, .. } = *record;
        let call = draft.declared.call;
        let kept = StepRecord { key, effect: call.effect, request: shown, outcome: outcome.clone(), good, reused: true, at, took_ms };
        self.note(kept).await?;
        match outcome {
            StepOutcome::Answered(response) => {
                self.heard(draft, &response, good);
                Ok(response)
            }
            StepOutcome::Unanswered(unanswered) => {
                if draft.declared.plan.is_guard {
                    self.guards.forget(&call.name);
                }
                Err(match unanswered {
                    Unanswered::Throttled(throttle) => Stop::Throttled(throttle),
                    Unanswered::Unreachable => Stop::Unreachable,
                    Unanswered::TimedOut => Stop::TimedOut,
                    Unanswered::TooLarge => Stop::TooLarge,
                    Unanswered::UnknownOutcome => Stop::UnknownOutcome,
                    Unanswered::Refused(text) => Refusal::Field(text).into(),
                })
            }
        }
    }

    async fn preview(&self, draft: &Draft<'_, '_>, key: StepKey, shown: crm_contract::ports::ShownRequest) -> Result<Response, Stop> {
        let call = draft.declared.call;
        let response = match &call.sample {
            Some(sample) => Response {
                status: sample.status,
                headers: sample.headers.iter().map(|(k, v)| Pair::new(k.to_lowercase(), v)).collect(),
                body: sample.body.clone().into_bytes(),
            },
            None => Response { status: 200, headers: vec![Pair::new("content-type", "application/json")], body: b"{}".to_vec() },
        };
        let is_good = good(call, response.status);
        let at = self.core.clock.now_ms();
        let outcome = StepOutcome::Answered(response.clone());
        self.note(StepRecord { key, effect: call.effect, request: shown, outcome, good: is_good, reused: false, at, took_ms: 0 }).await?;
        self.heard(draft, &response, is_good);
        Ok(response)
    }

    /// A guard's fresh answer counts for the rest of the run; a failed one takes an earlier one back.
    pub(crate) fn heard(&self, draft: &Draft<'_, '_>, response: &Response, is_good: bool) {
        if draft.declared.plan.is_guard {
            let call = draft.declared.call;
            if is_good {
                self.guards.answered(&call.name, request::found(call.found.as_ref(), response));
            } else {
                self.guards.forget(&call.name);
            }
        }
    }

    /// 16. Keeps the exchange.
    pub(crate) async fn note(&self, step: StepRecord) -> Result<(), Stop> {
        let write = step.effect == Effect::Write && !step.reused && self.mode == Mode::Live;
        self.journal.record(step).await.map_err(|error| match error {
            JournalError::Fenced => Refusal::Fenced.into(),
            // The intent stands and the answer is lost with the store.
            JournalError::Unavailable(_) if write => Stop::UnknownOutcome,
            JournalError::Unavailable(_) => Stop::Unreachable,
        })
    }
}
