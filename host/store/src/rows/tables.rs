//! The values of each table. Documents, jobs, steps and the like are MessagePack with field names, so that an added field
//! does not make old rows unreadable; the row that every transition of a job rewrites is fixed-size bytes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Damaged, keys};
use crate::model::{Job, JobState};
use crate::port::StoreError;

/// `get` of the meta row `format`.
pub(crate) const FORMAT: &[u8] = b"crm-store 1";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DocRow {
    pub(crate) version: u64,
    pub(crate) json: String,
    /// The names it holds.
    pub(crate) unique: Vec<(String, String)>,
}

/// One row per lane ever seen. Unfinished jobs are counted at open, finished ones are not read then, hence the totals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LaneRow {
    pub(crate) organization: String,
    pub(crate) parked: bool,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
}

/// What listings and retention need of a finished job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EndedRow {
    pub(crate) finished: u64,
    pub(crate) campaign: String,
    pub(crate) affiliate: String,
}

/// Points from an affiliate to a finished job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AffiliateRow {
    pub(crate) state: JobState,
    pub(crate) lane: String,
    pub(crate) campaign: String,
}

/// The moving part of an unfinished job: rewritten by every transition, and all that is read of a queued job at open. It
/// overrides what the job's body says of the same things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveRow {
    pub(crate) state: JobState,
    /// A newer wish waits in the follow-up row.
    pub(crate) follow: bool,
    /// Cancel it when it ends.
    pub(crate) cancel: bool,
    pub(crate) due: u64,
    pub(crate) updated: u64,
    /// When it was claimed, while it runs.
    pub(crate) claimed: u64,
    /// Hashes of the keys; 0 = none.
    pub(crate) dedupe: u128,
    pub(crate) exclusive: u128,
}

const LIVE_BYTES: usize = 2 + 3 * 8 + 2 * 16;

impl LiveRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LIVE_BYTES);
        bytes.push(keys::state_byte(self.state));
        bytes.push(u8::from(self.follow) | u8::from(self.cancel) << 1);
        for time in [self.due, self.updated, self.claimed] {
            bytes.extend_from_slice(&time.to_be_bytes());
        }
        bytes.extend_from_slice(&self.dedupe.to_be_bytes());
        bytes.extend_from_slice(&self.exclusive.to_be_bytes());
        bytes
    }

    pub(crate) fn decode(key: &[u8], bytes: &[u8]) -> Result<Self, Damaged> {
        let bad = || Damaged::at(key, "not a live row");
        let bytes: &[u8; LIVE_BYTES] = bytes.try_into().map_err(|_| bad())?;
        let long = |at: usize| bytes[at..at + 8].try_into().map(u64::from_be_bytes).map_err(|_| bad());
        let wide = |at: usize| bytes[at..at + 16].try_into().map(u128::from_be_bytes).map_err(|_| bad());
        Ok(Self {
            state: keys::state_of(bytes[0]).ok_or_else(bad)?,
            follow: bytes[1] & 1 != 0,
            cancel: bytes[1] & 2 != 0,
            due: long(2)?,
            updated: long(10)?,
            claimed: long(18)?,
            dedupe: wide(26)?,
            exclusive: wide(42)?,
        })
    }

    /// The job as it stands: its body with the moving part on top.
    pub(crate) fn over(&self, mut job: Job) -> Job {
        job.state = self.state;
        job.due = self.due;
        job.updated = self.updated;
        job
    }
}

/// 128 bits of a key, never 0: what the queue keeps in memory instead of the key itself. Parts are told apart by their lengths.
pub(crate) fn digest(parts: &[&str]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(half).max(1)
}

/// The hash of an `exclusive` key; an empty key excludes nothing.
pub(crate) fn exclusive_digest(key: &str) -> u128 {
    if key.is_empty() { 0 } else { digest(&[key]) }
}

/// The form under which a contact is kept. Callers normalise further; this only makes sure that case and blanks never split one contact in two.
pub(crate) fn fold_email(email: &str) -> String {
    let mut folded = email.trim().to_lowercase();
    if folded.len() > keys::MAX_PART {
        // Longer than any address can be: told apart by its hash.
        folded = format!("{:032x}", digest(&[&folded]));
    }
    folded
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec_named(value).map_err(|error| StoreError::Unusable(format!("a value cannot be written: {error}")))
}

pub(crate) fn decode<T: DeserializeOwned>(key: &[u8], payload: &[u8]) -> Result<T, Damaged> {
    rmp_serde::from_slice(payload).map_err(|_| Damaged::at(key, "not a value of its table"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_row_comes_back() {
        let row = LiveRow {
            state: JobState::Retrying,
            follow: true,
            cancel: false,
            due: 1,
            updated: u64::MAX,
            claimed: 3,
            dedupe: 4,
            exclusive: u128::MAX,
        };
        assert_eq!(LiveRow::decode(b"l", &row.encode()).unwrap(), row);
        assert!(LiveRow::decode(b"l", &row.encode()[1..]).is_err());
    }

    #[test]
    fn hashes_tell_parts_apart() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_eq!(exclusive_digest(""), 0);
    }
}
