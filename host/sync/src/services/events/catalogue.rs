//! The types of event: their names, what they mean, and an example of each, made by the code that makes the real ones.

use crm_contract::types::{Account, Error, Pair, Person, Standing, Told};
use crm_store::model::{Job, JobState, JobTrouble, NewJob, Purpose};
use serde_json::Value;

use super::{AffiliateEvent, ConnectionEvent, Event, SyncEvent, payload};
use crate::domain::{Affiliate, AffiliateStatus, Connection, ConnectionState, Membership, Source, untag_always};
use crate::services::imports::{Counts, ImportState};

/// One type of event. The names are the API's and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    AffiliateApplied,
    AffiliateApproved,
    AffiliateRejected,
    AffiliatePaused,
    AffiliateRemoved,
    SyncSucceeded,
    SyncRetrying,
    SyncFailed,
    ConnectionNeedsCredentials,
    ConnectionRestored,
    ConnectionDisconnected,
    ImportFinished,
    WebhookTest,
}

impl EventType {
    pub const ALL: [Self; 13] = [
        Self::AffiliateApplied,
        Self::AffiliateApproved,
        Self::AffiliateRejected,
        Self::AffiliatePaused,
        Self::AffiliateRemoved,
        Self::SyncSucceeded,
        Self::SyncRetrying,
        Self::SyncFailed,
        Self::ConnectionNeedsCredentials,
        Self::ConnectionRestored,
        Self::ConnectionDisconnected,
        Self::ImportFinished,
        Self::WebhookTest,
    ];

    /// As payloads and endpoints spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::AffiliateApplied => "affiliate.applied",
            Self::AffiliateApproved => "affiliate.approved",
            Self::AffiliateRejected => "affiliate.rejected",
            Self::AffiliatePaused => "affiliate.paused",
            Self::AffiliateRemoved => "affiliate.removed",
            Self::SyncSucceeded => "sync.succeeded",
            Self::SyncRetrying => "sync.retrying",
            Self::SyncFailed => "sync.failed",
            Self::ConnectionNeedsCredentials => "connection.needs_credentials",
            Self::ConnectionRestored => "connection.restored",
            Self::ConnectionDisconnected => "connection.disconnected",
            Self::ImportFinished => "import.finished",
            Self::WebhookTest => "webhook.test",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// When it is sent.
    pub fn description(self) -> &'static str {
        match self {
            Self::AffiliateApplied => "Somebody entered a campaign and waits for approval.",
            Self::AffiliateApproved => "An affiliate was approved in a campaign, for the first time or again.",
            Self::AffiliateRejected => "An affiliate was rejected in a campaign.",
            Self::AffiliatePaused => "An affiliate was paused in a campaign.",
            Self::AffiliateRemoved => "An affiliate was removed from a campaign.",
            Self::SyncSucceeded => "A sync reached the vendor.",
            Self::SyncRetrying => {
                "A sync failed and will be tried again. Sent at its first failure, and when the reason becomes another one."
            }
            Self::SyncFailed => "A sync failed for good.",
            Self::ConnectionNeedsCredentials => "The vendor refused a connection's credentials; its syncs wait for new ones.",
            Self::ConnectionRestored => "A connection works again; its syncs go on.",
            Self::ConnectionDisconnected => "A connection was disconnected.",
            Self::ImportFinished => "An import came to its end.",
            Self::WebhookTest => "Sent on demand, to one endpoint, whatever events it chose.",
        }
    }
}

