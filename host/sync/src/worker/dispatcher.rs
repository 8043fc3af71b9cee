//! The dispatcher: looks which lanes are ready, asks limiter and breaker, claims a fair share of each, and starts an
//! attempt per claimed job. One task; attempts run beside it. Stops claiming on drain and waits for what is in flight.
//!
//! Syncs and webhooks have places of their own: endpoints that do not answer keep no sync waiting, nor the other way round.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crm_store::StoreError;
use crm_store::model::Claim;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::attempt::{self, Shared};
use super::lanes::Lanes;
use super::prepare::Preparing;
use crate::context::Context;
use crate::ids::new_id;
use crate::services::webhooks;

/// Lanes looked at in one round; more of them while lanes of one kind have no place and stand before the others.
const LANES_A_ROUND: usize = 256;
const LANES_WHEN_FULL: usize = 2_048;
/// The shortest sleep while there is no place for lanes of one kind.
const WHEN_FULL: Duration = Duration::from_millis(50);
/// The longest sleep: a missed hint costs at most this.
const IDLE: Duration = Duration::from_millis(500);
/// While a lane is due but at its own concurrency, which must not make this loop spin. New work wakes it anyway.
const SHORTEST: Duration = Duration::from_millis(10);
/// A lane that was offered but gave no job is not asked again before this long.
const NOTHING_THERE_MS: u64 = 100;

/// Why the workers stopped by themselves.
#[derive(Debug, thiserror::Error)]
pub enum WorkersGone {
    /// An I/O error is final: the process must end and start anew.
    #[error("the workers stopped because the store failed: {0}")]
    Store(#[from] StoreError),
}

/// Running workers.
pub struct Workers {
    drain: CancellationToken,
    task: JoinHandle<Result<(), WorkersGone>>,
}

impl Workers {
    /// Starts them on the current runtime.
    pub fn start(context: Context) -> Self {
        let drain = CancellationToken::new();
        let task = tokio::spawn(dispatch(context, drain.clone()));
        Self { drain, task }
    }

    /// Stops claiming, waits up to `patience` for attempts in flight, and returns. What did not end by then is taken up again
    /// at the next start, at the step where it stood.
    pub async fn drain(self, patience: Duration) -> Result<(), WorkersGone> {
        self.drain.cancel();
        match tokio::time::timeout(patience, self.task).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    /// Drops everything at once, as a crash would: no result of what is in flight is kept. For tests of recovery.
    pub async fn abort(self) {
        self.task.abort();
        drop(self.task.await);
    }

    /// Completes when the workers stop by themselves, which only a failed store makes them do.
    pub async fn gone(&mut self) -> WorkersGone {
        match (&mut self.task).await {
            Ok(Err(gone)) => gone,
            Ok(Ok(())) => WorkersGone::Store(StoreError::Broken("the dispatcher ended".into())),
            Err(error) => WorkersGone::Store(StoreError::Broken(format!("the dispatcher panicked: {error}"))),
        }
    }
}

/// What a finished task reports to the dispatcher.
enum Finished {
    Claimed { lanes: Vec<(String, u32)>, claims: Result<Vec<Claim>, StoreError> },
    Attempt { kind: Work, result: Result<(), StoreError> },
}

/// What has places of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Syncs,
    Webhooks,
}

impl Work {
    fn of(lane: &str) -> Self {
        if lane.starts_with(webhooks::LANES) { Self::Webhooks } else { Self::Syncs }
    }
}

/// A number for each kind of work.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    syncs: u32,
    webhooks: u32,
}

impl Places {
    fn of(&mut self, kind: Work) -> &mut u32 {
        match kind {
            Work::Syncs => &mut self.syncs,
            Work::Webhooks => &mut self.webhooks,
        }
    }

    fn full(self) -> bool {
        self.syncs == 0 || self.webhooks == 0
    }
}

struct Dispatcher {
    shared: Arc<Shared>,
    owner: String,
    tasks: JoinSet<Finished>,
    /// Attempts running, and jobs asked for that have not been answered yet.
    busy: Places,
    claiming: HashSet<String>,
    /// Jobs given to a lane since others got their turn.
    last_served: Vec<String>,
}

async fn dispatch(context: Context, drain: CancellationToken) -> Result<(), WorkersGone> {
    let owner = new_id("own", context.now());
    let shared = Arc::new(Shared { context, lanes: Lanes::default(), preparing: Preparing::default() });
    let mut dispatcher =
        Dispatcher { shared, owner, tasks: JoinSet::new(), busy: Places::default(), claiming: HashSet::new(), last_served: Vec::new() };
    let renew_every = Duration::from_millis(dispatcher.shared.context.config.lease_ms / 3);
    let mut renewal = tokio::time::interval(renew_every);
    renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while !(drain.is_cancelled() && dispatcher.tasks.is_empty()) {
        let store = dispatcher.shared.context.store.clone();
        // Registered before looking, so that work arriving in between is not slept over.
        let woken = store.woken();
        tokio::pin!(woken);
        if !drain.is_cancelled() {
            dispatcher.offer().await;
        }
        let sleep = dispatcher.sleep();
        tokio::select! {
            Some(joined) = dispatcher.tasks.join_next() => {
                dispatcher.finished(joined)?;
                while let Some(joined) = dispatcher.tasks.try_join_next() {
                    dispatcher.finished(joined)?;
                }
            }
            () = &mut woken, if !drain.is_cancelled() => {}
            _ = renewal.tick() => dispatcher.renew().await?,
            () = tokio::time::sleep(sleep), if !drain.is_cancelled() => {}
            () = drain.cancelled(), if !drain.is_cancelled() => {}
        }
    }
    Ok(())
}

