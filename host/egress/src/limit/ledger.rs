//! All buckets, by who shares them, and the promises made to runs that may start. Bounded: idle buckets are let go.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crm_contract::ports::Clock;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::bucket::{Bucket, Shape, Wait};

/// Buckets kept before idle ones are let go.
const MAX_CELLS: usize = 65_536;
/// How long a promise holds until its run opens.
const PROMISE_MS: u64 = 2_000;
/// A run is let start when its later calls will have to wait no longer than this: less than the two seconds after which egress gives up
/// waiting, and long enough for the calls of a window of one second to be used to the last.
const PATIENCE_MS: u64 = 1_000;
/// When to look again for what a run or a call under way will give back.
const SOON_MS: u64 = 5;

/// Whose limit: connector, the limit's name, and the sharer (connection, account, credential, or everyone).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub slug: Arc<str>,
    pub limit: String,
    pub sharer: String,
}

/// One bucket, shared.
pub(crate) struct Cell {
    /// Gives a fixed order to lock several in.
    id: u64,
    /// The manifest's name; `None` for the host's own pauses.
    pub name: Option<String>,
    bucket: Mutex<Bucket>,
    freed: Notify,
    used: AtomicU64,
}

impl Cell {
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Bucket) -> T) -> T {
        f(&mut self.bucket.lock())
    }
}

/// What one run was promised when it was let start; what it does not use goes back when it ends.
pub(crate) struct Reservation {
    parts: Vec<Part>,
    expires: u64,
}

/// The promise on one bucket.
struct Part {
    cell: Arc<Cell>,
    left: AtomicU64,
    used: AtomicU64,
}

impl Reservation {
    /// Uses up to `cost` of the promise on one bucket, whose lock the caller holds.
    fn spend(&self, cell: &Arc<Cell>, cost: u64, bucket: &mut Bucket) {
        if let Some(part) = self.parts.iter().find(|part| Arc::ptr_eq(&part.cell, cell)) {
            let had = part.left.load(Ordering::Relaxed);
            let spent = had.min(cost);
            part.left.store(had - spent, Ordering::Relaxed);
            part.used.fetch_add(cost, Ordering::Relaxed);
            bucket.redeem(spent, had - spent);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // A run that sent nothing (its answers were in the journal, or it never opened) says nothing about what others will send.
        let sent = self.parts.iter().any(|part| part.used.load(Ordering::Relaxed) > 0);
        for Part { cell, left, used } in &self.parts {
            let (left, used) = (left.swap(0, Ordering::Relaxed), used.load(Ordering::Relaxed));
            cell.with(|bucket| {
                bucket.redeem(left, 0);
                if sent {
                    bucket.learn_usual(used);
                }
            });
            if left > 0 {
                cell.freed.notify_waiters();
            }
        }
    }
}

/// A call on its way. Ends with [`Permit::done`]; dropped without it (a cancelled run), the call counts as sent.
pub(crate) struct Permit {
    cells: Vec<Arc<Cell>>,
    cost: u64,
    clock: Arc<dyn Clock>,
    ended: bool,
}

impl Permit {
    /// The call is over. `sent` = its bytes may have reached the vendor; `bad` = it was answered with a client error.
    pub(crate) fn done(mut self, bad: bool, sent: bool) {
        self.end(bad, sent);
    }

    fn end(&mut self, bad: bool, sent: bool) {
        if !std::mem::replace(&mut self.ended, true) {
            let now = self.clock.now_ms();
            for cell in &self.cells {
                cell.with(|b| b.done(self.cost, bad, sent, now));
                cell.freed.notify_waiters();
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.end(true, true);
    }
}

/// The answer to "may it go?".
pub(crate) enum Admission {
    Go(Permit),
    /// Not before this time (`None`: when a call in flight ends), because of this limit.
    Wait {
        until: Wait,
        cell: Arc<Cell>,
    },
}

pub(crate) struct Ledger {
    clock: Arc<dyn Clock>,
    cells: Mutex<HashMap<Key, Arc<Cell>>>,
    next: AtomicU64,
    /// Promises whose run has not opened yet, by run key, and the same in order of expiry.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    by_run: HashMap<String, VecDeque<Arc<Reservation>>>,
    order: VecDeque<(u64, String)>,
}

impl Ledger {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, cells: Mutex::default(), next: AtomicU64::new(0), waiting: Mutex::default() }
    }

    pub(crate) fn cell(&self, key: Key, name: Option<&str>, shape: &Shape, now: u64) -> Arc<Cell> {
        let mut cells = self.cells.lock();
        if let Some(cell) = cells.get(&key) {
            cell.used.store(now, Ordering::Relaxed);
            cell.with(|b| b.reshape(shape));
            return cell.clone();
        }
        if cells.len() >= MAX_CELLS {
            evict(&mut cells, now);
        }
        let cell = Arc::new(Cell {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            name: name.map(str::to_owned),
            bucket: Mutex::new(Bucket::new(shape.clone())),
            freed: Notify::new(),
            used: AtomicU64::new(now),
        });
        cells.insert(key, cell.clone());
        cell
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.cells.lock().len()
    }

