//! All that is kept of one person, as it is handed out; and what erasing them did.

use crm_store::model::Job;
use crm_sync::domain::{Actor, ActorKind, AuditEntry};
use crm_sync::services::person::erase::Erased as Did;
use crm_sync::services::person::export::KnownContact;
use crm_sync::services::syncs::{ShownState, SyncDetail as Detail};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::affiliates::Affiliate;
use super::syncs::{Attempt, SyncDetail, SyncState, history};
use super::{map, time, word};

/// Everything that this host keeps about one person. Not in it: what the vendors keep, files of imports, and copies of these things in
/// answers that are kept for `Idempotency-Key` for 24 hours.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonExport {
    /// When it was made.
    exported: String,
    affiliate: Affiliate,
    /// Addresses before the present one, newest first; vendors may still know the contact under them.
    former_emails: Vec<String>,
    /// What is known of the contact with each vendor.
    contacts: Vec<PersonContact>,
    /// Invitations sent to the person's addresses, without what would let somebody use them.
    #[schema(value_type = Vec<Object>)]
    invites: Vec<serde_json::Value>,
    /// Lines of the audit log about the affiliate, newest first.
    audit: Vec<PersonAuditEntry>,
    /// Every sync that is kept, newest first: attempts, exact requests and answers, log lines.
    syncs: Vec<SyncDetail>,
    /// Webhooks that tell of the person, newest first.
    deliveries: Vec<PersonDelivery>,
}

/// What is known of a contact.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonContact {
    connection: String,
    connector: String,
    /// The destination that a campaign picked for itself; empty = the connection's own.
    destination: String,
    email: String,
    /// The vendor's id.
    contact_id: Option<String>,
    /// Tags that are on the contact because of us.
    tags: Vec<String>,
    /// The connector's own memory.
    memo: Option<String>,
    updated: String,
}

impl From<KnownContact> for PersonContact {
    fn from(known: KnownContact) -> Self {
        let KnownContact { connection, connector, destination, contact } = known;
        Self {
            connection,
            connector,
            destination,
            email: contact.email,
            contact_id: contact.known.contact_id,
            tags: contact.known.tags,
            memo: contact.known.memo,
            updated: time(contact.updated),
        }
    }
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonAuditEntry {
    id: String,
    at: String,
    /// `affiliate.approved`
    action: String,
    /// Names of fields, ids, counts.
    details: std::collections::BTreeMap<String, String>,
    /// `api_key`, `console`, `operator`, `public` or `host`.
    by: String,
    /// Where the request came from, if the person made it themselves.
    ip: Option<String>,
}

impl From<AuditEntry> for PersonAuditEntry {
    fn from(entry: AuditEntry) -> Self {
        let Actor { kind, ip, .. } = entry.actor;
        Self {
            id: entry.id,
            at: time(entry.at),
            action: entry.action,
            details: map(&entry.details),
            by: word(&kind),
            // A merchant's address is no business of the affiliate's.
            ip: ip.filter(|_| kind == ActorKind::Public),
        }
    }
}

/// A webhook that tells of the person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonDelivery {
    id: String,
    /// Where it goes: the endpoint's id.
    endpoint: String,
    state: SyncState,
    /// As it is sent.
    body: Option<String>,
    created: String,
    finished: Option<String>,
    history: Vec<Attempt>,
}

impl From<Detail> for PersonDelivery {
    fn from(detail: Detail) -> Self {
        let history = history(&detail);
        let Job { new, state, finished, .. } = detail.job;
        Self {
            id: new.id,
            endpoint: new.lane,
            state: ShownState::of(state).into(),
            body: new.payload,
            created: time(new.created),
            finished: finished.map(time),
            history,
        }
    }
}

/// Proof that the right person is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseOrder {
    /// The affiliate's present e-mail address.
    pub(crate) confirm: String,
}

/// What was erased. Nothing of it can be brought back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Erased {
    /// The affiliate's id; it is not used again.
    id: String,
    /// With their attempts, requests, answers and log lines.
    syncs: u64,
    /// Webhooks that told of the person, delivered or not.
    deliveries: u64,
    /// What was known of the contact, by connection, destination and address.
    contacts: u64,
    invites: u64,
    /// Answers that were kept for `Idempotency-Key`.
    answers: u64,
    /// Connections whose vendors may still have the contact: delete it there.
    may_remain_at: Vec<String>,
}

impl Erased {
    pub(crate) fn of(id: String, did: Did) -> Self {
        let Did { syncs, deliveries, contacts, invites, answers, connections } = did;
        Self { id, syncs, deliveries, contacts, invites, answers, may_remain_at: connections.into_iter().collect() }
    }
}
