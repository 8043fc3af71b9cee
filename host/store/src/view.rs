//! What others may see of the queue: per lane a summary, published by the committer after the batch it stems from is on disk. So
//! nothing is ready, counted or woken for before that.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::model::{JobCounts, ReadyLane};

/// A lane as published.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) organization: Arc<str>,
    /// When it is worth claiming from; `None` = nothing to do, or parked.
    pub(crate) due: Option<u64>,
    pub(crate) running: u32,
    pub(crate) counts: JobCounts,
}

#[derive(Default)]
pub(crate) struct View {
    seen: Mutex<Seen>,
    woken: Notify,
}

#[derive(Default)]
struct Seen {
    lanes: HashMap<Arc<str>, (Summary, u64)>,
    by_organization: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Lanes not held, by due time.
    order: BTreeSet<(u64, Arc<str>)>,
    /// Held lanes, by when they may run: their hold or their due time, whichever is later.
    held: BTreeSet<(u64, Arc<str>)>,
}

impl Seen {
    fn unlist(&mut self, lane: &Arc<str>) {
        if let Some((summary, hold)) = self.lanes.get(lane)
            && let Some(due) = summary.due
        {
            self.order.remove(&(due, lane.clone()));
            self.held.remove(&(due.max(*hold), lane.clone()));
        }
    }

    fn list(&mut self, lane: Arc<str>) {
        if let Some((summary, hold)) = self.lanes.get(&lane)
            && let Some(due) = summary.due
        {
            if *hold > 0 {
                self.held.insert((due.max(*hold), lane))
            } else {
                self.order.insert((due, lane))
            };
        }
    }

    fn lanes_of<'a>(&'a self, organization: &str, prefix: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let lanes = self.by_organization.get(organization).into_iter().flat_map(move |lanes| lanes.range::<str, _>(from));
        lanes.take_while(move |lane| lane.starts_with(prefix))
    }

    /// Lanes whose hold is over go back among the others.
    fn release(&mut self, now: u64) {
        while let Some((at, lane)) = self.held.first().cloned() {
            if at > now {
                return;
            }
            self.held.remove(&(at, lane.clone()));
            if let Some((_, hold)) = self.lanes.get_mut(&lane) {
                *hold = 0;
            }
            self.list(lane);
        }
    }
}

impl View {
    /// Takes in the summaries of a batch that is on disk, and wakes who waits for work if there may be some.
    pub(crate) fn publish(&self, summaries: impl Iterator<Item = (Arc<str>, Summary)>) {
        let mut wake = false;
        {
            let mut seen = self.seen.lock();
            for (lane, summary) in summaries {
                seen.unlist(&lane);
                let before = seen.lanes.get(&lane);
                let hold = before.map_or(0, |(_, hold)| *hold);
                let earlier = match (summary.due, before.and_then(|(s, _)| s.due)) {
                    (Some(due), Some(old)) => due < old,
                    (due, _) => due.is_some(),
                };
                wake |= earlier || before.is_some_and(|(s, _)| s.running > summary.running);
                if before.is_none_or(|(s, _)| s.organization != summary.organization) {
                    if let Some((old, _)) = before {
                        let old = old.organization.clone();
                        if let Some(lanes) = seen.by_organization.get_mut(&old) {
                            lanes.remove(&lane);
                        }
                    }
                    seen.by_organization.entry(summary.organization.clone()).or_default().insert(lane.clone());
                }
                seen.lanes.insert(lane.clone(), (summary, hold));
                seen.list(lane);
            }
        }
        if wake {
            // Whoever registered is woken; if nobody did, the next one to ask is not made to wait.
            self.woken.notify_waiters();
            self.woken.notify_one();
        }
    }

    pub(crate) fn woken(&self) -> Notified<'_> {
        self.woken.notified()
    }

    pub(crate) fn ready(&self, now: u64, limit: usize) -> Vec<ReadyLane> {
        let mut seen = self.seen.lock();
        seen.release(now);
        let due = seen.order.iter().take_while(|(due, _)| *due <= now).take(limit);
        due.filter_map(|(due, lane)| {
            let (summary, _) = seen.lanes.get(lane)?;
            Some(ReadyLane { lane: lane.to_string(), organization: summary.organization.to_string(), due: *due, running: summary.running })
        })
        .collect()
    }

    pub(crate) fn next_due(&self) -> Option<u64> {
        let seen = self.seen.lock();
        [seen.order.first(), seen.held.first()].into_iter().flatten().map(|(at, _)| *at).min()
    }

    pub(crate) fn hold(&self, lane: &str, until: u64) {
        let mut seen = self.seen.lock();
        let Some((lane, _)) = seen.lanes.get_key_value(lane) else { return };
        let lane = lane.clone();
        seen.unlist(&lane);
        if let Some((_, hold)) = seen.lanes.get_mut(&lane) {
            *hold = until;
        }
        seen.list(lane);
    }

    /// Of one lane, or of all that begin with `prefix`.
    pub(crate) fn counts(&self, organization: &str, prefix: &str, lane: Option<&str>) -> JobCounts {
        let seen = self.seen.lock();
        let mut total = JobCounts::default();
        for id in seen.lanes_of(organization, prefix) {
            if lane.is_some_and(|wanted| wanted != &**id) {
                continue;
            }
            if let Some((summary, _)) = seen.lanes.get(id) {
                add(&mut total, &summary.counts);
            }
        }
        total
    }

    /// Every lane an organization ever had a job in, of those that begin with `prefix`.
    pub(crate) fn lanes_of(&self, organization: &str, prefix: &str) -> Vec<String> {
        self.seen.lock().lanes_of(organization, prefix).map(|lane| lane.to_string()).collect()
    }
}

fn add(total: &mut JobCounts, more: &JobCounts) {
    total.pending += more.pending;
    total.running += more.running;
    total.waiting += more.waiting;
    total.retrying += more.retrying;
    total.parked += more.parked;
    total.succeeded += more.succeeded;
    total.failed += more.failed;
    total.cancelled += more.cancelled;
}
