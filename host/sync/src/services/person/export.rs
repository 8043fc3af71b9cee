//! What is kept of one person, for an answer to them: the record, what is known of them with each vendor, invitations, the audit log's lines
//! about them, and every job with what was sent and answered. Handed out in pieces, so that a long history needs no more memory than a
//! short one.

use crm_store::model::{Contact, Job, JobFilter};
use serde_json::{Map, Value};

use super::{Addresses, PAGE, contacts_of, invites, jobs_of};
use crate::context::Context;
use crate::domain::{Affiliate, AuditEntry};
use crate::services::records::{self, OF, Paged, Versioned, of_prefix};
use crate::services::syncs::SyncDetail;
use crate::services::{ServiceError, affiliates};

/// The part that is small.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub affiliate: Affiliate,
    pub contacts: Vec<KnownContact>,
    /// As they are kept, without what would let somebody use them.
    pub invites: Vec<Map<String, Value>>,
}

/// What is known of the person with one vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownContact {
    pub connection: String,
    pub connector: String,
    /// The destination that a campaign picked for itself; empty = the connection's own.
    pub destination: String,
    pub contact: Contact,
}

/// Which jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    Syncs,
    /// Webhooks that tell of the person.
    Deliveries,
}

pub async fn person(context: &Context, organization: &str, id: &str) -> Result<Person, ServiceError> {
    let affiliate = affiliates::get(context, organization, id).await?.value;
    let mut addresses = Addresses::of(&affiliate);
    jobs_of(context, organization, id, &mut addresses).await?;
    let contacts = contacts_of(context, organization, id, &addresses).await?;
    let contacts = contacts.into_iter().map(|(connection, contact)| {
        let destination = contact.lane.strip_prefix(&connection.id).unwrap_or_default().trim_start_matches('/').to_owned();
        KnownContact { connection: connection.id, connector: connection.connector, destination, contact }
    });
    let invites = invites::of(context, organization, &addresses).await?;
    Ok(Person { contacts: contacts.collect(), affiliate, invites })
}

/// A page of the person's jobs with all that hangs on each, newest first; `before` is the id of the last one seen.
pub async fn jobs(context: &Context, organization: &str, id: &str, which: Jobs, before: Option<&str>) -> Result<Paged<Job>, ServiceError> {
    let lanes = match which {
        Jobs::Syncs => "con_",
        Jobs::Deliveries => "whe_",
    };
    let filter = JobFilter { lanes: lanes.to_owned(), affiliate: Some(id.to_owned()), ..JobFilter::default() };
    let items = context.store.jobs(organization, &filter, before, PAGE).await?;
    let next = items.last().filter(|_| items.len() == PAGE).map(|job| job.new.id.clone());
    Ok(Paged { items, next })
}

/// What hangs on one job.
pub async fn detail(context: &Context, job: Job) -> Result<SyncDetail, ServiceError> {
    let (organization, id) = (job.new.organization.clone(), job.new.id.clone());
    let attempts = context.store.attempts(&organization, &id).await?;
    let steps = context.store.steps(&organization, &id).await?;
    Ok(SyncDetail { job, attempts, steps })
}

/// A page of the audit log's lines about something, newest first; `after` is the id of the last one seen.
pub async fn entries(
    context: &Context,
    organization: &str,
    target: &str,
    after: Option<&str>,
) -> Result<Paged<Versioned<AuditEntry>>, ServiceError> {
    let prefix = of_prefix(target);
    let from = after.map(|id| format!("{prefix}{id}"));
    let kind = <AuditEntry as records::Document>::KIND;
    let found = context.store.named(organization, kind, OF, &prefix, from.as_deref(), PAGE).await?;
    let items: Vec<Versioned<AuditEntry>> = found.iter().map(|(_, record)| records::parse(record)).collect::<Result<_, _>>()?;
    let next = items.last().filter(|_| items.len() == PAGE).map(|entry| entry.value.id.clone());
    Ok(Paged { items, next })
}
