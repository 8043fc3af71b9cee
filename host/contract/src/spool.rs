//! The port for files that are too large for records: what is uploaded and still to be read, and what is written for someone to
//! fetch. Implemented by `store`; `sync` and `api` never see a path.

use async_trait::async_trait;

/// The name of a spooled file: letters, digits and `_`, at most 80 of them, so that no name can mean another place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpoolName(String);

impl SpoolName {
    pub fn new(name: impl Into<String>) -> Result<Self, SpoolError> {
        let name = name.into();
        let good = (1..=80).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if good { Ok(Self(name)) } else { Err(SpoolError::Name) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A file as the spool lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spooled {
    pub name: SpoolName,
    pub bytes: u64,
}

/// Why the spool did not do what was asked. None of these is the store's end: a spool that fails spoils the one file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    #[error("this is no name of a spooled file")]
    Name,
    #[error("there is no such file")]
    Missing,
    #[error("a file of this name exists already")]
    Exists,
    /// A file holds less than was promised to be in it: part of it was lost.
    #[error("the file has {have} bytes where {wanted} were written")]
    Short { have: u64, wanted: u64 },
    /// Free space is below the gate: free some disk.
    #[error("the disk is nearly full ({free} bytes free, {needed} needed)")]
    NoSpace { free: u64, needed: u64 },
    #[error("the file cannot be read or written: {0}")]
    Io(String),
}

/// Files by name, written at their end, read anywhere. One writer per file at a time: the caller sees to that.
#[async_trait]
pub trait Spool: Send + Sync {
    /// Makes an empty file; its name is durable when this returns. `Exists` when there is one.
    async fn create(&self, name: &SpoolName) -> Result<(), SpoolError>;
    /// Writes at the end; answers the length that the file has now. Not durable before [`sync`](Self::sync). After an error the end of
    /// the file is unknown: truncate or delete it.
    async fn append(&self, name: &SpoolName, bytes: Vec<u8>) -> Result<u64, SpoolError>;
    /// Everything written so far is on disk when this returns.
    async fn sync(&self, name: &SpoolName) -> Result<(), SpoolError>;
    /// At most `most` bytes from `offset` on; fewer only where the file ends, none at its end or behind it.
    async fn read(&self, name: &SpoolName, offset: u64, most: usize) -> Result<Vec<u8>, SpoolError>;
    async fn length(&self, name: &SpoolName) -> Result<u64, SpoolError>;
    /// Cuts the file to `length` bytes. `Short` when it has fewer.
    async fn truncate(&self, name: &SpoolName, length: u64) -> Result<(), SpoolError>;
    /// Deletes the file for good. A file that does not exist is deleted already.
    async fn delete(&self, name: &SpoolName) -> Result<(), SpoolError>;
    /// Every file, by name.
    async fn list(&self) -> Result<Vec<Spooled>, SpoolError>;
}
