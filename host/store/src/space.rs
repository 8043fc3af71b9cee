//! The free-space gate: new work is refused before the disk is full, so that what is under way can still be committed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::port::StoreError;

/// How much space must stay free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpaceGate {
    /// 256 MB or 5 % of the file system, whichever is more.
    #[default]
    Standard,
    /// This many bytes. 0 switches the gate off, `u64::MAX` refuses all new work.
    Bytes(u64),
}

const STANDARD_BYTES: u64 = 256 * 1024 * 1024;
/// In the field that holds the gate: `SpaceGate::Standard`.
const STANDARD: u64 = u64::MAX - 1;

pub(crate) struct Space {
    dir: PathBuf,
    gate: AtomicU64,
}

impl Space {
    pub(crate) fn new(dir: &Path, gate: SpaceGate) -> Self {
        let space = Self { dir: dir.to_owned(), gate: AtomicU64::new(0) };
        space.set(gate);
        space
    }

    pub(crate) fn set(&self, gate: SpaceGate) {
        let value = match gate {
            SpaceGate::Standard => STANDARD,
            SpaceGate::Bytes(bytes) => bytes,
        };
        self.gate.store(value, Ordering::Relaxed);
    }

    /// Whether new work may be taken in. A file system that cannot be asked is no reason to refuse: the write will tell.
    pub(crate) fn admit(&self) -> Result<(), StoreError> {
        let gate = self.gate.load(Ordering::Relaxed);
        if gate == 0 {
            return Ok(());
        }
        let Ok(stat) = rustix::fs::statvfs(&self.dir) else { return Ok(()) };
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let total = stat.f_blocks.saturating_mul(stat.f_frsize);
        let needed = if gate == STANDARD { STANDARD_BYTES.max(total / 20) } else { gate };
        if free < needed { Err(StoreError::NoSpace { free, needed }) } else { Ok(()) }
    }
}
