//! What webhooks tell of. An event becomes one delivery job per endpoint that chose it, and the jobs are written in the same commit as the
//! change they tell of: an outbox that can neither lose an event nor invent one.

mod catalogue;
mod payload;

use crm_contract::types::Pair;
use crm_store::model::{Job, JobState, NewJob};

use super::{ServiceError, syncs, webhooks};
use crate::context::Context;
use crate::domain::{Affiliate, Connection, ConnectionState};
use crate::ids::new_id;

pub use catalogue::{EventType, example};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `affiliate.applied|approved|rejected|paused|removed`: in one campaign.
    Affiliate { what: AffiliateEvent, affiliate: Box<Affiliate>, campaign: String },
    /// `sync.succeeded|retrying|failed`.
    Sync { what: SyncEvent, job: Box<Job> },
    /// `connection.needs_credentials|restored|disconnected`.
    Connection { what: ConnectionEvent, connection: Box<Connection> },
    /// `import.finished`, with its counts.
    ImportFinished { import: String, campaign: String, state: String, counts: Vec<Pair> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AffiliateEvent {
    Applied,
    Approved,
    Rejected,
    Paused,
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncEvent {
    Succeeded,
    Retrying,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    NeedsCredentials,
    Restored,
    Disconnected,
}

impl Event {
    /// What a connection's new state is worth telling. One that is to be prepared first, or whose connector is gone, has no event of its own;
    /// its way back has.
    pub(crate) fn of_connection(before: ConnectionState, connection: &Connection) -> Option<Self> {
        let what = match (before, connection.state) {
            (before, now) if before == now => return None,
            (_, ConnectionState::NeedsCredentials) => ConnectionEvent::NeedsCredentials,
            (_, ConnectionState::Live) => ConnectionEvent::Restored,
            (_, ConnectionState::Disconnected) => ConnectionEvent::Disconnected,
            (_, ConnectionState::NeedsPreparation | ConnectionState::NeedsConnector) => return None,
        };
        Some(Self::Connection { what, connection: Box::new(connection.clone()) })
    }

    /// What the end of an attempt is worth telling: success, failure for good, and of the failures in between the first one and
    /// those that have another reason than the one before. Waits that burn no attempt (a limit, the vendor's own queue) are no failures.
    pub(crate) fn of_sync(before: &Job, after: &Job) -> Option<Self> {
        let reason = |job: &Job| job.trouble.as_ref().map(|trouble| syncs::reason(trouble).0);
        let what = match after.state {
            JobState::Succeeded => SyncEvent::Succeeded,
            JobState::Failed => SyncEvent::Failed,
            JobState::Retrying if after.burnt > before.burnt && (before.burnt == 0 || reason(before) != reason(after)) => {
                SyncEvent::Retrying
            }
            _ => return None,
        };
        Some(Self::Sync { what, job: Box::new(after.clone()) })
    }

    /// Whom it is about: erasing them finds what was told of them.
    fn affiliate(&self) -> &str {
        match self {
            Self::Affiliate { affiliate, .. } => &affiliate.id,
            Self::Sync { job, .. } => &job.new.affiliate,
            Self::Connection { .. } | Self::ImportFinished { .. } => "",
        }
    }

    fn campaign(&self) -> &str {
        match self {
            Self::Affiliate { campaign, .. } | Self::ImportFinished { campaign, .. } => campaign,
            Self::Sync { job, .. } => &job.new.campaign,
            Self::Connection { .. } => "",
        }
    }
}

/// The deliveries that these events make, for the commit of the change. One event has one id, on every endpoint and at every try.
pub async fn outbox(context: &Context, organization: &str, events: &[Event]) -> Result<Vec<NewJob>, ServiceError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let directory = webhooks::directory(context, organization).await?;
    let now = context.now();
    let mut jobs = Vec::new();
    for event in events {
        let kind = event.kind();
        let mut endpoints = directory.listening(kind).peekable();
        if endpoints.peek().is_none() {
            continue;
        }
        let message = webhooks::Message { id: new_id("evt", now), body: payload::event(event, now).to_string() };
        for endpoint in endpoints {
            let mut job = webhooks::delivery(context, organization, endpoint, message.clone());
            job.affiliate = event.affiliate().to_owned();
            job.campaign = event.campaign().to_owned();
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// The body of a test, for one endpoint.
pub(crate) fn test_message(endpoint: &str, now: u64) -> webhooks::Message {
    webhooks::Message { id: new_id("evt", now), body: payload::test(endpoint, now).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connections_new_state_is_told_and_an_old_one_is_not() {
        use ConnectionState::{Disconnected, Live, NeedsCredentials, NeedsPreparation};
        let told = |before, now| {
            let connection = catalogue::sample_connection(now);
            Event::of_connection(before, &connection).map(|event| event.kind().word())
        };
        let table = [
            (Live, Live, None),
            (Live, NeedsCredentials, Some("connection.needs_credentials")),
            (NeedsCredentials, NeedsCredentials, None),
            (NeedsCredentials, Live, Some("connection.restored")),
            (Live, NeedsPreparation, None),
            (NeedsPreparation, Live, Some("connection.restored")),
            (Live, Disconnected, Some("connection.disconnected")),
            (NeedsCredentials, Disconnected, Some("connection.disconnected")),
            (Disconnected, Disconnected, None),
        ];
        for (before, now, wanted) in table {
            assert_eq!(told(before, now), wanted, "{before:?} -> {now:?}");
        }
    }

    #[test]
    fn of_many_failures_for_one_reason_the_first_is_told() {
        let failed = |burnt, trouble: &str| Job {
            burnt,
            trouble: Some(crm_store::model::JobTrouble::Host(trouble.to_owned())),
            ..catalogue::sample_job(JobState::Retrying)
        };
        let fault = |burnt| Job {
            trouble: Some(crm_store::model::JobTrouble::Fault(crm_contract::ports::GuestFault::Trapped("x".into()))),
            ..failed(burnt, "")
        };
        let told = |before: &Job, after: &Job| Event::of_sync(before, after).map(|event| event.kind());
        let fresh = Job { burnt: 0, trouble: None, ..catalogue::sample_job(JobState::Running) };
        assert_eq!(told(&fresh, &failed(1, "a")), Some(EventType::SyncRetrying));
        assert_eq!(told(&failed(1, "a"), &failed(2, "b")), None, "other words, the same code");
        assert_eq!(told(&failed(2, "a"), &fault(3)), Some(EventType::SyncRetrying), "another code");
        assert_eq!(told(&fault(3), &fault(3)), None, "no attempt was burnt");
        assert_eq!(told(&failed(9, "a"), &catalogue::sample_job(JobState::Failed)), Some(EventType::SyncFailed));
        assert_eq!(told(&fresh, &catalogue::sample_job(JobState::Succeeded)), Some(EventType::SyncSucceeded));
        for quiet in [JobState::Waiting, JobState::Parked, JobState::Cancelled] {
            assert_eq!(told(&fresh, &catalogue::sample_job(quiet)), None);
        }
    }
}
