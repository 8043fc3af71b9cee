//! Syncing again what is approved: everyone when a connection is new or its settings changed, some, or those that failed. Many wishes
//! for one contact make one job.

use std::collections::BTreeSet;

use crm_store::Ack;
use crm_store::model::{JobFilter, JobState};

use super::affiliate_lists::of_campaign;
use super::desk::Desk;
use super::{ServiceError, Versioned, affiliates, audit, campaigns, connections, person, records};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, Campaign};

/// Whom to sync again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every approved affiliate, of one campaign or all.
    All { campaign: Option<String> },
    /// These, in every campaign where they are approved. At most [`MOST_IDS`].
    Affiliates(Vec<String>),
    /// Those whose last sync into this connection failed, or whose tags could not be taken off.
    Failed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resynced {
    /// Memberships that were looked at.
    pub affiliates: u64,
    /// Jobs made.
    pub syncs: u64,
    /// Wishes that joined a job which was still waiting.
    pub folded: u64,
}

pub const MOST_IDS: usize = 1_000;
const BATCH: usize = 256;

/// Approved memberships of an organization: what a first sync of everyone would bring over. Counted up to `most`.
pub async fn approved(context: &Context, organization: &str, most: u64) -> Result<u64, ServiceError> {
    let mut count = 0;
    for campaign in records::all::<Campaign>(context, organization).await? {
        let mut after: Option<String> = None;
        loop {
            let page = of_campaign(context, organization, &campaign.value.id, &[AffiliateStatus::Approved], after.as_deref(), 500).await?;
            count += page.items.len() as u64;
            match page.next {
                Some(next) if count < most => after = Some(next),
                _ => break,
            }
        }
    }
    Ok(count.min(most))
}

/// Enqueues the syncs; they are on disk when this answers. When it breaks off, sending it again finishes the rest.
pub async fn run(context: &Context, organization: &str, connection: &str, scope: Scope) -> Result<Resynced, ServiceError> {
    connections::usable(context, organization, connection).await?;
    let desk = Desk::open(context, organization).await?;
    let mut done = Resynced::default();
    let word = match &scope {
        Scope::All { .. } => "all",
        Scope::Affiliates(_) => "affiliates",
        Scope::Failed => "failed",
    };
    let log = audit::entry(context, organization, "connection.resynced", connection, &[("scope", word.to_owned())])?;
    context.store.commit(vec![log], Vec::new()).await?;
    match scope {
        Scope::All { campaign: Some(campaign) } => {
            campaigns::get(context, organization, &campaign).await?;
            everyone(context, &desk, connection, &campaign, &mut done).await?;
        }
        Scope::All { campaign: None } => {
            for campaign in records::all::<Campaign>(context, organization).await? {
                everyone(context, &desk, connection, &campaign.value.id, &mut done).await?;
            }
        }
        Scope::Affiliates(ids) => {
            if ids.len() > MOST_IDS {
                return Err(ServiceError::invalid("affiliates", format!("at most {MOST_IDS} ids at once")));
            }
            let mut chosen = Vec::new();
            for id in ids.into_iter().collect::<BTreeSet<_>>() {
                chosen.push(affiliates::get(context, organization, &id).await?.value);
            }
            for batch in chosen.chunks(BATCH) {
                let wishes = batch.iter().flat_map(|a| a.campaigns.iter().map(move |m| (a, m.campaign.as_str()))).collect();
                enqueue(context, &desk, connection, wishes, false, &mut done).await?;
            }
        }
        Scope::Failed => failed(context, organization, &desk, connection, &mut done).await?,
    }
    Ok(done)
}

async fn everyone(context: &Context, desk: &Desk<'_>, connection: &str, campaign: &str, done: &mut Resynced) -> Result<(), ServiceError> {
    let mut after: Option<String> = None;
    loop {
        let organization = &desk.organization().id;
        let page = of_campaign(context, organization, campaign, &[AffiliateStatus::Approved], after.as_deref(), BATCH).await?;
        let wishes = page.items.iter().map(|Versioned { value, .. }| (value, campaign)).collect();
        enqueue(context, desk, connection, wishes, false, done).await?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Those that failed and have not been synced since.
async fn failed(context: &Context, organization: &str, desk: &Desk<'_>, connection: &str, done: &mut Resynced) -> Result<(), ServiceError> {
    let filter = JobFilter { lane: Some(connection.to_owned()), state: Some(JobState::Failed), ..JobFilter::default() };
    let mut before: Option<String> = None;
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    loop {
        let jobs = context.store.jobs(organization, &filter, before.as_deref(), BATCH).await?;
        let Some(last) = jobs.last() else { return Ok(()) };
        before = Some(last.new.id.clone());
        let mut chosen: Vec<(Affiliate, String)> = Vec::new();
        for job in jobs {
            if !seen.insert((job.new.affiliate.clone(), job.new.campaign.clone())) {
                continue;
            }
            let newest = JobFilter {
                lane: Some(connection.to_owned()),
                affiliate: Some(job.new.affiliate.clone()),
                campaign: Some(job.new.campaign.clone()),
                ..JobFilter::default()
            };
            let newest = context.store.jobs(organization, &newest, None, 1).await?;
            if newest.first().is_some_and(|n| n.state != JobState::Failed) {
                continue;
            }
            match affiliates::get(context, organization, &job.new.affiliate).await {
                Ok(affiliate) => chosen.push((affiliate.value, job.new.campaign)),
                Err(ServiceError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let wishes = chosen.iter().map(|(affiliate, campaign)| (affiliate, campaign.as_str())).collect();
        enqueue(context, desk, connection, wishes, true, done).await?;
    }
}

async fn enqueue(
    context: &Context,
    desk: &Desk<'_>,
    connection: &str,
    wishes: Vec<(&Affiliate, &str)>,
    failed: bool,
    done: &mut Resynced,
) -> Result<(), ServiceError> {
    let mut jobs = Vec::new();
    for (affiliate, campaign) in wishes {
        let made = if failed {
            desk.again(affiliate, campaign, connection).await?
        } else {
            desk.sync(affiliate, campaign, Some(connection)).await?
        };
        done.affiliates += u64::from(!made.is_empty());
        jobs.extend(made);
    }
    if jobs.is_empty() {
        return Ok(());
    }
    let people: BTreeSet<String> = jobs.iter().map(|job| job.affiliate.clone()).collect();
    for ack in context.store.commit(Vec::new(), jobs).await? {
        match ack {
            Ack::Enqueued => done.syncs += 1,
            Ack::Folded { .. } => done.folded += 1,
        }
    }
    // This write does not depend on the affiliates' records, so one of them may have been erased while it was made.
    for id in people {
        if let Err(ServiceError::NotFound(_)) = affiliates::get(context, &desk.organization().id, &id).await {
            person::erase::leftovers(context, &desk.organization().id, &id).await?;
        }
    }
    Ok(())
}
