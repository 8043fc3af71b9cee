//! The trait that every back end implements, and what it promises. One conformance suite holds them all to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::ports::CredentialSource;
use crm_contract::secrets::Token;

use crate::model::*;

/// What became of each item, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    Enqueued,
    /// An unfinished job with the same key exists: this one. The newer wish replaced its person and tags if it had not
    /// started yet; otherwise a follow-up is remembered and enqueued when the running one ends. "Not started" means pending, retrying
    /// or parked; while it runs, or waits for the vendor to finish what it accepted, the newest wish is the follow-up. When the run ends
    /// without finishing the job (to be retried or parked), the follow-up becomes the job's own wish.
    ///
    /// The newer wish may have another purpose: the job then does that instead, and what earlier attempts sent for the old purpose
    /// answers nothing any more (`forget_before`, no `resume`); nor does it for a newer wish that takes tags off (`clear`). What the
    /// vendor accepted and has not finished (`resume`) is given up by every wish that asks for something else. A wish that moves a
    /// contact to a new e-mail keeps the older `previous_email` while nothing is known of a contact under the e-mail that the older wish
    /// would have given it; so does one that speaks of the same e-mail and names no previous one. The `exclusive` key follows the newest
    /// wish.
    Folded {
        into: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another worker owns the lane now: drop the result, change nothing.
    #[error("fenced: another worker owns this lane")]
    Fenced,
    /// Someone else changed the record: read it again and decide anew.
    #[error("the record changed meanwhile")]
    Conflict,
    /// A unique name is taken.
    #[error("{namespace} is already taken")]
    Taken { namespace: String, by: String },
    #[error("value of {bytes} bytes exceeds the {limit} that a record may hold")]
    TooLarge { bytes: usize, limit: usize },
    /// Free space is below the gate: new work is refused, progress is still committed. Free some disk.
    #[error("the disk is nearly full ({free} bytes free, {needed} needed): no new work is accepted")]
    NoSpace { free: u64, needed: u64 },
    /// An I/O error is final: the process stops answering and exits.
    #[error("the store failed and has stopped: {0}")]
    Broken(String),
    #[error("this store is already open in another process: {0}")]
    Locked(String),
    #[error("{0}")]
    Unusable(String),
}

