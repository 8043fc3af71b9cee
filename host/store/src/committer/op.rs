//! What is asked of the committer. Everything that costs time and needs no state (encoding, sealing, hashing) was done by the
//! caller; what is left is looking, deciding and writing.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::{Job, NewJob, Put};
use crate::port::{Ack, StoreError};
use crate::rows::envelope::Write;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A job to enqueue, with its row as it would be at birth.
pub(crate) struct Birth {
    pub(crate) new: NewJob,
    pub(crate) rows: Vec<Write>,
    pub(crate) dedupe: u128,
    pub(crate) exclusive: u128,
}

/// A job handed to a worker; its body is read after the claim is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) lane: String,
    pub(crate) epoch: u64,
    pub(crate) lease_until: u64,
    pub(crate) job: Arc<str>,
    pub(crate) due: u64,
    pub(crate) updated: u64,
}

pub(crate) struct Ending {
    pub(crate) lane: String,
    pub(crate) epoch: u64,
    pub(crate) job: Job,
    /// The job's row as given; encoded anew only when the end changes it.
    pub(crate) job_rows: Vec<Write>,
    pub(crate) attempt_rows: Vec<Write>,
    pub(crate) contact_rows: Vec<Write>,
    /// What the end brings with it.
    pub(crate) jobs: Vec<Birth>,
}

pub(crate) enum Op {
    Commit {
        puts: Vec<Put>,
        jobs: Vec<Birth>,
        reply: Reply<Vec<Ack>>,
    },
    Claim {
        owner: Arc<str>,
        now: u64,
        lease_ms: u64,
        wants: Vec<(String, u32)>,
        reply: Reply<Vec<Granted>>,
    },
    Renew {
        owner: Arc<str>,
        now: u64,
        lease_ms: u64,
        reply: Reply<Vec<String>>,
    },
    Step {
        lane: String,
        epoch: u64,
        job: String,
        rows: Vec<Write>,
        reply: Option<Reply<()>>,
    },
    Finish {
        ending: Box<Ending>,
        reply: Reply<()>,
    },
    Park {
        lane: String,
        parked: bool,
        now: u64,
        reply: Reply<()>,
    },
    Amend {
        job: Box<Job>,
        expect: u64,
        reply: Reply<()>,
    },
    /// The unfinished jobs of a lane.
    List {
        lane: String,
        reply: Reply<Vec<Arc<str>>>,
    },
    /// Cancels those of these jobs that are unfinished and not running, and marks the running ones.
    Cancel {
        jobs: Vec<Arc<str>>,
        now: u64,
        reply: Reply<u64>,
    },
    /// Deletes those of these jobs that finished before a time.
    Expire {
        jobs: Vec<String>,
        before: u64,
        reply: Reply<u64>,
    },
    /// Deletes jobs, whatever their state unless they run, and what is known of contacts (lane and folded e-mail), and makes puts.
    Erase {
        organization: String,
        jobs: Vec<String>,
        contacts: Vec<(String, String)>,
        puts: Vec<Put>,
        reply: Reply<u64>,
    },
    /// Replaces all sealed rows of a connection.
    Seal {
        prefix: Vec<u8>,
        rows: Vec<Vec<Write>>,
        reply: Reply<()>,
    },
    /// Writes one sealed row if the one it replaces has this version.
    SaveToken {
        key: Vec<u8>,
        expect: u64,
        rows: Vec<Write>,
        reply: Reply<()>,
    },
    /// Announces a token's renewal if the token has this version (0 = there is none) and nobody else has announced it. Answers
    /// whether it is now ours.
    BeginRenewal {
        token: Vec<u8>,
        marker: Vec<u8>,
        expect: u64,
        now: u64,
        rows: Vec<Write>,
        reply: Reply<bool>,
    },
    /// Takes the announcement back, if it is still of this version.
    EndRenewal {
        marker: Vec<u8>,
        expect: u64,
        reply: Reply<()>,
    },
    /// Ends the thread after what came before is on disk.
    Close {
        reply: Reply<()>,
    },
}

impl Op {
    /// Bytes it holds in memory while it queues, roughly.
    pub(crate) fn weight(&self) -> usize {
        fn rows(rows: &[Write]) -> usize {
            rows.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum()
        }
        fn births(jobs: &[Birth]) -> usize {
            jobs.iter().map(|job| 2 * rows(&job.rows)).sum()
        }
        fn documents(puts: &[Put]) -> usize {
            puts.iter().map(|put| put.json.as_ref().map_or(64, String::len)).sum()
        }
        match self {
            Op::Commit { puts, jobs, .. } => documents(puts) + births(jobs),
            Op::Erase { puts, jobs, contacts, .. } => documents(puts) + 64 * (jobs.len() + contacts.len()),
            Op::Step { rows: written, .. } | Op::SaveToken { rows: written, .. } | Op::BeginRenewal { rows: written, .. } => rows(written),
            Op::Finish { ending, .. } => {
                2 * rows(&ending.job_rows) + rows(&ending.attempt_rows) + rows(&ending.contact_rows) + births(&ending.jobs)
            }
            Op::Seal { rows: all, .. } => all.iter().map(|r| rows(r)).sum(),
            _ => 64,
        }
    }
}