impl Event {
    pub(super) fn kind(&self) -> EventType {
        match self {
            Self::Affiliate { what, .. } => match what {
                AffiliateEvent::Applied => EventType::AffiliateApplied,
                AffiliateEvent::Approved => EventType::AffiliateApproved,
                AffiliateEvent::Rejected => EventType::AffiliateRejected,
                AffiliateEvent::Paused => EventType::AffiliatePaused,
                AffiliateEvent::Removed => EventType::AffiliateRemoved,
            },
            Self::Sync { what, .. } => match what {
                SyncEvent::Succeeded => EventType::SyncSucceeded,
                SyncEvent::Retrying => EventType::SyncRetrying,
                SyncEvent::Failed => EventType::SyncFailed,
            },
            Self::Connection { what, .. } => match what {
                ConnectionEvent::NeedsCredentials => EventType::ConnectionNeedsCredentials,
                ConnectionEvent::Restored => EventType::ConnectionRestored,
                ConnectionEvent::Disconnected => EventType::ConnectionDisconnected,
            },
            Self::ImportFinished { .. } => EventType::ImportFinished,
        }
    }
}

/// 2026-09-21T14:13:20Z.
const THEN: u64 = 1_790_000_000_000;
const CAMPAIGN: &str = "cmp_01k5p8q3a07c2v9d4s6b8m1n3f";
const AFFILIATE: &str = "aff_01k5p8tz5h4x7r0w2y6k9j3e1g";
const IMPORTED: Counts = Counts { rows: 120, created: 112, joined: 5, duplicates: 2, errors: 1 };
const CONNECTION: &str = "con_01k5p7m2d9b6t1z8q4v0s3h5ac";

/// A payload of this type as an endpoint receives it.
pub fn example(kind: EventType) -> Value {
    let affiliate = |what, status| {
        let affiliate = Box::new(sample_affiliate(status));
        Event::Affiliate { what, affiliate, campaign: CAMPAIGN.to_owned() }
    };
    let sync = |what, state| Event::Sync { what, job: Box::new(sample_job(state)) };
    let connection = |what, state| Event::Connection { what, connection: Box::new(sample_connection(state)) };
    let event = match kind {
        EventType::AffiliateApplied => affiliate(AffiliateEvent::Applied, AffiliateStatus::Pending),
        EventType::AffiliateApproved => affiliate(AffiliateEvent::Approved, AffiliateStatus::Approved),
        EventType::AffiliateRejected => affiliate(AffiliateEvent::Rejected, AffiliateStatus::Rejected),
        EventType::AffiliatePaused => affiliate(AffiliateEvent::Paused, AffiliateStatus::Paused),
        EventType::AffiliateRemoved => affiliate(AffiliateEvent::Removed, AffiliateStatus::Removed),
        EventType::SyncSucceeded => sync(SyncEvent::Succeeded, JobState::Succeeded),
        EventType::SyncRetrying => sync(SyncEvent::Retrying, JobState::Retrying),
        EventType::SyncFailed => sync(SyncEvent::Failed, JobState::Failed),
        EventType::ConnectionNeedsCredentials => connection(ConnectionEvent::NeedsCredentials, ConnectionState::NeedsCredentials),
        EventType::ConnectionRestored => connection(ConnectionEvent::Restored, ConnectionState::Live),
        EventType::ConnectionDisconnected => connection(ConnectionEvent::Disconnected, ConnectionState::Disconnected),
        EventType::ImportFinished => Event::ImportFinished {
            import: "imp_01k5p9c4r8w1y6q0t3z5v7m2xd".to_owned(),
            campaign: CAMPAIGN.to_owned(),
            state: ImportState::Finished.word().to_owned(),
            counts: IMPORTED.named().into_iter().map(|(name, n)| Pair::new(name, n.to_string())).collect(),
        },
        EventType::WebhookTest => return payload::test("whe_01k5p6w8j2n4h7d9f1s3a5g0bk", THEN),
    };
    payload::event(&event, THEN)
}

