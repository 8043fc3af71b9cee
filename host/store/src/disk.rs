//! What the store needs of an engine: ordered rows, and one write that is atomic and on disk when it returns. A second engine is a
//! second implementation of [`Disk`], not a second store.
//!
//! This room must not know what a row means.

pub(crate) mod durable_sled;
pub(crate) mod repair;

use thiserror::Error;

use crate::port::StoreError;
use crate::rows::Damaged;
use crate::rows::envelope::{self, Write};

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum DiskError {
    /// Final: nothing may be written after it.
    #[error("{0}")]
    Io(String),
    #[error("the store is closed")]
    Closed,
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl From<DiskError> for StoreError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Damaged(damaged) => StoreError::Unusable(damaged.to_string()),
            other => StoreError::Broken(other.to_string()),
        }
    }
}

impl From<Damaged> for StoreError {
    fn from(damaged: Damaged) -> Self {
        StoreError::Unusable(damaged.to_string())
    }
}

pub(crate) type Row = Result<(Vec<u8>, Vec<u8>), DiskError>;
pub(crate) type Rows = Box<dyn Iterator<Item = Row> + Send>;

pub(crate) trait Disk: Send + Sync {
    /// The stored value, envelope and all. May show writes that are not on disk yet: readers go through `reads::Barrier`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError>;
    /// Rows with `from <= key < to` in key order, or the other way round.
    fn scan(&self, from: &[u8], to: Option<&[u8]>, backwards: bool) -> Rows;
    /// All writes or none, on disk when it returns. After an error nothing more may be written.
    fn commit(&self, writes: &[Write]) -> Result<(), DiskError>;
    /// Bytes used on disk.
    fn size(&self) -> u64;
    /// Releases files and lock; every later call answers [`DiskError::Closed`].
    fn close(&self) -> Result<(), DiskError>;

    /// The payload under `key`, checked.
    fn payload(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        match self.get(key)? {
            None => Ok(None),
            Some(value) => envelope::unwrap(key, &value, |chunk| self.get(chunk)).map(Some),
        }
    }
}
