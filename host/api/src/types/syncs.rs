//! Sync jobs with their attempts.

use crm_contract::types::{Error as GuestError, Warning as GuestWarning};
use crm_store::model::{Attempt as KeptAttempt, Job, JobCounts, JobTrouble, Outcome};
use crm_sync::services::connections::vendor_words;
use crm_sync::services::syncs::{RetryMode as Mode, ShownState, SyncDetail as Detail, reason, vendor_code};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::steps::Step;
use super::{time, word};

/// States of a sync. `retrying` covers syncs that wait for their connection's credentials.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SyncState {
    Pending,
    Running,
    Waiting,
    Retrying,
    Succeeded,
    Failed,
    Cancelled,
}

impl From<SyncState> for ShownState {
    fn from(state: SyncState) -> Self {
        match state {
            SyncState::Pending => Self::Pending,
            SyncState::Running => Self::Running,
            SyncState::Waiting => Self::Waiting,
            SyncState::Retrying => Self::Retrying,
            SyncState::Succeeded => Self::Succeeded,
            SyncState::Failed => Self::Failed,
            SyncState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ShownState> for SyncState {
    fn from(state: ShownState) -> Self {
        match state {
            ShownState::Pending => Self::Pending,
            ShownState::Running => Self::Running,
            ShownState::Waiting => Self::Waiting,
            ShownState::Retrying => Self::Retrying,
            ShownState::Succeeded => Self::Succeeded,
            ShownState::Failed => Self::Failed,
            ShownState::Cancelled => Self::Cancelled,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SyncQuery {
    #[param(inline)]
    pub(crate) state: Option<SyncState>,
    /// Connection id.
    pub(crate) connection: Option<String>,
    /// Affiliate id.
    pub(crate) affiliate: Option<String>,
    /// Campaign id.
    pub(crate) campaign: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CountQuery {
    /// Connection id.
    pub(crate) connection: Option<String>,
}

/// One affiliate of one campaign on its way into one connection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sync {
    id: String,
    connection: String,
    campaign: String,
    affiliate: String,
    email: String,
    /// `sync` or `untag`.
    purpose: String,
    state: SyncState,
    /// The contact's standing with the vendor, once succeeded.
    standing: Option<String>,
    warnings: Vec<Warning>,
    /// The last trouble.
    reason: Option<Reason>,
    /// The call that failed last.
    failed_step: Option<String>,
    /// When it runs next.
    next_at: Option<String>,
    /// Attempts made.
    attempts: u32,
    /// Tags that it sets.
    tags: Vec<String>,
    created: String,
    updated: String,
    finished: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Warning {
    /// `several-matches`, `dropped-field`, `shortened`, `required-unmapped` or `not-confirmed`.
    what: String,
    subject: String,
}

/// Why something did not succeed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reason {
    /// `retryable`, `rate_limited`, `credentials`, `rejected`, `destination_missing`, `stale`, `unsupported`, `permanent`,
    /// `connector_fault`, `interrupted` or `host`.
    code: String,
    message: String,
    /// The vendor's machine code, or its HTTP status.
    vendor_code: Option<String>,
    /// The field that the vendor rejected.
    field: Option<String>,
}

impl From<&GuestError> for Reason {
    fn from(error: &GuestError) -> Self {
        let (told, field) = match error {
            GuestError::Retryable(told)
            | GuestError::DestinationMissing(told)
            | GuestError::Unsupported(told)
            | GuestError::Permanent(told) => (Some(told), None),
            GuestError::Credentials(refusal) => (Some(&refusal.told), None),
            GuestError::Rejected(rejection) => (Some(&rejection.told), Some(rejection.field.clone())),
            GuestError::RateLimited(_) | GuestError::Stale(_) => (None, None),
        };
        Self { code: vendor_code(error).to_owned(), message: vendor_words(error), vendor_code: told.map(|t| t.code.clone()), field }
    }
}

impl Reason {
    fn plain(code: &str, message: String) -> Self {
        Self { code: code.to_owned(), message, vendor_code: None, field: None }
    }
}

impl From<&JobTrouble> for Reason {
    fn from(trouble: &JobTrouble) -> Self {
        match trouble {
            JobTrouble::Connector(error) => error.into(),
            other => {
                let (code, message) = reason(other);
                Self::plain(code, message)
            }
        }
    }
}

impl From<&GuestWarning> for Warning {
    fn from(warning: &GuestWarning) -> Self {
        Self { what: word(&warning.what), subject: warning.subject.clone() }
    }
}

impl From<Job> for Sync {
    fn from(job: Job) -> Self {
        let done = job.state.is_final();
        Self {
            purpose: word(&job.new.purpose),
            state: ShownState::of(job.state).into(),
            standing: job.standing.as_ref().map(word),
            warnings: job.warnings.iter().map(Into::into).collect(),
            reason: job.trouble.as_ref().map(Into::into),
            failed_step: job.failed_step,
            next_at: (!done).then(|| time(job.due)),
            attempts: job.attempts,
            tags: job.new.set,
            created: time(job.new.created),
            updated: time(job.updated),
            finished: job.finished.map(time),
            id: job.new.id,
            connection: job.new.lane,
            campaign: job.new.campaign,
            affiliate: job.new.affiliate,
            email: job.new.who.email,
        }
    }
}

/// A sync with everything that was sent for it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SyncDetail {
    #[serde(flatten)]
    sync: Sync,
    history: Vec<Attempt>,
}

/// One run of a sync.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    number: u32,
    connector: String,
    version: String,
    /// BLAKE3 of the component that ran.
    digest: String,
    started: String,
    ended: Option<String>,
    /// `done`, `later`, `failed`, `fault`, `interrupted` or `running`.
    outcome: String,
    reason: Option<Reason>,
    /// What the connector logged.
    log: Vec<String>,
    steps: Vec<Step>,
}

impl From<Detail> for SyncDetail {
    fn from(detail: Detail) -> Self {
        let history = history(&detail);
        Self { sync: detail.job.into(), history }
    }
}

/// Every attempt of a job, oldest first, with its steps.
pub(crate) fn history(detail: &Detail) -> Vec<Attempt> {
    let mut numbers: Vec<u32> = detail.attempts.iter().map(|a| a.number).chain(detail.steps.iter().map(|s| s.attempt)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
        .into_iter()
        .map(|number| {
            let steps = detail.steps.iter().filter(|s| s.attempt == number).map(Into::into).collect();
            match detail.attempts.iter().find(|a| a.number == number) {
                Some(attempt) => ended(attempt, steps),
                None => running(number, steps),
            }
        })
        .collect()
}

fn ended(attempt: &KeptAttempt, steps: Vec<Step>) -> Attempt {
    use crm_contract::types::Ending;
    let (outcome, reason) = match &attempt.outcome {
        Outcome::Ended(Ending::Done(_)) => ("done", None),
        Outcome::Ended(Ending::Later(_)) => ("later", None),
        Outcome::Ended(Ending::Failed(error)) => ("failed", Some(error.into())),
        Outcome::Fault(fault) => ("fault", Some(Reason::plain("connector_fault", fault.to_string()))),
        Outcome::Interrupted => ("interrupted", Some(Reason::plain("interrupted", "the host stopped while it ran".to_owned()))),
        // No sync's attempt ends so.
        Outcome::Delivery { text, .. } => ("failed", Some(Reason::plain("host", text.clone()))),
    };
    Attempt {
        number: attempt.number,
        connector: attempt.connector.clone(),
        version: attempt.version.clone(),
        digest: attempt.digest.0.clone(),
        started: time(attempt.started),
        ended: Some(time(attempt.ended)),
        outcome: outcome.to_owned(),
        reason,
        log: attempt.log.clone(),
        steps,
    }
}

/// An attempt that has steps and no end yet.
fn running(number: u32, steps: Vec<Step>) -> Attempt {
    Attempt {
        number,
        connector: String::new(),
        version: String::new(),
        digest: String::new(),
        started: steps.first().map(|s| s.at.clone()).unwrap_or_default(),
        ended: None,
        outcome: "running".to_owned(),
        reason: None,
        log: Vec::new(),
        steps,
    }
}

/// Syncs by state. `retrying` includes `parked`, those that wait for their connection's credentials.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counts {
    pending: u64,
    running: u64,
    waiting: u64,
    retrying: u64,
    parked: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
}

impl From<JobCounts> for Counts {
    fn from(c: JobCounts) -> Self {
        Self {
            pending: c.pending,
            running: c.running,
            waiting: c.waiting,
            retrying: c.retrying + c.parked,
            parked: c.parked,
            succeeded: c.succeeded,
            failed: c.failed,
            cancelled: c.cancelled,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    pub(crate) mode: RetryMode,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RetryMode {
    /// Finished steps are not sent again.
    FailedStep,
    /// Everything is sent again.
    Start,
    /// As `failed_step`, on the newest version of the connector.
    NewestVersion,
}

impl From<RetryMode> for Mode {
    fn from(mode: RetryMode) -> Self {
        match mode {
            RetryMode::FailedStep => Self::FailedStep,
            RetryMode::Start => Self::Start,
            RetryMode::NewestVersion => Self::NewestVersion,
        }
    }
}