fn sample_affiliate(status: AffiliateStatus) -> Affiliate {
    let refused = matches!(status, AffiliateStatus::Paused | AffiliateStatus::Removed | AffiliateStatus::Rejected);
    let membership = Membership {
        campaign: CAMPAIGN.to_owned(),
        status,
        joined: THEN - 86_400_000,
        approved: (!matches!(status, AffiliateStatus::Pending | AffiliateStatus::Rejected)).then_some(THEN),
        changed: THEN,
        reason: refused.then(|| "Another reason than this one".to_owned()),
    };
    Affiliate {
        id: AFFILIATE.to_owned(),
        organization: String::new(),
        email: "zoe@example.com".to_owned(),
        former_emails: Vec::new(),
        first: Some("Zoë".to_owned()),
        last: Some("Arc".to_owned()),
        full: None,
        company: Some("Arc Media".to_owned()),
        website: Some("https://arc.example".to_owned()),
        promotes: None,
        slug: Some("zoe-arc".to_owned()),
        coupon: None,
        consent: None,
        campaigns: vec![membership],
        source: Source::Page,
        created: THEN - 86_400_000,
        updated: THEN,
    }
}

pub(super) fn sample_job(state: JobState) -> Job {
    let told = Told { code: "503".to_owned(), text: "Service temporarily unavailable".to_owned() };
    let failed = matches!(state, JobState::Retrying | JobState::Failed);
    let new = NewJob {
        id: "job_01k5p8v1x3z5c7b9n2m4k6h8gf".to_owned(),
        organization: String::new(),
        lane: CONNECTION.to_owned(),
        campaign: CAMPAIGN.to_owned(),
        affiliate: AFFILIATE.to_owned(),
        purpose: Purpose::Sync,
        dedupe: String::new(),
        exclusive: String::new(),
        due: THEN,
        created: THEN,
        who: Person { email: "zoe@example.com".to_owned(), ..Person::default() },
        set: vec![crate::domain::SYSTEM_TAG.to_owned(), "Spring".to_owned()],
        clear: Vec::new(),
        all: Vec::new(),
        scope: String::new(),
        payload: None,
    };
    Job {
        new,
        state,
        burnt: u32::from(failed),
        attempts: 1,
        faults: 0,
        due: THEN + 5_000,
        resume: None,
        waiting_since: None,
        standing: (state == JobState::Succeeded).then_some(Standing::Normal),
        warnings: Vec::new(),
        trouble: failed.then_some(JobTrouble::Connector(Error::Retryable(told))),
        failed_step: failed.then(|| "save-contact".to_owned()),
        prepared_again: false,
        updated: THEN,
        finished: state.is_final().then_some(THEN),
        forget_before: 0,
        after_unknown: false,
    }
}

pub(super) fn sample_connection(state: ConnectionState) -> Connection {
    Connection {
        id: CONNECTION.to_owned(),
        organization: String::new(),
        connector: "acme".to_owned(),
        name: "Acme Mail".to_owned(),
        state,
        trouble: (state == ConnectionState::NeedsCredentials).then(|| "Your API key does not authenticate.".to_owned()),
        mode: "key".to_owned(),
        settings: Vec::new(),
        picked: Vec::new(),
        facts: Vec::new(),
        bindings: Vec::new(),
        account: Account::default(),
        host: String::new(),
        default_tags: Vec::new(),
        pinned: None,
        last4: Vec::new(),
        created: THEN - 86_400_000,
        verified: THEN,
        prepared: None,
        fields: Vec::new(),
        untag_on: untag_always(),
        overridden_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_name_of_its_own_and_an_example_that_says_it() {
        let mut words: Vec<&str> = EventType::ALL.iter().map(|kind| kind.word()).collect();
        for kind in EventType::ALL {
            assert_eq!(EventType::parse(kind.word()), Some(kind));
            let example = example(kind);
            assert_eq!(example["type"], kind.word());
            assert_eq!(example["timestamp"], "2026-09-21T14:13:20Z");
            assert!(example["data"].is_object(), "{kind:?}");
            assert_eq!(
                example.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()),
                Some(vec!["type".into(), "timestamp".into(), "data".into()])
            );
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), EventType::ALL.len());
        assert_eq!(EventType::parse("*"), None);
    }
}
