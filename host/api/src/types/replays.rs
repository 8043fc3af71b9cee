//! A recorded sync that was run again on another version, with every value.

use crm_sync::replay::{At, Compared, Part, Recorded, Replayed, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::steps::ShownHttpRequest;
use super::time;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReplayQuery {
    /// The organization whose sync it is.
    #[param(pattern = "^[A-Za-z0-9_]{1,64}$")]
    pub(crate) organization: String,
    /// The sync.
    #[param(pattern = "^[A-Za-z0-9_]{1,64}$")]
    pub(crate) sync: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JournalQuery {
    /// Syncs at most, the newest first; 200 if left out.
    #[param(minimum = 1, maximum = 10000)]
    pub(crate) most: Option<u32>,
}

/// A sync as it was recorded, against what a version would send.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SyncReplay {
    sync: String,
    /// The attempt that was run again.
    attempt: u32,
    /// The version that made it.
    recorded_on: String,
    at: String,
    same: bool,
    /// How it ended, in a word or two.
    ended: String,
    /// How it ends on the version.
    ends: String,
    /// The connector was stopped, and why.
    fault: Option<String>,
    calls: Vec<ReplayedCall>,
    log: Vec<String>,
}

/// One call of both runs.
#[derive(Debug, Serialize, ToSchema)]
struct ReplayedCall {
    call: String,
    /// `same`, `changed`, `new` (not recorded), `missing` (no longer made) or `refused` (its manifest does not allow it).
    verdict: &'static str,
    /// It comes earlier or later among the others.
    moved: bool,
    /// What differs, where it is changed.
    parts: Vec<ReplayedPart>,
    /// The request, where only one run makes it.
    request: Option<ShownHttpRequest>,
    /// Why it is refused.
    why: Option<String>,
}

/// One part of a request that differs.
#[derive(Debug, Serialize, ToSchema)]
struct ReplayedPart {
    /// Such as `path` or `body at /tags/0`.
    at: String,
    /// null = it was not there.
    before: Option<String>,
    /// null = it is not there any more.
    after: Option<String>,
}

impl From<Part> for ReplayedPart {
    fn from(Part { at, before, after }: Part) -> Self {
        Self { at: At::to_string(&at), before, after }
    }
}

impl From<Compared> for ReplayedCall {
    fn from(Compared { call, verdict, moved }: Compared) -> Self {
        let blank = Self { call, verdict: "same", moved, parts: Vec::new(), request: None, why: None };
        match verdict {
            Verdict::Same => blank,
            Verdict::Changed { parts } => Self { verdict: "changed", parts: parts.into_iter().map(Into::into).collect(), ..blank },
            Verdict::New { request } => Self { verdict: "new", request: Some((&request).into()), ..blank },
            Verdict::Missing { request } => Self { verdict: "missing", request: request.as_ref().map(Into::into), ..blank },
            Verdict::Refused { why } => Self { verdict: "refused", why: Some(why), ..blank },
        }
    }
}

impl SyncReplay {
    pub(crate) fn new(recorded: Recorded, replayed: Replayed) -> Self {
        Self {
            same: replayed.is_same(),
            sync: recorded.sync,
            attempt: recorded.attempt,
            recorded_on: recorded.digest.0,
            at: time(recorded.ended),
            ended: replayed.ended,
            ends: replayed.ends,
            fault: replayed.fault.map(|fault| fault.to_string()),
            calls: replayed.calls.into_iter().map(Into::into).collect(),
            log: replayed.log,
        }
    }
}
