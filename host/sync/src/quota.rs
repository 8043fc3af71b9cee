//! How often something may happen: token buckets in memory, told apart by a key, bounded in number. Lost at a restart, which is fine:
//! what is counted here is speed.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

/// So many in a window; a bucket holds one window's worth and fills evenly, in steps of a second or, for slow rates, of one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// 0 = no limit.
    pub amount: u32,
    pub window_s: u32,
}

impl Rate {
    pub const fn per_minute(amount: u32) -> Self {
        Self { amount, window_s: 60 }
    }

    fn window_ms(self) -> u64 {
        u64::from(self.window_s.max(1)) * 1_000
    }

    /// A bucket is counted in parts, so that no fraction is lost: one request costs `window_ms` of them, a millisecond brings `amount`.
    fn full(self) -> u64 {
        u64::from(self.amount) * self.window_ms()
    }

    fn step_ms(self) -> u64 {
        self.window_ms().div_ceil(u64::from(self.amount.max(1))).max(1_000)
    }
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub rate: Rate,
    /// What may be asked for now.
    pub left: u32,
    /// No more than `left` before so many seconds are over; at least 1.
    pub next_s: u32,
}

#[derive(Clone, Copy)]
struct Bucket {
    level: u64,
    /// Up to when it was filled.
    at: u64,
}

impl Bucket {
    fn fill(&mut self, rate: Rate, now: u64) {
        let steps = now.saturating_sub(self.at) / rate.step_ms();
        let brought = steps.saturating_mul(rate.step_ms()).saturating_mul(u64::from(rate.amount));
        self.level = self.level.saturating_add(brought).min(rate.full());
        self.at += steps * rate.step_ms();
    }

    fn standing(&self, rate: Rate, now: u64) -> Standing {
        let left = u32::try_from(self.level / rate.window_ms()).unwrap_or(u32::MAX);
        let wait_ms = (self.at + rate.step_ms()).saturating_sub(now).min(rate.step_ms());
        Standing { rate, left, next_s: u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1) }
    }
}

/// A bucket for each key. No more than `most` are kept: full ones are forgotten first, as they say nothing, and keys for which there is no
/// room share one bucket, so that a flood of new keys is slowed down instead of being let through.
pub struct Buckets<K> {
    rate: Rate,
    most: usize,
    kept: Mutex<Kept<K>>,
}

struct Kept<K> {
    by_key: HashMap<K, Bucket>,
    shared: Bucket,
    swept: u64,
}

impl<K: Hash + Eq> Buckets<K> {
    pub fn new(rate: Rate, most: usize) -> Self {
        let shared = Bucket { level: rate.full(), at: 0 };
        Self { rate, most, kept: Mutex::new(Kept { by_key: HashMap::new(), shared, swept: 0 }) }
    }

    /// Whether there is a limit at all.
    pub fn limits(&self) -> bool {
        self.rate.amount > 0
    }

    /// Takes one. `Err` = there was none left.
    ///
    /// # Errors
    /// How the bucket stands when it is empty.
    pub fn take(&self, key: K, now: u64) -> Result<Standing, Standing> {
        let rate = self.rate;
        if !self.limits() {
            return Ok(Standing { rate, left: u32::MAX, next_s: 1 });
        }
        let mut kept = self.kept.lock();
        let bucket = kept.bucket(key, rate, self.most, now);
        bucket.fill(rate, now);
        let cost = rate.window_ms();
        let enough = bucket.level >= cost;
        if enough {
            bucket.level -= cost;
        }
        let standing = bucket.standing(rate, now);
        if enough { Ok(standing) } else { Err(standing) }
    }

    /// How the bucket of a key stands when it is empty; `None` = something is left.
    pub fn spent(&self, key: &K, now: u64) -> Option<Standing> {
        if !self.limits() {
            return None;
        }
        let kept = self.kept.lock();
        let full = kept.by_key.len() >= self.most;
        let bucket = match kept.by_key.get(key) {
            Some(bucket) => *bucket,
            None if full => kept.shared,
            None => return None,
        };
        drop(kept);
        let mut bucket = bucket;
        bucket.fill(self.rate, now);
        (bucket.level < self.rate.window_ms()).then(|| bucket.standing(self.rate, now))
    }
}