impl Dispatcher {
    fn free(&self) -> Places {
        let config = &self.shared.context.config;
        Places {
            syncs: config.workers.saturating_sub(self.busy.syncs),
            webhooks: config.webhook_workers.saturating_sub(self.busy.webhooks),
        }
    }

    /// Claims what may run now: lanes in due order, those served last time at the end, each up to its share.
    async fn offer(&mut self) {
        let context = &self.shared.context;
        let mut free = self.free();
        if free.syncs == 0 && free.webhooks == 0 {
            return;
        }
        let mut ready = context.store.ready(context.now(), if free.full() { LANES_WHEN_FULL } else { LANES_A_ROUND });
        ready.retain(|lane| *free.of(Work::of(&lane.lane)) > 0 && !self.claiming.contains(&lane.lane));
        if ready.len() > 1 {
            ready.sort_by_key(|lane| self.last_served.contains(&lane.lane));
        }
        let mut share = free;
        for kind in [Work::Syncs, Work::Webhooks] {
            let lanes = ready.iter().filter(|lane| Work::of(&lane.lane) == kind).count();
            *share.of(kind) = (*free.of(kind) / u32::try_from(lanes.max(1)).unwrap_or(1)).clamp(1, context.config.quantum);
        }
        let mut wants = Vec::new();
        for lane in ready {
            let kind = Work::of(&lane.lane);
            if *free.of(kind) == 0 {
                continue;
            }
            let admitted = self.shared.lanes.admits(context, &lane, (*share.of(kind)).min(*free.of(kind))).await;
            if admitted > 0 {
                *free.of(kind) -= admitted;
                wants.push((lane.lane, admitted));
            }
        }
        if wants.is_empty() {
            return;
        }
        wants.iter().for_each(|(lane, n)| *self.busy.of(Work::of(lane)) += n);
        self.claiming.extend(wants.iter().map(|(lane, _)| lane.clone()));
        self.last_served = wants.iter().map(|(lane, _)| lane.clone()).collect();
        let (store, owner, lease) = (context.store.clone(), self.owner.clone(), context.config.lease_ms);
        let now = context.now();
        self.tasks.spawn(async move {
            let claims = store.claim(&owner, now, lease, &wants).await;
            Finished::Claimed { lanes: wants, claims }
        });
    }

    fn finished(&mut self, joined: Result<Finished, tokio::task::JoinError>) -> Result<(), WorkersGone> {
        match joined {
            Ok(Finished::Claimed { lanes, claims }) => {
                let claims = claims?;
                for (lane, asked) in lanes {
                    self.claiming.remove(&lane);
                    self.ended(Work::of(&lane), asked);
                    if !claims.iter().any(|claim| claim.lane == lane) {
                        // Another owner's lease still runs, or somebody was quicker: looking again at once would spin.
                        let context = &self.shared.context;
                        context.store.hold(&lane, context.now() + NOTHING_THERE_MS);
                    }
                }
                for claim in claims {
                    let kind = Work::of(&claim.lane);
                    *self.busy.of(kind) += 1;
                    let shared = self.shared.clone();
                    self.tasks.spawn(async move { Finished::Attempt { kind, result: attempt::run(&shared, claim).await } });
                }
            }
            Ok(Finished::Attempt { kind, result }) => {
                self.ended(kind, 1);
                result?;
            }
            Err(error) => {
                // Attempts end their own panics; this is a task that was cancelled with the runtime.
                self.ended(Work::Syncs, 1);
                tracing::error!(%error, "a task was lost");
            }
        }
        metrics::gauge!("crm_attempts_in_flight").set(f64::from(self.busy.syncs));
        metrics::gauge!("crm_webhooks_in_flight").set(f64::from(self.busy.webhooks));
        Ok(())
    }

    fn ended(&mut self, kind: Work, n: u32) {
        let busy = self.busy.of(kind);
        *busy = busy.saturating_sub(n);
    }

    async fn renew(&self) -> Result<(), WorkersGone> {
        let context = &self.shared.context;
        let lost = context.store.renew(&self.owner, context.now(), context.config.lease_ms).await?;
        for lane in lost {
            tracing::warn!(connection = lane, "the lease of this lane was lost; results of its running attempts will be dropped");
        }
        Ok(())
    }

    fn sleep(&self) -> Duration {
        let context = &self.shared.context;
        let free = self.free();
        if free.syncs == 0 && free.webhooks == 0 {
            return IDLE;
        }
        match context.store.next_due() {
            None => IDLE,
            Some(due) => {
                let wait = Duration::from_millis(due.saturating_sub(context.now())).min(IDLE);
                if free.full() {
                    wait.max(WHEN_FULL)
                } else if wait.is_zero() {
                    // Due, and yet nothing was claimed: something else holds it up.
                    SHORTEST
                } else {
                    // To the millisecond: a limit's slot that comes free is a slot to be used.
                    wait
                }
            }
        }
    }
}
