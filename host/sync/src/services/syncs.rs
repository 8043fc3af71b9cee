//! Sync jobs as merchants see them: lists, one with its attempts and steps, counts, retry, cancel.

use crm_contract::types::Error as VendorError;
use crm_store::StoreError;
use crm_store::model::{Attempt, Job, JobCounts, JobFilter, JobState, JobTrouble, Step};

use super::error::vendor_words;
use super::records::Paged;
use super::{ServiceError, affiliates, campaigns, connections};
use crate::context::Context;
use crate::domain::ConnectionState;

/// Lanes of connections begin so; webhooks have lanes of their own.
const LANES: &str = "con_";

/// The states that the API speaks of. A parked job is shown as `retrying`, with its connection's trouble as the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownState {
    Pending,
    Running,
    Waiting,
    Retrying,
    Succeeded,
    Failed,
    Cancelled,
}

impl ShownState {
    pub fn of(state: JobState) -> Self {
        match state {
            JobState::Pending => Self::Pending,
            JobState::Running => Self::Running,
            JobState::Waiting => Self::Waiting,
            JobState::Retrying | JobState::Parked => Self::Retrying,
            JobState::Succeeded => Self::Succeeded,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }

    /// As the API spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn kept(self) -> &'static [JobState] {
        match self {
            Self::Pending => &[JobState::Pending],
            Self::Running => &[JobState::Running],
            Self::Waiting => &[JobState::Waiting],
            Self::Retrying => &[JobState::Retrying, JobState::Parked],
            Self::Succeeded => &[JobState::Succeeded],
            Self::Failed => &[JobState::Failed],
            Self::Cancelled => &[JobState::Cancelled],
        }
    }
}

/// Why a job did not succeed: a stable code, and words for people.
pub fn reason(trouble: &JobTrouble) -> (&'static str, String) {
    match trouble {
        JobTrouble::Connector(error) => (vendor_code(error), vendor_words(error)),
        JobTrouble::Fault(fault) => ("connector_fault", fault.to_string()),
        JobTrouble::Interrupted => ("interrupted", "the host stopped while it ran".to_owned()),
        JobTrouble::Host(words) => ("host", words.clone()),
    }
}

/// The stable code of what a connector reported.
pub fn vendor_code(error: &VendorError) -> &'static str {
    match error {
        VendorError::Retryable(_) => "retryable",
        VendorError::RateLimited(_) => "rate_limited",
        VendorError::Credentials(_) => "credentials",
        VendorError::Rejected(_) => "rejected",
        VendorError::DestinationMissing(_) => "destination_missing",
        VendorError::Stale(_) => "stale",
        VendorError::Unsupported(_) => "unsupported",
        VendorError::Permanent(_) => "permanent",
    }
}

/// Which syncs to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncFilter {
    pub state: Option<ShownState>,
    pub connection: Option<String>,
    pub affiliate: Option<String>,
    pub campaign: Option<String>,
}

/// One sync with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncDetail {
    pub job: Job,
    pub attempts: Vec<Attempt>,
    /// Of all attempts, oldest first.
    pub steps: Vec<Step>,
}

/// How a retry treats what earlier attempts did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryMode {
    /// Finished steps are answered from the journal; only the rest is sent.
    FailedStep,
    /// Everything is sent again.
    Start,
    /// As `FailedStep`, on the newest version of the connector. A connection that is pinned to a version stays on it: the
    /// pin is the merchant's word, so the retry is refused instead.
    NewestVersion,
}

/// A page of syncs, newest first; `before` is the id of the last one seen.
pub async fn list(
    context: &Context,
    organization: &str,
    filter: &SyncFilter,
    before: Option<&str>,
    limit: usize,
) -> Result<Paged<Job>, ServiceError> {
    // Named things must exist here: another organization's ids are as absent as unknown ones.
    if let Some(id) = &filter.connection {
        connections::get(context, organization, id).await?;
    }
    if let Some(id) = &filter.affiliate {
        affiliates::get(context, organization, id).await?;
    }
    if let Some(id) = &filter.campaign {
        campaigns::get(context, organization, id).await?;
    }
    let states: Vec<Option<JobState>> = match filter.state {
        None => vec![None],
        Some(shown) => shown.kept().iter().copied().map(Some).collect(),
    };
    let mut jobs = Vec::new();
    for state in states {
        let kept = JobFilter {
            lanes: LANES.to_owned(),
            lane: filter.connection.clone(),
            state,
            affiliate: filter.affiliate.clone(),
            campaign: filter.campaign.clone(),
        };
        jobs.extend(context.store.jobs(organization, &kept, before, limit + 1).await?);
    }
    jobs.sort_by(|a, b| b.new.id.cmp(&a.new.id));
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = if more { jobs.last().map(|j| j.new.id.clone()) } else { None };
    Ok(Paged { items: jobs, next })
}

