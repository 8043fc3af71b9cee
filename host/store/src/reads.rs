//! Reading without ever showing what is not on disk yet, and without holding a lock while the disk works: a reader reads first,
//! and if what it read belongs to the batch that is being written, it waits for that batch before it answers.

pub(crate) mod contacts;
pub(crate) mod documents;
pub(crate) mod listing;

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::disk::{Disk, DiskError, Rows};
use crate::port::StoreError;
use crate::rows::envelope::{self, Write};
use crate::rows::{keys, tables};

/// A commit that takes longer than this is taken for a hang.
pub(crate) const STUCK: Duration = Duration::from_secs(10);

/// Knows which batch is on its way to the disk.
pub(crate) struct Barrier {
    in_flight: Mutex<Option<InFlight>>,
    hasher: RandomState,
    /// Number of the last commit that is on disk.
    durable: watch::Sender<u64>,
    /// Commits begun: what a scan saw is of one piece if this did not change meanwhile.
    begun: AtomicU64,
    broken: OnceLock<String>,
    started: Instant,
    /// Milliseconds after `started` at which the committer began to work; 0 = idle.
    busy_since: AtomicU64,
    /// A planted bug: readers do not wait.
    blind: bool,
}

struct InFlight {
    commit: u64,
    /// Hashes of the keys; an accidental match only makes a reader wait.
    keys: HashSet<u64>,
}

impl Barrier {
    pub(crate) fn new(blind: bool) -> Self {
        Self {
            in_flight: Mutex::new(None),
            hasher: RandomState::new(),
            durable: watch::Sender::new(0),
            begun: AtomicU64::new(0),
            broken: OnceLock::new(),
            started: Instant::now(),
            busy_since: AtomicU64::new(0),
            blind,
        }
    }

    /// The committer is about to write these rows.
    pub(crate) fn begin(&self, commit: u64, rows: &[Write]) {
        let keys = rows.iter().map(|(key, _)| self.hasher.hash_one(key.as_slice())).collect();
        *self.in_flight.lock() = Some(InFlight { commit, keys });
        self.begun.store(commit, Ordering::Release);
    }

    /// They are on disk.
    pub(crate) fn end(&self, commit: u64) {
        *self.in_flight.lock() = None;
        self.durable.send_replace(commit);
    }

    /// The store is broken (or closed) from now on.
    pub(crate) fn break_down(&self, why: String) {
        if self.broken.set(why).is_err() {
            tracing::debug!("the store was broken already");
        }
        self.durable.send_modify(|_| {});
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.broken.get() {
            Some(why) => Err(StoreError::Broken(why.clone())),
            None => Ok(()),
        }
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Nothing is on its way to the disk.
    pub(crate) fn at_rest(&self) -> bool {
        self.in_flight.lock().is_none()
    }

    pub(crate) fn busy(&self, busy: bool) {
        let since = if busy { u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1) } else { 0 };
        self.busy_since.store(since, Ordering::Relaxed);
    }

    /// How long the committer has been at one batch.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(self.started.elapsed().saturating_sub(Duration::from_millis(since))),
        }
    }

    /// Called after reading `key`: completes once what was read is on disk.
    async fn settle_key(&self, key: &[u8]) -> Result<(), StoreError> {
        let hash = self.hasher.hash_one(key);
        let wait = self.in_flight.lock().as_ref().filter(|batch| batch.keys.contains(&hash)).map(|batch| batch.commit);
        self.settle(wait).await
    }

    /// Called after a scan: completes once everything that could have been read is on disk.
    pub(crate) async fn settle_all(&self) -> Result<(), StoreError> {
        let wait = self.in_flight.lock().as_ref().map(|batch| batch.commit);
        self.settle(wait).await
    }

    async fn settle(&self, wait: Option<u64>) -> Result<(), StoreError> {
        self.check()?;
        let Some(commit) = wait.filter(|_| !self.blind) else { return Ok(()) };
        let mut durable = self.durable.subscribe();
        let reached = durable.wait_for(|done| *done >= commit || self.broken.get().is_some()).await;
        if reached.is_err() {
            return Err(StoreError::Broken("the store is gone".into()));
        }
        drop(reached);
        self.check()
    }
}

/// How often a value in chunks is read again because a batch came in between: under steady writes to it several times in a row.
pub(crate) const TORN: u32 = 64;

/// Reads committed state.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) barrier: Arc<Barrier>,
}

impl Reader {
    pub(crate) async fn payload(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.barrier.check()?;
        // A value in chunks that is being replaced may be read half old and half new: its checksum says so, and once the batch is
        // on disk it is read again.
        let mut tries = 0;
        loop {
            let (begun, quiet) = (self.barrier.begun(), self.barrier.at_rest());
            let read = self.disk.payload(key);
            let Err(DiskError::Damaged(_)) = read else {
                self.barrier.settle_key(key).await?;
                return Ok(read?);
            };
            self.barrier.settle_all().await?;
            tries += 1;
            // Nothing was written meanwhile: what was read is what lies there.
            if tries >= TORN || (quiet && self.barrier.begun() == begun) {
                return Ok(read?);
            }
        }
    }

    pub(crate) async fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        match self.payload(key).await? {
            None => Ok(None),
            Some(payload) => Ok(Some(tables::decode(key, &payload)?)),
        }
    }

    /// Every value under a prefix, in key order; for prefixes that hold few rows.
    pub(crate) async fn all<T: DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        self.barrier.check()?;
        let mut tries = 0;
        loop {
            let (begun, quiet) = (self.barrier.begun(), self.barrier.at_rest());
            let found: Result<Vec<_>, DiskError> = self.rows(prefix).map(|row| self.decode(row?)).collect();
            self.barrier.settle_all().await?;
            tries += 1;
            match found {
                // Torn by a batch that was applied meanwhile: read what it left.
                Err(DiskError::Damaged(_)) if tries < TORN && (!quiet || self.barrier.begun() != begun) => {}
                found => return Ok(found?),
            }
        }
    }

    pub(crate) fn rows(&self, prefix: &[u8]) -> Rows {
        self.disk.scan(prefix, keys::end_of(prefix).as_deref(), false)
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self, (key, value): (Vec<u8>, Vec<u8>)) -> Result<(Vec<u8>, T), DiskError> {
        let payload = envelope::unwrap(&key, &value, |chunk| self.disk.get(chunk))?;
        let value = tables::decode(&key, &payload)?;
        Ok((key, value))
    }
}
