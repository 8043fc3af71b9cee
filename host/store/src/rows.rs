//! How the store's state looks as rows of one ordered tree: keys, envelopes, and the values of each table.
//!
//! This room knows bytes. It must not know which engine keeps them, nor what an operation means.

pub(crate) mod envelope;
pub(crate) mod keys;
pub(crate) mod tables;

use thiserror::Error;

/// A row that cannot be read back. Never repaired silently: the value is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the row {key} is damaged ({why}); restore the last export")]
pub(crate) struct Damaged {
    pub(crate) key: String,
    pub(crate) why: &'static str,
}

impl Damaged {
    pub(crate) fn at(key: &[u8], why: &'static str) -> Self {
        Self { key: keys::shown(key), why }
    }
}
