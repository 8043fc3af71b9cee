//! Erasing one person. What hangs on them goes first and their record last, so that a call which breaks off leaves a record to call again with;
//! until then, everything that would bring them back is refused by that record's version.

use std::collections::BTreeSet;
use std::time::Duration;

use crm_store::StoreError;
use crm_store::model::Put;

use super::{Addresses, answers, contacts_of, export, invites, jobs_of};
use crate::context::Context;
use crate::domain::{ActorKind, normalise_email};
use crate::services::records::Document as _;
use crate::services::{ServiceError, affiliates, audit, records};

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// With their attempts, steps and log lines.
    pub syncs: u64,
    /// Webhooks that told of the person, delivered or not.
    pub deliveries: u64,
    pub contacts: u64,
    pub invites: u64,
    /// Answers kept for `Idempotency-Key`.
    pub answers: u64,
    /// Connections whose vendors may still have the contact: the host never deletes one there.
    pub connections: BTreeSet<String>,
}

/// Jobs erased in one write: small enough that others get their turn in between.
const BATCH: usize = 128;
/// How often jobs that run are looked at again, and how long after: about ten seconds in all.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// Erases an affiliate with all that is kept of them. `confirm` is their e-mail, in any spelling. While a job of theirs runs it waits up
/// to ten seconds, then answers the conflict `sync_running`; calling again finishes the rest.
pub async fn erase(context: &Context, organization: &str, id: &str, confirm: &str) -> Result<Erased, ServiceError> {
    let affiliate = affiliates::get(context, organization, id).await?.value;
    if normalise_email(confirm) != normalise_email(&affiliate.email) {
        return Err(ServiceError::invalid("confirm", "type the affiliate's present e-mail address to erase them"));
    }
    let mut done = Erased::default();
    let mut addresses = Addresses::of(&affiliate);
    for round in 0..TRIES {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if !jobs(context, organization, id, &mut addresses, &mut done).await? {
            continue;
        }
        done.invites += invites::forget(context, organization, &addresses).await?;
        done.answers += answers::forget(context, organization, id, &addresses).await?;
        if last(context, organization, id, &mut addresses, &mut done).await? {
            let late = leftovers(context, organization, id).await?;
            done.syncs += late.syncs;
            done.connections.extend(late.connections);
            tracing::info!(affiliate = id, "a person was erased");
            return Ok(done);
        }
    }
    let message = "a sync or a webhook of this affiliate runs at the moment; what does not run is erased already: send it again";
    Err(ServiceError::conflict("sync_running", message))
}

/// Erases the person's jobs; `false` = some run, or began to.
async fn jobs(context: &Context, organization: &str, id: &str, addresses: &mut Addresses, done: &mut Erased) -> Result<bool, ServiceError> {
    let found = jobs_of(context, organization, id, addresses).await?;
    let mut all = true;
    let syncs = |lane: &str| lane.starts_with("con_");
    done.connections.extend(found.iter().filter(|job| job.sent && syncs(&job.lane)).map(|job| job.lane.clone()));
    let (running, still): (Vec<_>, Vec<_>) = found.into_iter().partition(|job| job.running);
    for batch in still.chunks(BATCH) {
        let ids: Vec<String> = batch.iter().map(|job| job.id.clone()).collect();
        match context.store.erase(organization, &ids, &[], Vec::new()).await {
            Ok(_) => {
                let gone = batch.iter().filter(|job| syncs(&job.lane)).count() as u64;
                done.syncs += gone;
                done.deliveries += batch.len() as u64 - gone;
            }
            Err(StoreError::Conflict) => all = false,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all && running.is_empty())
}

/// Erases what is known of the contacts and the record itself, and says so in the audit log, in one write. `false` = something was changed
/// meanwhile.
async fn last(context: &Context, organization: &str, id: &str, addresses: &mut Addresses, done: &mut Erased) -> Result<bool, ServiceError> {
    unsign(context, organization, id).await?;
    let current = match affiliates::get(context, organization, id).await {
        Ok(current) => current,
        // Somebody else erased them at the same time.
        Err(ServiceError::NotFound(_)) => return Ok(true),
        Err(error) => return Err(error),
    };
    current.value.former_emails.iter().chain([&current.value.email]).for_each(|email| addresses.add(email));
    let contacts = contacts_of(context, organization, id, addresses).await?;
    let connections: Vec<String> = contacts.iter().map(|(connection, _)| connection.id.clone()).collect();
    let contacts: Vec<_> = contacts.into_iter().map(|(_, contact)| (contact.lane, contact.email)).collect();
    let gone = Put::delete(current.value.key(), Some(current.version));
    // No value of the person: this line stays.
    let log = audit::entry(context, organization, "affiliate.erased", id, &[])?;
    match context.store.erase(organization, &[], &contacts, vec![gone, log]).await {
        Ok(_) => {
            done.contacts += contacts.len() as u64;
            done.connections.extend(connections);
            Ok(true)
        }
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The audit log keeps what was done with the affiliate's id; where the person did it themselves, it forgets from which address.
async fn unsign(context: &Context, organization: &str, id: &str) -> Result<(), ServiceError> {
    let mut after: Option<String> = None;
    loop {
        let page = export::entries(context, organization, id, after.as_deref()).await?;
        let mut puts = Vec::new();
        for mut entry in page.items {
            let actor = &mut entry.value.actor;
            if actor.kind == ActorKind::Public && (actor.ip.is_some() || actor.request.is_some()) {
                (actor.ip, actor.request) = (None, None);
                puts.push(records::put(&entry.value, entry.version)?);
            }
        }
        if !puts.is_empty() {
            match context.store.commit(puts, Vec::new()).await {
                Ok(_) => {}
                // The page is read anew.
                Err(StoreError::Conflict) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Jobs of somebody who had read the record just before it went, and enqueued them just after. Who enqueues without writing the record looks
/// again afterwards and calls this too, so that between the two of them none is left.
pub(crate) async fn leftovers(context: &Context, organization: &str, id: &str) -> Result<Erased, ServiceError> {
    let (mut addresses, mut done) = (Addresses::default(), Erased::default());
    for round in 0..TRIES {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if jobs(context, organization, id, &mut addresses, &mut done).await? {
            if done.syncs > 0 {
                let contacts = contacts_of(context, organization, id, &addresses).await?;
                let contacts: Vec<_> = contacts.into_iter().map(|(_, contact)| (contact.lane, contact.email)).collect();
                context.store.erase(organization, &[], &contacts, Vec::new()).await?;
            }
            return Ok(done);
        }
    }
    tracing::error!(affiliate = id, "a job of an erased person still runs; retention takes it when it has ended");
    Ok(done)
}