/// Durable state. Every method that changes something returns only after the change is on disk, unless it says otherwise;
/// and nothing that a method returns was read from a change that is not on disk yet. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // -- documents --------------------------------------------------------------------------------------------------------
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, StoreError>;
    /// Ids after `after`, oldest first, at most `limit`.
    async fn page(&self, organization: &str, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<Record>, StoreError>;
    /// The record that holds a unique name.
    async fn find(&self, organization: &str, kind: Kind, namespace: &str, name: &str) -> Result<Option<Record>, StoreError>;
    /// Records by the unique names of one namespace that begin with `prefix`, in the order of the names (by bytes), after the name
    /// `after`, at most `limit`: a secondary index, for names that hold an order. A record that holds several of the names comes once for
    /// each. Fewer than `limit` = there are no more.
    async fn named(
        &self,
        organization: &str,
        kind: Kind,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError>;
    /// All puts and all jobs, or none of them: an approval and its syncs are one write. Answers one [`Ack`] per job. Puts are made in
    /// order, so one commit may hand a unique name over. `Conflict` also when a job's id exists already; `Unusable` when a lane belongs to
    /// another organization: a lane is its first job's organization's for good. `NoSpace` refuses jobs and puts with `expect = Some(0)`.
    async fn commit(&self, puts: Vec<Put>, jobs: Vec<NewJob>) -> Result<Vec<Ack>, StoreError>;

    // -- lanes ------------------------------------------------------------------------------------------------------------
    /// Up to `limit` lanes that have a job due at `now`, are not held and not paused, earliest due first. Cheap: memory only.
    fn ready(&self, now: u64, limit: usize) -> Vec<ReadyLane>;
    /// When the next lane becomes ready, for sleeping. `None` = nothing is scheduled.
    fn next_due(&self) -> Option<u64>;
    /// Completes when new work may have become ready (a hint; register before looking).
    async fn woken(&self);
    /// Keeps a lane from `ready` until `until` (limiter, breaker). Not durable: it is a hint that is worked out again.
    fn hold(&self, lane: &str, until: u64);
    /// Parks or unparks a lane durably: parked lanes keep their jobs, and run none. Unparking makes parked jobs due at `now`, as
    /// retrying. Only jobs that end as [`JobState::Parked`] are in that state; one that ends so in a lane that is not parked (any more)
    /// is kept as retrying, because nobody would wake it.
    async fn park(&self, lane: &str, parked: bool, now: u64) -> Result<(), StoreError>;
    /// Claims up to the asked number of due jobs of each lane for `owner`, marks them running, and answers after that is on
    /// disk. Never two jobs with one `exclusive` key at once. A lane whose lease ran out is taken over with a higher epoch and its
    /// running jobs become due again (with `faults` + 1 and trouble `Interrupted`). An interrupted attempt uses up its number: `attempts` rises by
    /// one, and an attempt row with the outcome `Interrupted` and empty connector, version and digest is kept; the same goes for jobs
    /// that ran when the host stopped. An empty `exclusive` key excludes nothing. What is known of a contact falls back to `previous_email`.
    async fn claim(&self, owner: &str, now: u64, lease_ms: u64, wants: &[(String, u32)]) -> Result<Vec<Claim>, StoreError>;
    /// Extends the leases of `owner`; answers the lanes it lost since the last call. Leases of others that ran out are ended: what ran
    /// under them is due again (with `faults` + 1), so that a lane whose jobs all count as running does not stand still for ever.
    async fn renew(&self, owner: &str, now: u64, lease_ms: u64) -> Result<Vec<String>, StoreError>;
    /// Writes a step. `durable = false` joins the next group commit and returns at once, an error then surfaces on the next
    /// durable operation of this claim.
    async fn step(&self, lane: &str, epoch: u64, job: &str, step: Step, durable: bool) -> Result<(), StoreError>;
    /// Ends an attempt: job, attempt row and contact knowledge in one batch; frees the job's `exclusive` key; deletes the dedupe key if
    /// the state is final, and enqueues the remembered follow-up. What is known is kept under the `contact_lane` of the job's wish. A sync that
    /// succeeded has moved its contact: nothing is known under its `previous_email` any more, and a follow-up goes on from its e-mail. The jobs
    /// it brings are checked as [`Self::commit`] checks them, before anything is written, but not for free space: progress is
    /// always taken in. Fenced = none of them is. `updated` always rises: what is not later than before is counted one up.
    async fn finish(&self, lane: &str, epoch: u64, finish: Finish) -> Result<(), StoreError>;

    // -- looking ------------------------------------------------------------------------------------------------------------
    async fn job(&self, organization: &str, id: &str) -> Result<Option<Job>, StoreError>;
    /// Newest first; `before` is the id of the last one seen.
    async fn jobs(&self, organization: &str, filter: &JobFilter, before: Option<&str>, limit: usize) -> Result<Vec<Job>, StoreError>;
    async fn attempts(&self, organization: &str, job: &str) -> Result<Vec<Attempt>, StoreError>;
    async fn steps(&self, organization: &str, job: &str) -> Result<Vec<Step>, StoreError>;
    /// Of one lane, or of all whose id begins with `lanes`.
    async fn counts(&self, organization: &str, lanes: &str, lane: Option<&str>) -> Result<JobCounts, StoreError>;
    /// `lane` as [`contact_lane`] names it.
    async fn contact(&self, lane: &str, email: &str) -> Result<Option<Contact>, StoreError>;
    /// What is known of these e-mails in a lane and in every part of it, also in parts that no wish names any more. By lane, then e-mail.
    async fn contacts(&self, lane: &str, emails: &[String]) -> Result<Vec<Contact>, StoreError>;
    /// Changes a job that is not running, by the merchant's or the operator's hand (retry, cancel). `expect` is its `updated`. Id, lane,
    /// organization, campaign, affiliate, purpose and keys stay as they were. `Taken { namespace: "job", by }` when a finished job is to be
    /// retried and a newer unfinished one has its `dedupe` key.
    async fn amend(&self, job: Job, expect: u64) -> Result<(), StoreError>;
    /// Cancels every unfinished, not running job of a lane; running ones are cancelled when they end (one that succeeded or failed stays so).
    /// Follow-ups are dropped. Answers how many were cancelled at once.
    async fn cancel_lane(&self, lane: &str, now: u64) -> Result<u64, StoreError>;

    /// Deletes these jobs with all that hangs on them (attempts, steps, follow-ups), finished or not, and what is known of these
    /// contacts (lane as [`contact_lane`] names it, e-mail), and makes the puts, all in one batch. `Conflict` while one of the jobs runs, and
    /// when a put is out of date. Jobs of other organizations and jobs that do not exist are passed over. Answers how many jobs went.
    /// Contacts in lanes of other organizations are passed over too. Free space is not asked for. `TooLarge` above
    /// [`crate::limits::ERASE`] jobs or contacts.
    async fn erase(&self, organization: &str, jobs: &[String], contacts: &[(String, String)], puts: Vec<Put>) -> Result<u64, StoreError>;

    // -- credentials --------------------------------------------------------------------------------------------------------
    /// Seals and keeps the credentials of a connection, replacing all it had. `host` is the merchant-supplied host (or empty): it is
    /// bound in, so that changing it means typing the secrets again.
    async fn seal(&self, whose: &Whose, slots: BTreeMap<String, String>) -> Result<(), StoreError> {
        self.seal_with(whose, slots, BTreeMap::new()).await
    }
    /// As [`Self::seal`], with tokens by the name of their `[[auth]]` in the same write. Each is kept under its own `version`: one that
    /// no earlier token of this connection had, so that a renewal under way with an older grant can never be taken for its successor.
    async fn seal_with(&self, whose: &Whose, slots: BTreeMap<String, String>, tokens: BTreeMap<String, Token>) -> Result<(), StoreError>;
    /// Deletes them, tokens included.
    async fn forget(&self, whose: &Whose) -> Result<(), StoreError>;
    /// A handle that unseals on demand. `save_token` takes the version that its caller loaded (0 = none) and keeps the token under the next one.
    fn credentials(&self, whose: &Whose) -> Arc<dyn CredentialSource>;

    // -- the store itself ------------------------------------------------------------------------------------------------------
    /// `Ok` while the store accepts work; the reason when it does not.
    fn health(&self) -> Result<(), StoreError>;
    /// Attempts that were running when the host last stopped, found at open.
    fn interrupted_at_open(&self) -> u64;
    /// Flushes and closes. Nothing is acknowledged afterwards.
    async fn close(&self) -> Result<(), StoreError>;
}

/// Whose credentials: all of it is bound into the sealed bytes as associated data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Whose {
    pub organization: String,
    pub connection: String,
    pub connector: String,
    pub host: String,
}
