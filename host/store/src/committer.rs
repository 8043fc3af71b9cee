//! The one thread that writes. It drains a bounded channel into one batch, puts the batch on disk, publishes what it changed, and only then
//! answers who waited. While a batch is on its way to the disk the next one gathers in the channel; an idle store writes at once.
//!
//! An error of the disk is final: everyone waiting and everyone after them is told that the store is broken.

pub(crate) mod op;
pub(crate) mod plan_docs;
mod plan_erase;
mod plan_hand;
mod plan_secrets;
mod plan_work;
pub(crate) mod planner;
pub(crate) mod queue;
mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use self::op::{Op, Reply};
use self::planner::Planner;
use crate::disk::DiskError;
use crate::limits;
use crate::port::StoreError;
use crate::reads::Barrier;
use crate::view::View;

/// Why an operation was not planned.
#[derive(Debug, Error)]
pub(crate) enum Halt {
    /// The caller is told; nothing was changed.
    #[error(transparent)]
    Refuse(StoreError),
    /// The store is broken.
    #[error("{0}")]
    Fatal(String),
}

impl Halt {
    /// For places where something was changed already.
    fn into_fatal(self) -> Self {
        Halt::Fatal(self.to_string())
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Halt::Refuse(error)
    }
}

impl From<DiskError> for Halt {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Damaged(damaged) => Halt::Refuse(damaged.into()),
            other => Halt::Fatal(other.to_string()),
        }
    }
}

struct Queued {
    op: Op,
    /// Memory that the operation holds; given back after its batch.
    _room: Option<OwnedSemaphorePermit>,
}

/// The way to the committer.
pub(crate) struct Committer {
    sender: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    barrier: Arc<Barrier>,
    thread: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    /// Starts the thread. The planner's queue has been loaded and its summaries published.
    pub(crate) fn start(planner: Planner, view: Arc<View>, barrier: Arc<Barrier>) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::channel(limits::QUEUE);
        let shared = barrier.clone();
        let thread = std::thread::Builder::new().name("committer".into()).spawn(move || {
            let work = Work { planner, view, barrier: shared.clone(), commits: 0 };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work.run(receiver))) {
                let why = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
                shared.break_down(format!("the committer panicked: {}", why.unwrap_or_default()));
            }
        });
        let thread = thread.map_err(|error| StoreError::Unusable(format!("the committer cannot start: {error}")))?;
        let room = Arc::new(Semaphore::new(limits::QUEUE_KIB as usize));
        Ok(Self { sender, room, barrier, thread: parking_lot::Mutex::new(Some(thread)) })
    }

    /// Queues an operation, waiting while too much waits already.
    pub(crate) async fn send(&self, op: Op) -> Result<(), StoreError> {
        self.barrier.check()?;
        let kib = u32::try_from(op.weight() / 1024).unwrap_or(u32::MAX).min(limits::QUEUE_KIB);
        let room = match kib {
            // Small ones are bounded by the channel.
            0..8 => None,
            _ => Some(self.room.clone().acquire_many_owned(kib).await.map_err(|_| self.gone())?),
        };
        self.sender.send(Queued { op, _room: room }).await.map_err(|_| self.gone())
    }

    /// Queues an operation and waits until it is on disk, or refused.
    pub(crate) async fn ask<T>(&self, op: impl FnOnce(Reply<T>) -> Op) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(op(reply)).await?;
        answer.await.map_err(|_| self.gone())?
    }

    fn gone(&self) -> StoreError {
        self.barrier.check().err().unwrap_or_else(|| StoreError::Broken("the committer is gone".into()))
    }

    /// Waits for the thread to end; after [`Op::Close`] that is soon.
    pub(crate) fn join(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        if thread.join().is_err() {
            tracing::error!("the committer ended with a panic");
        }
    }
}

struct Work {
    planner: Planner,
    view: Arc<View>,
    barrier: Arc<Barrier>,
    commits: u64,
}

impl Work {
    fn run(mut self, mut receiver: mpsc::Receiver<Queued>) {
        let mut batch = Vec::with_capacity(limits::BATCH);
        let mut closing = false;
        while !closing {
            batch.clear();
            if receiver.blocking_recv_many(&mut batch, limits::BATCH) == 0 {
                break;
            }
            self.barrier.busy(true);
            let mut outcome = Ok(());
            let mut rooms = Vec::new();
            let mut unplanned = Vec::new();
            for Queued { op, _room } in batch.drain(..) {
                rooms.extend(_room);
                closing |= matches!(op, Op::Close { .. });
                match &outcome {
                    Ok(()) => outcome = self.planner.plan(op),
                    // Dropped, and with it the reply: the waiter finds the store broken.
                    Err(_) => unplanned.push(op),
                }
                if outcome.is_ok() && self.planner.stage.len() >= limits::BATCH_ROWS {
                    outcome = self.commit();
                    self.barrier.busy(true);
                }
            }
            if let Err(why) = outcome.and_then(|()| self.commit()) {
                self.break_down(why);
                drop(unplanned);
                break;
            }
            self.barrier.busy(false);
        }
        receiver.close();
        if closing && self.barrier.check().is_ok() {
            self.barrier.break_down(CLOSED.into());
        }
        // What is still queued is dropped unanswered: its waiters see why in the barrier.
        while receiver.try_recv().is_ok() {}
    }

    fn commit(&mut self) -> Result<(), String> {
        let answers = std::mem::take(&mut self.planner.answers);
        let early = self.planner.faults.ack_before_flush();
        let answers = if early { answer(answers, None) } else { answers };
        let rows = match self.planner.take_batch() {
            Ok(rows) => rows,
            Err(halt) => {
                self.planner.answers = answers;
                return Err(halt.to_string());
            }
        };
        if !rows.is_empty() {
            let started = std::time::Instant::now();
            self.commits += 1;
            self.barrier.begin(self.commits, &rows);
            if let Err(error) = self.planner.stage.disk().commit(&rows) {
                self.planner.answers = answers;
                return Err(error.to_string());
            }
            metrics::histogram!("crm_store_commit_seconds").record(started.elapsed().as_secs_f64());
            metrics::histogram!("crm_store_commit_rows").record(rows.len() as f64);
        }
        let queue = &mut self.planner.queue;
        let touched = std::mem::take(&mut queue.touched);
        self.view.publish(touched.into_iter().filter_map(|lane| queue.summary(&lane).map(|summary| (lane, summary))));
        self.barrier.end(self.commits);
        answer(answers, None);
        Ok(())
    }

    fn break_down(&mut self, why: String) {
        tracing::error!(why, "the store failed and has stopped");
        self.barrier.break_down(why.clone());
        answer(std::mem::take(&mut self.planner.answers), Some(&StoreError::Broken(why)));
    }
}

/// What a closed store says.
pub(crate) const CLOSED: &str = "the store is closed";

fn answer(answers: Vec<planner::Answer>, broken: Option<&StoreError>) -> Vec<planner::Answer> {
    for answer in answers {
        answer(broken);
    }
    Vec::new()
}
