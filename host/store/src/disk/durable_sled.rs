//! sled 0.34.7 made durable from outside. Its `flush()` writes without fsync, so an acknowledged batch would not survive a power
//! cut; here a commit is batch, flush, then `sync_all` on our own handle of the data file (fsync is per inode). The file
//! names and settings used here are part of the format.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use super::repair::{self, Lock};
use super::{Disk, DiskError, Rows};
use crate::faults::Faults;
use crate::port::StoreError;
use crate::rows::envelope::Write;

/// Bytes of leaf pages kept in memory, as they lie on disk; in memory they take twice that. The engine notices only every 64th access in
/// each of 256 parts, and keeps some 350 bytes for every page that is not in memory (8 to 16 rows): 160 MB at four million
/// rows. With 64 MB here a million documents took 400 MB to write, with 16 MB 185 to 275 MB, at four fifths of the speed.
const CACHE: u64 = 16 * 1024 * 1024;
/// This thread of the engine also collects its garbage, so it stays on although every commit flushes.
const FLUSH_EVERY_MS: u64 = 500;

pub(crate) struct DurableSled {
    /// `None` once closed. Readers clone the handle out, so that closing waits for nobody.
    open: RwLock<Option<Open>>,
    data: PathBuf,
    faults: Faults,
    commits: AtomicU64,
    /// An error is final: set once, and nothing is written any more, not even by the engine's own goodbye.
    failed: AtomicBool,
}

struct Open {
    db: sled::Db,
    /// Our own handle on the data file.
    file: File,
    /// Released last: another process may open the store only after the engine let go.
    _lock: Lock,
}

/// The engine's settings. Changing segment size or compression makes existing stores unreadable.
pub(crate) fn config(data: &Path) -> sled::Config {
    sled::Config::default()
        .path(data)
        .mode(sled::Mode::HighThroughput)
        .cache_capacity(CACHE)
        .flush_every_ms(Some(FLUSH_EVERY_MS))
        .use_compression(false)
}

impl DurableSled {
    /// Opens or creates the store's files in `dir`, repairing what is known to be repairable.
    pub(crate) fn open(dir: &Path, ballast: u64, faults: Faults) -> Result<Self, StoreError> {
        let opened = repair::open(dir, ballast)?;
        Ok(Self {
            open: RwLock::new(Some(Open { db: opened.db, file: opened.file, _lock: opened.lock })),
            data: opened.data,
            faults,
            commits: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        })
    }

    fn write(&self, open: &Open, writes: &[Write]) -> Result<(), DiskError> {
        if self.faults.fail_now(self.commits.fetch_add(1, Ordering::Relaxed)) {
            return Err(DiskError::Io("an injected I/O error".into()));
        }
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        open.db.apply_batch(batch).map_err(io)?;
        self.faults.about_to_sync();
        if self.faults.skip_flush() {
            return Ok(());
        }
        open.db.flush().map_err(io)?;
        if !self.faults.skip_fsync() {
            open.file.sync_all().map_err(|error| DiskError::Io(format!("sync: {error}")))?;
            self.faults.synced(&self.data);
        }
        Ok(())
    }

    fn tree(&self) -> Result<sled::Db, DiskError> {
        self.open.read().as_ref().map(|open| open.db.clone()).ok_or(DiskError::Closed)
    }
}

impl Disk for DurableSled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        let open = self.open.read();
        let open = open.as_ref().ok_or(DiskError::Closed)?;
        open.db.get(key).map(|value| value.map(|v| v.to_vec())).map_err(io)
    }

    fn scan(&self, from: &[u8], to: Option<&[u8]>, backwards: bool) -> Rows {
        let tree = match self.tree() {
            Ok(tree) => tree,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let range = match to {
            Some(to) => tree.range(from..to),
            None => tree.range(from..),
        };
        let row = |row: sled::Result<(sled::IVec, sled::IVec)>| row.map(|(k, v)| (k.to_vec(), v.to_vec())).map_err(io);
        if backwards { Box::new(range.rev().map(row)) } else { Box::new(range.map(row)) }
    }

    fn commit(&self, writes: &[Write]) -> Result<(), DiskError> {
        let open = self.open.read();
        let open = open.as_ref().ok_or(DiskError::Closed)?;
        if self.failed.load(Ordering::Acquire) {
            return Err(DiskError::Io("an earlier write failed".into()));
        }
        let result = self.write(open, writes);
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    fn size(&self) -> u64 {
        self.tree().ok().and_then(|tree| tree.size_on_disk().ok()).unwrap_or(0)
    }

    fn close(&self) -> Result<(), DiskError> {
        let Some(open) = self.open.write().take() else { return Ok(()) };
        if self.failed.load(Ordering::Acquire) {
            // Leaked, not dropped: dropping it would write.
            std::mem::forget(open);
            return Ok(());
        }
        open.db.flush().map_err(io)?;
        open.file.sync_all().map_err(|error| DiskError::Io(format!("sync: {error}")))
    }
}

impl Drop for DurableSled {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

fn io(error: sled::Error) -> DiskError {
    DiskError::Io(error.to_string())
}
