//! The breaker of one connection: a vendor that answers most attempts with trouble gets a rest, and then one probe.
//! Pure state; the dispatcher turns `open` into a hold on the lane.

use std::collections::VecDeque;

use crate::context::BreakerConfig;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    recent: VecDeque<bool>,
    /// Rests in a row; doubles the next one.
    opened: u32,
    probing: bool,
}

impl Breaker {
    /// Notes an attempt; `Some(ms)` = rest that long from now.
    pub(super) fn note(&mut self, unwell: bool, config: &BreakerConfig) -> Option<u64> {
        if self.probing {
            self.probing = false;
            self.recent.clear();
            if unwell {
                return Some(self.open(config));
            }
            self.opened = 0;
            return None;
        }
        self.recent.push_back(unwell);
        while self.recent.len() > config.window as usize {
            self.recent.pop_front();
        }
        let failures = self.recent.iter().filter(|bad| **bad).count();
        if self.recent.len() >= config.window as usize && failures >= config.failures as usize {
            self.recent.clear();
            return Some(self.open(config));
        }
        None
    }

    /// While a probe is due only one job may run.
    pub(super) fn at_most_one(&self) -> bool {
        self.probing
    }

    fn open(&mut self, config: &BreakerConfig) -> u64 {
        let rest = u64::from(config.open_s).saturating_mul(1 << self.opened.min(10)).min(u64::from(config.max_open_s));
        self.opened += 1;
        self.probing = true;
        rest * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig { window: 4, failures: 3, open_s: 30, max_open_s: 100 };

    #[test]
    fn a_mostly_failing_vendor_gets_a_rest_that_doubles_until_a_probe_succeeds() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.note(true, &CONFIG), None);
        assert_eq!(breaker.note(false, &CONFIG), None);
        assert_eq!(breaker.note(true, &CONFIG), None);
        assert_eq!(breaker.note(true, &CONFIG), Some(30_000));
        assert!(breaker.at_most_one());
        assert_eq!(breaker.note(true, &CONFIG), Some(60_000));
        assert_eq!(breaker.note(true, &CONFIG), Some(100_000), "capped");
        assert_eq!(breaker.note(false, &CONFIG), None);
        assert!(!breaker.at_most_one());
    }
}
