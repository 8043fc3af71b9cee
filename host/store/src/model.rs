//! What is kept. Ids are ULID-like text (time-ordered, 26 characters, Crockford base32) with a prefix that names the
//! kind: `org_`, `key_`, `con_`, `cmp_`, `aff_`, `job_`.

use crm_contract::ports::{Digest, GuestFault, StepRecord};
use crm_contract::types::{Ending, Error, Known, Person, Standing, Warning};
use serde::{Deserialize, Serialize};

pub use crate::asked::{Asked, UNUSABLE, Unkept};

/// Kinds of record that are kept as documents. One organization's documents are invisible to another: every method
/// takes the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Organization,
    ApiKey,
    Connection,
    Campaign,
    Affiliate,
    Import,
    /// Answers kept for `Idempotency-Key`.
    Idempotency,
    /// Settings of the host itself (organization `""`).
    Host,
    /// Authorizations under way (organization `""`): a merchant is at the vendor's consent page.
    Authorization,
    /// What one campaign does differently on one connection.
    Override,
    /// Invitations that affiliates have not all used yet.
    Invite,
    /// Public handles of campaigns (organization `""`).
    Program,
    /// Where an organization's webhooks go.
    WebhookEndpoint,
    /// Who did what, and when.
    Audit,
    /// The operator's credentials (organization `""`).
    OperatorKey,
    /// Versions of connectors that were brought in (organization `""`).
    Release,
    /// Which version of a connector new work runs (organization `""`).
    Line,
    /// Files that were refused as versions of connectors, and why (organization `""`).
    RefusedFile,
}

/// A document: JSON text with a version for compare-and-swap. At most 8 KiB of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub organization: String,
    pub kind: Kind,
    pub id: String,
    /// Rises by one with every write; 0 = does not exist yet.
    pub version: u64,
    pub json: String,
}

/// One write of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    pub record: RecordKey,
    /// The version the writer saw (0 = must not exist); `None` = whatever it is.
    pub expect: Option<u64>,
    /// `None` deletes.
    pub json: Option<String>,
    /// Names this record takes for itself: `(namespace, name)`, unique within the organization and kind; replaces the ones it
    /// held before. An empty list releases them. Example: `("email", "cmp_1/ann@example.com")`.
    pub unique: Vec<(String, String)>,
}

impl Put {
    /// Deletes a document, and lets go of its names. `expect` as in a write.
    pub fn delete(record: RecordKey, expect: Option<u64>) -> Self {
        Self { record, expect, json: None, unique: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordKey {
    pub organization: String,
    pub kind: Kind,
    pub id: String,
}

/// What a job is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    Sync,
    Untag,
    /// Deliver `payload` to a webhook endpoint: the lane is the endpoint's id.
    Webhook,
}

/// A job to enqueue. Deduplicated by `dedupe` among the jobs of its lane that are not finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    pub id: String,
    pub organization: String,
    /// The connection: one lane each.
    pub lane: String,
    pub campaign: String,
    pub affiliate: String,
    pub purpose: Purpose,
    /// connection + campaign + affiliate. Bringing and taking out share it, so that the newest wish replaces the older one.
    pub dedupe: String,
    /// Account + normalised e-mail: at most one job with this key runs at a time, over all campaigns.
    pub exclusive: String,
    /// Unix milliseconds.
    pub due: u64,
    pub created: u64,
    pub who: Person,
    pub set: Vec<String>,
    pub clear: Vec<String>,
    pub all: Vec<String>,
    /// Tells apart what is known of one e-mail in several destinations of one lane; empty = the connection's own destination.
    #[serde(default)]
    pub scope: String,
    /// The body of a webhook.
    #[serde(default)]
    pub payload: Option<String>,
}

impl NewJob {
    /// A job with nothing to say yet: due at once, deduplicated by its own id, excluding nothing.
    pub fn new(id: String, organization: impl Into<String>, lane: impl Into<String>, purpose: Purpose, now: u64) -> Self {
        Self {
            dedupe: id.clone(),
            id,
            organization: organization.into(),
            lane: lane.into(),
            campaign: String::new(),
            affiliate: String::new(),
            purpose,
            exclusive: String::new(),
            due: now,
            created: now,
            who: Person::default(),
            set: Vec::new(),
            clear: Vec::new(),
            all: Vec::new(),
            scope: String::new(),
            payload: None,
        }
    }