    /// Lets a call go if every one of its limits does, all or none.
    pub(crate) fn admit(&self, cells: &[Arc<Cell>], cost: u64, reservation: Option<&Reservation>, now: u64) -> Admission {
        self.expire(now);
        let mut cells: Vec<Arc<Cell>> = cells.to_vec();
        cells.sort_unstable_by_key(|c| c.id);
        cells.dedup_by_key(|c| c.id);
        let mut locked: Vec<MutexGuard<'_, Bucket>> = cells.iter().map(|c| c.bucket.lock()).collect();
        let mut worst: Option<(Wait, usize)> = None;
        for (at, bucket) in locked.iter_mut().enumerate() {
            if let Err(until) = bucket.ready(cost, reservation.is_some(), now) {
                // The latest wait is the one that counts; "when one ends" is never the latest of two.
                if worst.is_none_or(|(w, _)| until > w) {
                    worst = Some((until, at));
                }
            }
        }
        if let Some((until, at)) = worst {
            drop(locked);
            return Admission::Wait { until, cell: cells[at].clone() };
        }
        for (bucket, cell) in locked.iter_mut().zip(&cells) {
            if let Some(reservation) = reservation {
                let cost = bucket.weight(cost);
                reservation.spend(cell, cost, bucket);
            }
            bucket.admit(cost);
        }
        drop(locked);
        Admission::Go(Permit { cells, cost, clock: self.clock.clone(), ended: false })
    }

    /// Whether a run that draws at most so much on each bucket may start: its first calls could go now, and those that a run makes as a
    /// rule before long. If so, they are promised to the next run that [`Self::claim`]s under `run`. Else the time to ask again.
    pub(crate) fn promise(&self, run: &str, wants: Vec<(Arc<Cell>, u64)>, now: u64) -> Option<u64> {
        self.expire(now);
        let mut wants = wants;
        wants.sort_unstable_by_key(|(c, _)| c.id);
        wants.dedup_by_key(|(c, _)| c.id);
        let mut locked: Vec<MutexGuard<'_, Bucket>> = wants.iter().map(|(c, _)| c.bucket.lock()).collect();
        let mut latest: Option<u64> = None;
        let mut units = Vec::with_capacity(wants.len());
        for (bucket, (_, most)) in locked.iter_mut().zip(&wants) {
            match bucket.ready_to_start(*most, PATIENCE_MS, now) {
                Ok(promised) => units.push(promised),
                // Calls in flight answer soon; nothing says when.
                Err(until) => latest = latest.max(Some(until.unwrap_or(now + SOON_MS))),
            }
        }
        if latest.is_some() {
            return latest;
        }
        locked.iter_mut().zip(&units).for_each(|(bucket, units)| bucket.promise(*units));
        drop(locked);
        if wants.is_empty() {
            return None;
        }
        let expires = now + PROMISE_MS;
        let part = |((cell, _), units)| Part { cell, left: AtomicU64::new(units), used: AtomicU64::new(0) };
        let reservation = Arc::new(Reservation { parts: wants.into_iter().zip(units).map(part).collect(), expires });
        let mut waiting = self.waiting.lock();
        waiting.by_run.entry(run.to_owned()).or_default().push_back(reservation);
        waiting.order.push_back((expires, run.to_owned()));
        None
    }

    /// The oldest promise made under `run`: it belongs to the run that opens now.
    pub(crate) fn claim(&self, run: &str, now: u64) -> Option<Arc<Reservation>> {
        self.expire(now);
        let mut waiting = self.waiting.lock();
        let queue = waiting.by_run.get_mut(run)?;
        let found = queue.pop_front();
        if queue.is_empty() {
            waiting.by_run.remove(run);
        }
        found
    }

    /// Takes back promises whose run never opened.
    fn expire(&self, now: u64) {
        let mut dropped = Vec::new();
        let mut waiting = self.waiting.lock();
        while let Some((expires, run)) = waiting.order.front()
            // A clock that was set back must not keep a promise for hours.
            && (*expires <= now || *expires > now + 2 * PROMISE_MS)
        {
            let run = run.clone();
            waiting.order.pop_front();
            if let Some(queue) = waiting.by_run.get_mut(&run) {
                while queue.front().is_some_and(|r| r.expires <= now || r.expires > now + 2 * PROMISE_MS) {
                    dropped.extend(queue.pop_front());
                }
                if queue.is_empty() {
                    waiting.by_run.remove(&run);
                }
            }
        }
        // Their drop locks buckets, which must not happen under this lock.
        drop(waiting);
        drop(dropped);
    }
}

/// Waits until something about `cell` may have changed, at most `ms`.
pub(crate) async fn changed(cell: &Cell, ms: u64) {
    let wait = std::time::Duration::from_millis(ms);
    drop(tokio::time::timeout(wait, cell.freed.notified()).await);
}

fn evict(cells: &mut HashMap<Key, Arc<Cell>>, now: u64) {
    cells.retain(|_, cell| Arc::strong_count(cell) > 1 || !cell.with(|b| b.is_idle(now)));
    if cells.len() >= MAX_CELLS {
        // All busy: the longest unused quarter goes; the vendor's headers will say what was forgotten.
        let mut ages: Vec<u64> = cells.values().filter(|c| Arc::strong_count(c) == 1).map(|c| c.used.load(Ordering::Relaxed)).collect();
        ages.sort_unstable();
        let edge = ages.get(ages.len() / 4).copied().unwrap_or(0);
        cells.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.used.load(Ordering::Relaxed) > edge);
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
