//! One limit and what is known of it. Pure: `now` comes in as Unix milliseconds, and nothing waits here.
//!
//! A call occupies its slot from the moment it is admitted until one window after its answer came: the vendor counted it
//! somewhere in between, so no vendor's window can ever hold more than the allowance, whatever the network's delay.

use std::collections::VecDeque;

use crm_catalog::model::{Counts, Limit, Reset};

use super::learn::Word;

/// Longest time for which a vendor's word can stop a limit.
const MAX_BLOCK_MS: u64 = 25 * 3_600 * 1_000;
/// A clock that goes back by more than this was set.
const SKEW_MS: u64 = 1_000;
/// A window is counted in this many steps at most, which bounds the log; the loss is a two-thousandth of the window.
const STEPS: u64 = 2_000;

/// A limit as the manifest states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub requests: Option<u64>,
    pub per_ms: u64,
    pub reset: Reset,
    pub concurrency: Option<u32>,
    pub counts: Counts,
}

impl Shape {
    pub(crate) fn of(limit: &Limit) -> Self {
        Self {
            requests: limit.requests.map(|n| n.max(1)),
            per_ms: limit.per_s.unwrap_or(1).clamp(1, 32 * 86_400) * 1_000,
            reset: limit.reset,
            concurrency: limit.concurrency.map(|n| n.max(1)),
            counts: limit.counts,
        }
    }

    /// Nothing but pauses that the vendor asks for.
    pub(crate) fn pause() -> Self {
        Self { requests: None, per_ms: 1_000, reset: Reset::Rolling, concurrency: None, counts: Counts::Requests }
    }

    /// One at a time.
    pub(crate) fn exclusive() -> Self {
        Self { concurrency: Some(1), ..Self::pause() }
    }
}

/// Until when a call must wait. `None`: until one in flight is answered.
pub(crate) type Wait = Option<u64>;

pub(crate) struct Bucket {
    shape: Shape,
    /// The manifest's figure until the vendor states its own.
    capacity: Option<u64>,
    /// Answered calls: when each leaves the window, and its cost. Sorted.
    log: VecDeque<(u64, u64)>,
    logged: u64,
    /// Cost of calls in flight, and their number.
    flying: u64,
    running: u32,
    /// What others used of the same allowance, as far as the vendor's count exceeds ours, and until when that is believed.
    foreign: u64,
    foreign_until: u64,
    /// The vendor's count has lapsed: one call at a time until it speaks again.
    probing: bool,
    blocked_until: u64,
    strikes: u32,
    /// Promised to runs that were let start and have not sent yet.
    promised: u64,
    /// How many runs hold those promises.
    holders: u64,
    /// What a run uses of this limit as a rule, in sixteenths; nothing until one has ended.
    usual: Option<u64>,
    seen: u64,
}

