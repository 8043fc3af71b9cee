//! A vendor's rate limit: so many requests in any span of time (a rolling window). Time is handed in, never read.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// At most `requests` in any `span_ms` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    pub requests: u32,
    pub span_ms: u64,
}

impl Allowance {
    pub fn per_minute(requests: u32) -> Self {
        Self { requests, span_ms: 60_000 }
    }
}

/// What an unlimited account says of its limit, so that a client that learns from headers never slows down.
const UNLIMITED: u64 = 1_000_000;

/// Where the account stands after a request: what the limit headers say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub admitted: bool,
    pub limit: u64,
    pub remaining: u64,
    /// Whole seconds until the oldest counted request leaves the window.
    pub reset_s: u64,
}

#[derive(Debug)]
pub(crate) struct Window {
    allowance: Option<Allowance>,
    taken: VecDeque<u64>,
}

impl Window {
    pub(crate) fn new(allowance: Option<Allowance>) -> Self {
        Self { allowance, taken: VecDeque::new() }
    }

    pub(crate) fn set(&mut self, allowance: Option<Allowance>) {
        self.allowance = allowance;
        self.taken.clear();
    }

    /// Whether a request at `now_ms` would be refused.
    pub(crate) fn full(&mut self, now_ms: u64) -> bool {
        self.let_go(now_ms);
        self.allowance.is_some_and(|allowance| self.taken.len() >= allowance.requests as usize)
    }

    /// Counts one request at `now_ms`, unless the window is full. A refused request is not counted.
    pub(crate) fn take(&mut self, now_ms: u64) -> Standing {
        let full = self.full(now_ms);
        if !full && self.allowance.is_some() {
            self.taken.push_back(now_ms);
        }
        Standing { admitted: !full, ..self.look(now_ms) }
    }

    /// Where the account stands, without counting anything.
    pub(crate) fn look(&mut self, now_ms: u64) -> Standing {
        let admitted = !self.full(now_ms);
        let Some(Allowance { requests, span_ms }) = self.allowance else {
            return Standing { admitted: true, limit: UNLIMITED, remaining: UNLIMITED, reset_s: 0 };
        };
        let reset_s = self.taken.front().map_or(0, |at| (at + span_ms - now_ms).div_ceil(1_000));
        let remaining = u64::from(requests).saturating_sub(self.taken.len() as u64);
        Standing { admitted, limit: u64::from(requests), remaining, reset_s }
    }

    fn let_go(&mut self, now_ms: u64) {
        let Some(Allowance { span_ms, .. }) = self.allowance else { return };
        while self.taken.front().is_some_and(|at| at + span_ms <= now_ms) {
            self.taken.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_window_rolls_instead_of_restarting() {
        let mut window = Window::new(Some(Allowance { requests: 2, span_ms: 1_000 }));
        assert!(window.take(0).admitted);
        let second = window.take(900);
        assert!(second.admitted && second.remaining == 0 && second.reset_s == 1);
        assert!(!window.take(999).admitted);
        assert!(window.take(1_000).admitted, "the request of 0 ms has left");
        assert!(!window.take(1_500).admitted, "the one of 900 ms has not");
    }

    #[test]
    fn an_unlimited_account_still_states_a_limit() {
        let standing = Window::new(None).take(5);
        assert!(standing.admitted && standing.limit == standing.remaining);
    }

    proptest! {
        #[test]
        fn no_span_ever_holds_more_than_allowed(gaps in prop::collection::vec(0u64..400, 1..200), requests in 1u32..6) {
            let mut window = Window::new(Some(Allowance { requests, span_ms: 1_000 }));
            let mut now = 0;
            let mut admitted: Vec<u64> = Vec::new();
            for gap in gaps {
                now += gap;
                if window.take(now).admitted {
                    admitted.push(now);
                }
                let recent = admitted.iter().filter(|at| **at + 1_000 > now).count();
                prop_assert!(recent <= requests as usize);
            }
        }
    }
}