/// How many syncs are in each state, of all connections or one.
pub async fn counts(context: &Context, organization: &str, connection: Option<&str>) -> Result<JobCounts, ServiceError> {
    if let Some(id) = connection {
        connections::get(context, organization, id).await?;
    }
    Ok(context.store.counts(organization, LANES, connection).await?)
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<SyncDetail, ServiceError> {
    let job = job(context, organization, id).await?;
    let attempts = context.store.attempts(organization, id).await?;
    let steps = context.store.steps(organization, id).await?;
    Ok(SyncDetail { job, attempts, steps })
}

pub(super) async fn job(context: &Context, organization: &str, id: &str) -> Result<Job, ServiceError> {
    if !super::records::plausible(id) {
        return Err(ServiceError::NotFound("sync"));
    }
    let job = context.store.job(organization, id).await?.ok_or(ServiceError::NotFound("sync"))?;
    if job.new.lane.starts_with(LANES) { Ok(job) } else { Err(ServiceError::NotFound("sync")) }
}

/// Makes a sync due now. Refused while it runs, while its connection cannot take it, and where there is nothing to resume.
pub async fn retry(context: &Context, organization: &str, id: &str, mode: RetryMode) -> Result<Job, ServiceError> {
    let mut job = job(context, organization, id).await?;
    let (connection, ..) = connections::usable(context, organization, &job.new.lane).await?;
    match job.state {
        JobState::Running => return Err(ServiceError::conflict("sync_running", "this sync runs at the moment")),
        JobState::Parked => {
            return Err(match connection.value.state {
                ConnectionState::NeedsPreparation => {
                    let message = "the connection's account must be prepared first; its syncs go on by themselves then";
                    ServiceError::conflict("needs_preparation", message)
                }
                ConnectionState::NeedsConnector => {
                    let message = "the platform has taken this integration off; its syncs go on by themselves when it is back";
                    ServiceError::conflict("needs_connector", message)
                }
                _ => {
                    let message = "the connection needs new credentials first; its syncs go on by themselves then";
                    ServiceError::conflict("needs_credentials", message)
                }
            });
        }
        JobState::Succeeded if mode != RetryMode::Start => {
            return Err(ServiceError::conflict(
                "already_succeeded",
                "this sync succeeded; retry it from the start to send everything again",
            ));
        }
        _ => {}
    }
    if mode == RetryMode::NewestVersion && connection.value.pinned.is_some() {
        return Err(ServiceError::conflict("version_pinned", "this connection is pinned to a version of its connector; unpin it first"));
    }
    let (now, seen) = (context.now(), job.updated);
    if mode == RetryMode::Start {
        job.forget_before = job.attempts;
        job.resume = None;
        job.waiting_since = None;
    }
    job.state = JobState::Pending;
    job.due = now;
    job.burnt = 0;
    job.faults = 0;
    job.prepared_again = false;
    job.finished = None;
    job.standing = None;
    job.warnings = Vec::new();
    job.updated = now.max(seen + 1);
    amend(context, job, seen, "sync.retried").await
}

/// Cancels a sync that does not run. Cancelling twice is no error.
pub async fn cancel(context: &Context, organization: &str, id: &str) -> Result<Job, ServiceError> {
    let mut job = job(context, organization, id).await?;
    match job.state {
        JobState::Cancelled => return Ok(job),
        JobState::Running => return Err(ServiceError::conflict("sync_running", "this sync runs at the moment")),
        JobState::Succeeded | JobState::Failed => return Err(ServiceError::conflict("sync_finished", "this sync has already ended")),
        _ => {}
    }
    let (now, seen) = (context.now(), job.updated);
    job.state = JobState::Cancelled;
    job.updated = now.max(seen + 1);
    job.finished = Some(now);
    amend(context, job, seen, "sync.cancelled").await
}

/// The line of the audit log follows the change: a job is amended by itself. A crash between the two loses the line, not the change.
async fn amend(context: &Context, job: Job, seen: u64, action: &str) -> Result<Job, ServiceError> {
    match context.store.amend(job.clone(), seen).await {
        Ok(()) => {
            let log = super::audit::entry(context, &job.new.organization, action, &job.new.id, &[])?;
            context.store.commit(vec![log], Vec::new()).await?;
            Ok(job)
        }
        Err(StoreError::Conflict) => Err(ServiceError::conflict("sync_changed", "this sync went on meanwhile: look at it again")),
        Err(StoreError::Taken { .. }) => {
            Err(ServiceError::conflict("newer_sync_open", "a newer sync of the same contact is not finished yet"))
        }
        Err(error) => Err(error.into()),
    }
}