impl Bucket {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            capacity: shape.requests,
            shape,
            log: VecDeque::new(),
            logged: 0,
            flying: 0,
            running: 0,
            foreign: 0,
            foreign_until: 0,
            probing: false,
            blocked_until: 0,
            strikes: 0,
            promised: 0,
            holders: 0,
            usual: None,
            seen: 0,
        }
    }

    /// A newer manifest states other figures: what was counted stays.
    pub(crate) fn reshape(&mut self, shape: &Shape) {
        if self.shape != *shape {
            self.shape = shape.clone();
            self.capacity = shape.requests;
        }
    }

    /// Whether `cost` may go now. What is promised to others stands in the way of a call unless its run was let `start`ed itself: the
    /// promises made together fit into what comes free soon, and runs under way take it in the order in which they ask.
    pub(crate) fn ready(&mut self, cost: u64, started: bool, now: u64) -> Result<(), Wait> {
        let promised = if started { 0 } else { self.promised };
        self.room(self.weight(cost), promised, now)
    }

    /// Whether a run that may draw `most` on this limit should be let start: one call could go now, and as many as a run uses as a rule
    /// within `patience`, with all that is promised. A run makes one call at a time: one that waits for its answer needs no room now, and
    /// of each of the others only its next call stands before this one. `Ok`: how much to promise it.
    pub(crate) fn ready_to_start(&mut self, most: u64, patience: u64, now: u64) -> Result<u64, Wait> {
        let units = self.usual.map_or(most, |usual| usual.div_ceil(16).clamp(1, most.max(1))).min(most);
        let next = self.holders.saturating_sub(u64::from(self.running)).min(self.promised);
        self.room(units.min(1), next, now)?;
        let Err(wait) = self.room(units, self.promised, now) else { return Ok(units) };
        let in_time = now.saturating_add(patience);
        if self.missing(units, self.promised).is_some_and(|missing| self.freed(missing).is_some_and(|at| at <= in_time)) {
            return Ok(units);
        }
        Err(wait.map(|until| until.saturating_sub(patience)))
    }

    /// Keeps so much free for a run that was let start.
    pub(crate) fn promise(&mut self, units: u64) {
        self.promised += units;
        self.holders += u64::from(units > 0);
    }

    /// So much of a promise was used, or given back; `rest`: what is left of it.
    pub(crate) fn redeem(&mut self, units: u64, rest: u64) {
        self.promised = self.promised.saturating_sub(units);
        self.holders = self.holders.saturating_sub(u64::from(units > 0 && rest == 0));
    }

    /// A run has ended that used so much of this limit.
    pub(crate) fn learn_usual(&mut self, used: u64) {
        let used = used.saturating_mul(16);
        self.usual = Some(
            self.usual.map_or(used, |usual| if used > usual { usual + (used - usual).div_ceil(8) } else { usual - (usual - used) / 8 }),
        );
    }

    fn room(&mut self, units: u64, promised: u64, now: u64) -> Result<(), Wait> {
        self.settle(now);
        if now < self.blocked_until {
            return Err(Some(self.blocked_until));
        }
        if self.shape.concurrency.is_some_and(|most| self.running >= most) {
            return Err(None);
        }
        if self.capacity.is_some() && self.probing && self.running > 0 {
            return Err(None);
        }
        let Some(missing) = self.missing(units, promised) else { return Ok(()) };
        // A run that ends gives back what it did not use: sooner than the window does.
        Err(if missing <= promised { None } else { self.freed(missing) })
    }

    /// What is lacking for so much to go.
    fn missing(&self, units: u64, promised: u64) -> Option<u64> {
        let capacity = self.capacity?;
        // A call that costs more than the whole allowance goes when the window is empty, rather than never.
        let used = self.flying + self.logged + self.foreign + promised;
        (used + units.min(capacity)).checked_sub(capacity).filter(|n| *n > 0)
    }

    /// When the window will have let go of so much. `None`: no one knows, since calls are in flight.
    fn freed(&self, mut missing: u64) -> Wait {
        let mut foreign = (self.foreign > 0).then_some((self.foreign_until, self.foreign));
        for &(until, cost) in &self.log {
            if let Some((at, n)) = foreign
                && at <= until
            {
                foreign = None;
                missing = missing.saturating_sub(n);
                if missing == 0 {
                    return Some(at);
                }
            }
            missing = missing.saturating_sub(cost);
            if missing == 0 {
                return Some(until);
            }
        }
        foreign.filter(|(_, n)| *n >= missing).map(|(at, _)| at)
    }

    /// A call goes out. Call [`Self::ready`] first, under the same lock.
    pub(crate) fn admit(&mut self, cost: u64) {
        self.flying += self.weight(cost);
        self.running += 1;
    }

    /// Its answer came (or it failed): it leaves the window one window from now. `bad` as the limit on failures counts.
    pub(crate) fn done(&mut self, cost: u64, bad: bool, sent: bool, now: u64) {
        self.settle(now);
        let cost = self.weight(cost);
        self.flying = self.flying.saturating_sub(cost);
        self.running = self.running.saturating_sub(1);
        let counted = match self.shape.counts {
            Counts::BadRequests => bad,
            Counts::Requests | Counts::Cost => true,
        };
        if self.capacity.is_none() || !counted || !sent {
            return;
        }
        let until = self.leaves_at(now).max(self.log.back().map_or(0, |(u, _)| *u));
        match self.log.back_mut() {
            Some((last, total)) if *last == until => *total += cost,
            _ => self.log.push_back((until, cost)),
        }
        self.logged += cost;
    }

    /// The vendor's own count. Its word about the allowance wins over the manifest's.
    pub(crate) fn hear(&mut self, word: &Word, now: u64) {
        self.settle(now);
        if self.shape.requests.is_none() {
            return;
        }
        if let Some(limit) = word.limit.filter(|n| (1..=10_000_000_000).contains(n)) {
            self.capacity = Some(limit);
        }
        let (Some(remaining), Some(capacity)) = (word.remaining, self.capacity) else { return };
        self.probing = false;
        let theirs = capacity.saturating_sub(remaining);
        let ours = self.flying + self.logged;
        // Calls in flight may or may not be in the vendor's count: only what exceeds all of ours is certainly someone else's.
        self.foreign = theirs.saturating_sub(ours);
        if self.foreign > 0 {
            let fallback = now + self.shape.per_ms;
            self.foreign_until = word.reset_at.unwrap_or(fallback).clamp(now + 1, now + MAX_BLOCK_MS);
        } else if self.shape.reset != Reset::Rolling {
            self.agree(theirs, word.reset_at);
        }
    }

    /// In a fixed window the vendor may have started afresh: drop what it no longer counts.
    fn agree(&mut self, theirs: u64, reset_at: Option<u64>) {
        while self.logged > theirs {
            let Some((_, cost)) = self.log.pop_front() else { break };
            self.logged -= cost;
        }
        if let Some(end) = reset_at {
            for (until, _) in &mut self.log {
                *until = (*until).min(end.saturating_add(1));
            }
        }
    }

    /// The vendor said "too many". `wait_ms` from its header; without one, one second doubling up to the window.
    pub(crate) fn struck(&mut self, wait_ms: Option<u64>, now: u64) {
        self.strikes = (self.strikes + 1).min(20);
        let ceiling = self.shape.per_ms.clamp(1_000, 300_000);
        let wait = wait_ms.unwrap_or((1_000u64 << (self.strikes - 1)).min(ceiling));
        self.block(now.saturating_add(wait), now);
    }

    pub(crate) fn block(&mut self, until: u64, now: u64) {
        self.settle(now);
        self.blocked_until = self.blocked_until.max(until.min(now + MAX_BLOCK_MS));
    }

    pub(crate) fn calm(&mut self) {
        self.strikes = 0;
    }

    /// Nothing here would be missed.
    pub(crate) fn is_idle(&mut self, now: u64) -> bool {
        self.settle(now);
        self.log.is_empty() && self.running == 0 && self.promised == 0 && self.foreign == 0 && now >= self.blocked_until
    }

    /// The cost in this limit's unit.
    pub(crate) fn weight(&self, cost: u64) -> u64 {
        match self.shape.counts {
            Counts::Cost => cost.max(1),
            Counts::Requests | Counts::BadRequests => 1,
        }
    }

    fn leaves_at(&self, now: u64) -> u64 {
        let per = self.shape.per_ms;
        match self.shape.reset {
            Reset::Utc => now - now % per + per,
            // Whose midnight is not known: a full window holds for every midnight, until a header says better.
            Reset::Rolling | Reset::AccountMidnight => {
                let step = (per / STEPS).max(1);
                // One millisecond more, because both ends of the measure were cut to whole milliseconds.
                (now + per + 1).div_ceil(step) * step
            }
        }
    }

    /// Lets go of what has left the window; a clock that was set back takes everything with it.
    fn settle(&mut self, now: u64) {
        // Threads read the clock before they get here: a little back is an order of arrival, not a clock that was set.
        let back = self.seen.saturating_sub(now);
        let now = if back <= SKEW_MS { now.max(self.seen) } else { now };
        if back > SKEW_MS {
            for (until, _) in &mut self.log {
                *until = until.saturating_sub(back);
            }
            self.blocked_until = self.blocked_until.saturating_sub(back);
            self.foreign_until = self.foreign_until.saturating_sub(back);
        }
        self.seen = now;
        while let Some((until, cost)) = self.log.front().copied()
            && until <= now
        {
            self.log.pop_front();
            self.logged -= cost;
        }
        if self.foreign > 0 && self.foreign_until <= now {
            self.foreign = 0;
            self.probing = true;
        }
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
