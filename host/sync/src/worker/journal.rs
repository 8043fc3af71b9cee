//! One attempt's view of the journal, kept in the store under the fence of its claim. Finds what earlier attempts were
//! answered; whether that may be reused is egress's decision, by the exact rule of DESIGN.md.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use crm_catalog::model::Effect;
use crm_contract::ports::{Clock, Journal, JournalError, Recall, ShownRequest, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Response, Unanswered};
use crm_store::model::{KeptStep, Step};
use crm_store::{Store, StoreError};
use parking_lot::Mutex;

pub(super) struct AttemptJournal {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    lane: String,
    epoch: u64,
    job: String,
    attempt: u32,
    resumed: bool,
    earlier: HashMap<StepKey, Earlier>,
    next: AtomicU32,
    /// Numbers of intents of this attempt, so that their answer replaces them.
    intents: Mutex<HashMap<StepKey, u32>>,
    unknown: AtomicBool,
    /// Something at the vendor was, or may have been, changed.
    wrote: AtomicBool,
    /// The exchange recorded last, under its number.
    last: Mutex<Option<(u32, StepRecord)>>,
}

enum Earlier {
    Answered(Box<StepRecord>),
    Intent,
}

impl AttemptJournal {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        lane: String,
        epoch: u64,
        job: String,
        attempt: u32,
        steps: Vec<Step>,
    ) -> Self {
        let resumed = !steps.is_empty();
        Self {
            store,
            clock,
            lane,
            epoch,
            job,
            attempt,
            resumed,
            earlier: index(steps),
            next: AtomicU32::new(1),
            intents: Mutex::default(),
            unknown: AtomicBool::new(false),
            wrote: AtomicBool::new(false),
            last: Mutex::default(),
        }
    }

    /// Whether a write of this attempt has an unknown outcome.
    pub(super) fn saw_unknown_outcome(&self) -> bool {
        self.unknown.load(Ordering::Relaxed)
    }

    /// Whether a call of this attempt, or one that it took over from an earlier attempt, changed something at the vendor, as far as anybody
    /// can tell.
    pub(super) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    /// The attempt failed right after an answer that looked good: the connector could not use it (a garbled body with status 200).
    /// Such an answer must not be handed out again, or every later attempt would fail on it. A `write` becomes an unknown outcome; its
    /// answer, which the step then no longer holds, is handed back.
    pub(super) async fn disown_last(&self) -> Result<Option<Response>, JournalError> {
        let Some((number, mut step)) = self.last.lock().take().filter(|(_, step)| step.good) else { return Ok(None) };
        let (kept, answer) = match step.effect {
            Effect::Write => {
                let answer = match step.outcome {
                    StepOutcome::Answered(response) => Some(response),
                    StepOutcome::Unanswered(_) => None,
                };
                (KeptStep::Intent { key: step.key, request: step.request, at: step.at }, answer)
            }
            Effect::Read | Effect::Idempotent => {
                step.good = false;
                (KeptStep::Done(step), None)
            }
        };
        self.keep(number, kept, false).await?;
        Ok(answer)
    }

    /// How many steps this attempt has left so far, announced ones included.
    pub(super) fn left(&self) -> u32 {
        self.next.load(Ordering::Relaxed) - 1
    }

    async fn keep(&self, number: u32, kept: KeptStep, durable: bool) -> Result<(), JournalError> {
        let step = Step { attempt: self.attempt, number, kept };
        self.store.step(&self.lane, self.epoch, &self.job, step, durable).await.map_err(|error| match error {
            StoreError::Fenced => JournalError::Fenced,
            other => JournalError::Unavailable(other.to_string()),
        })
    }
}

/// A good answer wins over an intent, an intent over a failed answer, a later one over an earlier.
fn index(steps: Vec<Step>) -> HashMap<StepKey, Earlier> {
    let mut earlier: HashMap<StepKey, Earlier> = HashMap::new();
    for step in steps {
        match step.kept {
            KeptStep::Intent { key, .. } => {
                if !matches!(earlier.get(&key), Some(Earlier::Answered(record)) if record.good) {
                    earlier.insert(key, Earlier::Intent);
                }
            }
            KeptStep::Done(record) => {
                let replace = match earlier.get(&record.key) {
                    None => true,
                    // A reused answer that was disowned takes the one it was copied from with it.
                    Some(Earlier::Answered(old)) => record.good || !old.good || record.reused,
                    Some(Earlier::Intent) => record.good,
                };
                if replace {
                    earlier.insert(record.key.clone(), Earlier::Answered(Box::new(record)));
                }
            }
        }
    }
    earlier
}

#[async_trait]
impl Journal for AttemptJournal {
    fn recall(&self, key: &StepKey) -> Recall {
        match self.earlier.get(key) {
            None => Recall::Nothing,
            Some(Earlier::Answered(record)) => Recall::Record(record.clone()),
            Some(Earlier::Intent) => {
                self.unknown.store(true, Ordering::Relaxed);
                Recall::Intent
            }
        }
    }

    fn resumed(&self) -> bool {
        self.resumed
    }

    async fn intend(&self, key: &StepKey, request: &ShownRequest) -> Result<(), JournalError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.intents.lock().insert(key.clone(), number);
        let kept = KeptStep::Intent { key: key.clone(), request: request.clone(), at: self.clock.now_ms() };
        self.keep(number, kept, true).await
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        let unknown = matches!(step.outcome, StepOutcome::Unanswered(Unanswered::UnknownOutcome));
        if unknown {
            self.unknown.store(true, Ordering::Relaxed);
        }
        if step.effect != Effect::Read && (step.good || unknown) {
            self.wrote.store(true, Ordering::Relaxed);
        }
        let intent = self.intents.lock().remove(&step.key);
        let number = match intent {
            // The intent stays as it is: the next attempt must be told that nobody knows.
            Some(number) if unknown => {
                *self.last.lock() = Some((number, step));
                return Ok(());
            }
            Some(number) => number,
            None => self.next.fetch_add(1, Ordering::Relaxed),
        };
        let durable = step.effect == Effect::Write;
        *self.last.lock() = Some((number, step.clone()));
        self.keep(number, KeptStep::Done(step), durable).await
    }
}