    /// Under which lane what is known of its contact is kept.
    pub fn contact_lane(&self) -> String {
        contact_lane(&self.lane, &self.scope)
    }
}

/// Under which lane what is known of a contact is kept: the lane itself, or one part of it.
pub fn contact_lane(lane: &str, scope: &str) -> String {
    if scope.is_empty() { lane.to_owned() } else { format!("{lane}/{scope}") }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    Pending,
    Running,
    Waiting,
    Retrying,
    /// Parked with its connection; not a state of its own in the API, shown as `retrying` with the reason.
    Parked,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobState {
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A job as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub new: NewJob,
    pub state: JobState,
    /// Attempts that counted (a credentials error, `later` or a throttle does not count).
    pub burnt: u32,
    /// Attempts ever made: numbers the attempt rows.
    pub attempts: u32,
    /// Attempts that ended in a trap, a limit hit or a crash of the host: three make the job poison.
    pub faults: u32,
    /// When it runs next. Unix milliseconds.
    pub due: u64,
    /// What `later` asked to be handed back.
    pub resume: Option<String>,
    /// First time the vendor said `later`; bounds the waiting.
    pub waiting_since: Option<u64>,
    pub standing: Option<Standing>,
    pub warnings: Vec<Warning>,
    /// The last trouble, for the person who looks.
    pub trouble: Option<JobTrouble>,
    /// The call that failed last.
    pub failed_step: Option<String>,
    /// Whether the facts were already prepared anew for this job (`stale` is honoured once).
    pub prepared_again: bool,
    pub updated: u64,
    pub finished: Option<u64>,
    /// Attempts numbered up to this one no longer answer steps (a retry "from start" sets it).
    pub forget_before: u32,
    /// A write's outcome is unknown: reads are then sent afresh.
    pub after_unknown: bool,
}

impl Job {
    /// As it stands when it is enqueued.
    pub fn newborn(new: NewJob) -> Self {
        let (due, updated) = (new.due, new.created);
        Self {
            new,
            state: JobState::Pending,
            burnt: 0,
            attempts: 0,
            faults: 0,
            due,
            resume: None,
            waiting_since: None,
            standing: None,
            warnings: Vec::new(),
            trouble: None,
            failed_step: None,
            prepared_again: false,
            updated,
            finished: None,
            forget_before: 0,
            after_unknown: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobTrouble {
    Connector(Error),
    Fault(GuestFault),
    /// The host stopped while the attempt ran.
    Interrupted,
    /// The host's own words.
    Host(String),
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub job: String,
    /// From 1.
    pub number: u32,
    pub connector: String,
    pub version: String,
    pub digest: Digest,
    pub started: u64,
    pub ended: u64,
    pub outcome: Outcome,
    /// Lines that the guest logged.
    pub log: Vec<String>,
    /// By what it can be run again; `None` where no guest ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Box<Asked>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Ended(Ending),
    Fault(GuestFault),
    Interrupted,
    /// A webhook was sent, or could not be.
    Delivery {
        /// The endpoint's answer; `None` = there was none.
        status: Option<u16>,
        /// The beginning of its answer, or why there was none.
        text: String,
        took_ms: u32,
    },
}

/// A step of the journal as kept: which attempt made it, its order within the attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub attempt: u32,
    pub number: u32,
    pub kept: KeptStep,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptStep {
    /// A `write` that was announced; replaced by `Done` under the same attempt and number.
    Intent {
        key: crm_contract::ports::StepKey,
        request: crm_contract::ports::ShownRequest,
        at: u64,
    },
    Done(StepRecord),
}

/// What is known of a contact in a connection, over all campaigns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    pub lane: String,
    /// Normalised e-mail.
    pub email: String,
    pub known: Known,
    pub updated: u64,
}

/// A claimed job: who may run it, until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub lane: String,
    /// The fence: a commit with an older epoch is refused.
    pub epoch: u64,
    pub job: Job,
    /// All kept steps of the job with `attempt > job.forget_before`, oldest first.
    pub steps: Vec<Step>,
    /// What is known of the contact.
    pub known: Known,
    /// Unix milliseconds; stop work at two thirds of the way unless renewed.
    pub lease_until: u64,
}

/// How an attempt changes its job. Written in one batch, refused when fenced.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    pub job: Job,
    pub attempt: Option<Attempt>,
    /// New knowledge of the contact, kept even on failure.
    pub known: Option<Known>,
    /// Jobs that the end brings with it (webhooks that tell of it), in the same batch. One that cannot be taken in refuses the whole.
    pub jobs: Vec<NewJob>,
}

/// A lane as the dispatcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyLane {
    pub lane: String,
    pub organization: String,
    /// When its first job is due.
    pub due: u64,
    /// Jobs running in it now.
    pub running: u32,
}

/// Filter of a job listing. Newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobFilter {
    /// Only lanes whose id begins so (`con_`); empty = all.
    pub lanes: String,
    pub lane: Option<String>,
    pub state: Option<JobState>,
    pub affiliate: Option<String>,
    pub campaign: Option<String>,
}

/// Kept for the pages: counts of jobs by state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobCounts {
    pub pending: u64,
    pub running: u64,
    pub waiting: u64,
    pub retrying: u64,
    pub parked: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub cancelled: u64,
}
