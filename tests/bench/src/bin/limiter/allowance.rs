//! The vendor's side of one limit, counted without mercy: requests in any span of the window's length, or at once. Time comes in as a
//! number.

use std::collections::VecDeque;

use crm_catalog::model::{Call, Counts, Limit, LimitHeaders, Reset, ResetUnit};

pub(crate) struct Allowance {
    pub(crate) limit: Limit,
    /// When each counted request came, and its cost.
    taken: VecDeque<(u64, u64)>,
    in_window: u64,
    running: u64,
    most_running: u64,
    /// Millisecond-requests: how many ran, added up over time.
    run_ms: u64,
    last: u64,
    /// Cost counted, window by window since the first request.
    began: Option<u64>,
    counted: Vec<u64>,
}

impl Allowance {
    pub(crate) fn new(limit: &Limit) -> Self {
        Self {
            limit: limit.clone(),
            taken: VecDeque::new(),
            in_window: 0,
            running: 0,
            most_running: 0,
            run_ms: 0,
            last: 0,
            began: None,
            counted: Vec::new(),
        }
    }

    pub(crate) fn window_ms(&self) -> u64 {
        self.limit.per_s.unwrap_or(1).max(1) * 1_000
    }

    fn cost(&self, call: &Call) -> u64 {
        if self.limit.counts == Counts::Cost { u64::from(call.cost.max(1)) } else { 1 }
    }

    fn settle(&mut self, now: u64) {
        let span = self.window_ms();
        let gone = |at: u64| match self.limit.reset {
            Reset::Utc => at / span < now / span,
            Reset::Rolling | Reset::AccountMidnight => at + span <= now,
        };
        while let Some((at, cost)) = self.taken.front().copied()
            && gone(at)
        {
            self.taken.pop_front();
            self.in_window -= cost;
        }
        self.run_ms += self.running * now.saturating_sub(self.last);
        self.last = now;
    }

    /// Whether a request of this call would be one too many.
    pub(crate) fn is_spent(&mut self, call: &Call, now: u64) -> bool {
        self.settle(now);
        let too_many = self.limit.concurrency.is_some_and(|most| self.running >= u64::from(most));
        let counted = self.limit.counts != Counts::BadRequests;
        too_many || (counted && self.limit.requests.is_some_and(|most| self.in_window + self.cost(call) > most))
    }

    pub(crate) fn take(&mut self, call: &Call, now: u64) {
        self.settle(now);
        self.began.get_or_insert(now);
        self.running += 1;
        self.most_running = self.most_running.max(self.running);
        if self.limit.counts != Counts::BadRequests {
            self.count(self.cost(call), now);
        }
    }

    fn count(&mut self, cost: u64, now: u64) {
        self.taken.push_back((now, cost));
        self.in_window += cost;
        let began = self.began.unwrap_or(now);
        let at = usize::try_from((now - began) / self.window_ms()).unwrap_or(usize::MAX);
        if self.counted.len() <= at {
            self.counted.resize(at + 1, 0);
        }
        self.counted[at] += cost;
    }

    pub(crate) fn give_back(&mut self, status: u16, now: u64) {
        self.settle(now);
        self.running -= 1;
        if self.limit.counts == Counts::BadRequests && (400..500).contains(&status) && status != 429 {
            self.count(1, now);
        }
    }

    /// What was used of what could have been used in these windows, and how many they are. Of a limit on what runs at once: how many ran
    /// on average, of those that may.
    pub(crate) fn share(&self, from: u64, to: u64) -> (f64, u64) {
        if let (None, Some(most)) = (self.limit.requests, self.limit.concurrency) {
            let elapsed = self.last - self.began.unwrap_or(self.last);
            return (self.run_ms as f64 / (f64::from(most) * elapsed.max(1) as f64), 1);
        }
        let counted: u64 = (from..to).map(|at| usize::try_from(at).ok().and_then(|at| self.counted.get(at)).copied().unwrap_or(0)).sum();
        let windows = to.saturating_sub(from).max(1);
        (counted as f64 / (self.limit.requests.unwrap_or(1) as f64 * windows as f64), windows)
    }

    /// Whether anything was drawn on it.
    pub(crate) fn is_used(&self) -> bool {
        self.began.is_some()
    }

    pub(crate) fn most_at_once(&self) -> u64 {
        self.most_running
    }

    /// What the vendor says of this limit, in the manifest's words and unit.
    pub(crate) fn headers(&mut self, now: u64) -> Vec<(String, String)> {
        self.settle(now);
        let (Some(names), Some(most)) = (self.limit.headers.clone(), self.limit.requests) else { return Vec::new() };
        let left = most.saturating_sub(self.in_window);
        let span = self.window_ms();
        let until = match self.limit.reset {
            Reset::Utc => span - now % span,
            Reset::Rolling | Reset::AccountMidnight => self.taken.front().map_or(0, |(at, _)| at + span - now),
        };
        written(&names, most, left, until, now)
    }
}

fn written(names: &LimitHeaders, most: u64, left: u64, until: u64, now: u64) -> Vec<(String, String)> {
    let seconds = until.div_ceil(1_000);
    let (limit, remaining, reset) = match names.unit {
        ResetUnit::NOfM => {
            let pair = format!("used={}/{most}", most - left);
            (pair.clone(), pair, seconds.to_string())
        }
        ResetUnit::Structured => (format!("limit={most}"), format!("remaining={left}"), format!("reset={seconds}")),
        ResetUnit::Ms => (most.to_string(), left.to_string(), until.to_string()),
        ResetUnit::Epoch => (most.to_string(), left.to_string(), (now + until).div_ceil(1_000).to_string()),
        ResetUnit::Text => (most.to_string(), left.to_string(), format!("{seconds} seconds")),
        ResetUnit::Date => {
            let at = jiff::Timestamp::from_millisecond(i64::try_from(now + until).unwrap_or(i64::MAX)).unwrap_or_default();
            (most.to_string(), left.to_string(), at.to_string())
        }
        ResetUnit::S | ResetUnit::Auto => (most.to_string(), left.to_string(), seconds.to_string()),
    };
    let named = [(&names.limit, limit), (&names.remaining, remaining), (&names.reset, reset)];
    named.into_iter().filter_map(|(name, value)| Some((name.clone()?, value))).collect()
}