impl<K: Hash + Eq> Kept<K> {
    fn bucket(&mut self, key: K, rate: Rate, most: usize, now: u64) -> &mut Bucket {
        if self.by_key.len() >= most && !self.by_key.contains_key(&key) {
            if now.saturating_sub(self.swept) >= 1_000 {
                self.swept = now;
                self.by_key.retain(|_, bucket| {
                    bucket.fill(rate, now);
                    bucket.level < rate.full()
                });
            }
            if self.by_key.len() >= most {
                return &mut self.shared;
            }
        }
        self.by_key.entry(key).or_insert(Bucket { level: rate.full(), at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_790_000_000_000;

    fn taken(buckets: &Buckets<u32>, key: u32, now: u64) -> u32 {
        (0..100_000).take_while(|_| buckets.take(key, now).is_ok()).count().try_into().unwrap()
    }

    #[test]
    fn a_full_bucket_gives_one_window_and_then_what_the_seconds_bring() {
        let buckets = Buckets::new(Rate::per_minute(6_000), 10);
        assert_eq!(taken(&buckets, 1, START), 6_000);
        assert_eq!(taken(&buckets, 1, START + 999), 0);
        assert_eq!(taken(&buckets, 1, START + 1_000), 100);
        assert_eq!(taken(&buckets, 1, START + 31_500), 3_000);
        assert_eq!(taken(&buckets, 1, START + 3_600_000), 6_000);
        assert_eq!(taken(&buckets, 2, START), 6_000, "keys do not share");
    }

    #[test]
    fn a_slow_rate_brings_one_at_a_time_and_says_when() {
        let buckets = Buckets::new(Rate::per_minute(7), 10);
        assert_eq!(taken(&buckets, 1, START), 7);
        let spent = buckets.take(1, START + 1_000).unwrap_err();
        assert_eq!((spent.left, spent.next_s), (0, 8));
        assert!(buckets.take(1, START + 8_571).is_err());
        assert!(buckets.take(1, START + 8_572).is_ok());
        assert!(buckets.take(1, START + 8_573).is_err());
    }

    #[test]
    fn nothing_more_than_what_is_left_comes_before_the_time_named() {
        let buckets = Buckets::new(Rate::per_minute(600), 10);
        let mut now = START;
        for n in 0..2_000_u64 {
            now += n * 7 % 1_300;
            let Ok(standing) = buckets.take(1, now) else { continue };
            let early = now + u64::from(standing.next_s) * 1_000 - 1_000;
            let copy = Buckets::new(Rate::per_minute(600), 10);
            copy.kept.lock().by_key = buckets.kept.lock().by_key.clone();
            assert_eq!(taken(&copy, 1, early.max(now)), standing.left);
        }
    }

    #[test]
    fn the_number_of_buckets_is_bounded_and_newcomers_share_one() {
        let buckets = Buckets::new(Rate::per_minute(60), 3);
        for key in 0..3 {
            assert_eq!(taken(&buckets, key, START), 60);
        }
        assert_eq!(taken(&buckets, 10, START), 60);
        assert_eq!(taken(&buckets, 11, START), 0, "shares with 10");
        assert!(buckets.spent(&12, START).is_some());
        assert_eq!(buckets.kept.lock().by_key.len(), 3);
        // A minute later the old ones are full again, say nothing any more, and make room.
        assert_eq!(taken(&buckets, 11, START + 60_000), 60);
        assert_eq!(buckets.kept.lock().by_key.len(), 1);
    }

    #[test]
    fn no_limit_lets_everything_through() {
        let buckets = Buckets::new(Rate::per_minute(0), 1);
        assert_eq!(taken(&buckets, 1, START), 100_000);
        assert!(buckets.spent(&1, START).is_none());
    }

    #[test]
    fn a_clock_that_goes_back_breaks_nothing() {
        let buckets = Buckets::new(Rate::per_minute(60), 3);
        assert_eq!(taken(&buckets, 1, START), 60);
        assert_eq!(taken(&buckets, 1, START - 60_000), 0);
        assert_eq!(buckets.take(1, START - 60_000).unwrap_err().next_s, 1);
    }
}
