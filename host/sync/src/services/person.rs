//! All that is kept of one person: shown to whoever asks on their behalf, and erased. What belongs to a person is decided here, once, so that
//! the two cannot drift apart.

mod answers;
pub mod erase;
pub mod export;
mod invites;

use std::collections::BTreeSet;

use crm_store::model::{Contact, JobFilter, JobState, Purpose};

use super::{ServiceError, records};
use crate::context::Context;
use crate::domain::{Affiliate, Connection, normalise_email};

/// Jobs read at a time.
const PAGE: usize = 200;

/// Every address under which something of a person may be kept, normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses(BTreeSet<String>);

impl Addresses {
    pub(crate) fn of(affiliate: &Affiliate) -> Self {
        let mut addresses = Self::default();
        addresses.add(&affiliate.email);
        affiliate.former_emails.iter().for_each(|former| addresses.add(former));
        addresses
    }

    fn add(&mut self, email: &str) {
        let email = normalise_email(email);
        if !email.is_empty() {
            self.0.insert(email);
        }
    }

    pub(crate) fn has(&self, email: &str) -> bool {
        self.0.contains(&normalise_email(email))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// What there is to know of a job for finding and erasing a person's.
struct JobOf {
    id: String,
    lane: String,
    running: bool,
    /// A vendor may have heard of the person through it.
    sent: bool,
}

/// Every job of an affiliate, in all lanes. The addresses that they speak of are added to `addresses`.
async fn jobs_of(context: &Context, organization: &str, id: &str, addresses: &mut Addresses) -> Result<Vec<JobOf>, ServiceError> {
    let filter = JobFilter { affiliate: Some(id.to_owned()), ..JobFilter::default() };
    let (mut jobs, mut before): (Vec<JobOf>, Option<String>) = (Vec::new(), None);
    loop {
        let page = context.store.jobs(organization, &filter, before.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(jobs) };
        before = Some(last.new.id.clone());
        for job in page {
            addresses.add(&job.new.who.email);
            if let Some(previous) = &job.new.who.previous_email {
                addresses.add(previous);
            }
            let sent = job.new.purpose == Purpose::Sync && job.attempts > 0;
            jobs.push(JobOf { running: job.state == JobState::Running, sent, id: job.new.id, lane: job.new.lane });
        }
    }
}

/// What is known of the person with any connection, disconnected ones and destinations that nobody names any more included. An address that
/// is another affiliate's by now is theirs, and what is known under it too.
async fn contacts_of(
    context: &Context,
    organization: &str,
    affiliate: &str,
    addresses: &Addresses,
) -> Result<Vec<(Connection, Contact)>, ServiceError> {
    let mut own = Vec::new();
    for address in addresses.iter() {
        let holder = records::affiliate_by_email(context, organization, address).await?;
        if holder.is_none_or(|holder| holder.value.id == affiliate) {
            own.push(address.to_owned());
        }
    }
    let mut contacts = Vec::new();
    for connection in records::all::<Connection>(context, organization).await? {
        let found = context.store.contacts(&connection.value.id, &own).await?;
        contacts.extend(found.into_iter().map(|contact| (connection.value.clone(), contact)));
    }
    Ok(contacts)
}

/// Forgets what is known of contacts under addresses that an affiliate had long ago and that are no longer remembered with them, because
/// there is room for a few only: nobody would find it again.
pub(crate) async fn forget_dropped(context: &Context, before: &Affiliate, after: &Affiliate) -> Result<(), ServiceError> {
    let kept = Addresses::of(after);
    let mut dropped = Addresses::default();
    before.former_emails.iter().filter(|former| !kept.has(former)).for_each(|former| dropped.add(former));
    if dropped == Addresses::default() {
        return Ok(());
    }
    let contacts = contacts_of(context, &after.organization, &after.id, &dropped).await?;
    let contacts: Vec<_> = contacts.into_iter().map(|(_, contact)| (contact.lane, contact.email)).collect();
    context.store.erase(&after.organization, &[], &contacts, Vec::new()).await?;
    Ok(())
}
