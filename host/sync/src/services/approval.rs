//! Approving, pausing, removing and rejecting, one or many. The new status, the sync jobs and the webhooks it makes, and its line in the
//! audit log are one write: none of them exists without the others.

use std::collections::HashSet;

use crm_store::model::Put;
use crm_store::{Ack, StoreError};

use super::desk::Desk;
use super::membership::{Moved, set_status, usual};
use super::records::{self, Versioned};
use super::{ServiceError, affiliate_lists, affiliates, audit, campaigns, form};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus};

/// What a change of many did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Memberships that have the status now and had another before.
    pub changed: u64,
    /// Had it before, or are not in the campaign: nothing was done for them.
    pub already: u64,
    /// Sync and untag jobs made.
    pub syncs: u64,
    /// Wishes that joined a job which was still waiting for the same contact.
    pub folded: u64,
}

/// Whom to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// These, in one campaign whatever their status there; without a campaign, in every campaign where they have a status from which the change
    /// usually starts (and where they are in one campaign only, in that one). At most [`MOST_IDS`].
    Ids { ids: Vec<String>, campaign: Option<String> },
    /// Everyone in the campaign with one of these statuses; none = those from which the change usually starts.
    AllOf { campaign: String, statuses: Vec<AffiliateStatus> },
}

/// A change of status and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub to: AffiliateStatus,
    /// Shown to the merchant later; never sent to a vendor.
    pub reason: Option<String>,
}

pub const MOST_IDS: usize = 1_000;

/// Affiliates in one write. With their jobs it stays a small batch even for a merchant with many connections.
const BATCH: usize = 64;

/// Changes the status of many. Batches are written one after the other: when a later one fails, the earlier ones stay, and repeating the
/// call finishes the rest.
pub async fn change(context: &Context, organization: &str, whom: Whom, order: Order) -> Result<Changed, ServiceError> {
    if order.to == AffiliateStatus::Pending {
        return Err(ServiceError::invalid("status", "nobody can be made pending again"));
    }
    let order = Order { reason: form::optional_line("reason", order.reason.as_deref(), 300)?, ..order };
    let desk = Desk::open(context, organization).await?;
    let mut done = Changed::default();
    match whom {
        Whom::Ids { mut ids, campaign } => {
            if ids.len() > MOST_IDS {
                return Err(ServiceError::invalid("ids", format!("at most {MOST_IDS} ids at once")));
            }
            if let Some(id) = &campaign {
                campaigns::get(context, organization, id).await?;
            }
            ids.sort();
            ids.dedup();
            // All must exist before any is changed.
            let mut affiliates = Vec::with_capacity(ids.len());
            for id in &ids {
                affiliates.push(records::load::<Affiliate>(context, organization, id).await?);
            }
            let only = Only { campaign: campaign.as_deref(), statuses: None };
            for batch in affiliates.chunks(BATCH) {
                write(&desk, context, batch.to_vec(), &order, &only, &mut done).await?;
            }
        }
        Whom::AllOf { campaign, statuses } => {
            campaigns::get(context, organization, &campaign).await?;
            let statuses: Vec<AffiliateStatus> = if statuses.is_empty() { usual(order.to).to_vec() } else { statuses };
            let statuses: Vec<AffiliateStatus> = statuses.into_iter().filter(|s| *s != order.to).collect();
            let only = Only { campaign: Some(&campaign), statuses: Some(&statuses) };
            let mut after: Option<String> = None;
            loop {
                let page = affiliate_lists::of_campaign(context, organization, &campaign, &statuses, after.as_deref(), BATCH).await?;
                write(&desk, context, page.items, &order, &only, &mut done).await?;
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
    }
    Ok(done)
}

struct Only<'a> {
    campaign: Option<&'a str>,
    statuses: Option<&'a [AffiliateStatus]>,
}

impl Only<'_> {
    /// The campaigns in which this affiliate is meant.
    fn of(&self, affiliate: &Affiliate, to: AffiliateStatus) -> Vec<String> {
        let fits = |m: &&crate::domain::Membership| match (self.campaign, self.statuses) {
            (Some(campaign), Some(statuses)) => m.campaign == campaign && statuses.contains(&m.status),
            (Some(campaign), None) => m.campaign == campaign,
            (None, _) => affiliate.campaigns.len() == 1 || usual(to).contains(&m.status),
        };
        affiliate.campaigns.iter().filter(fits).map(|m| m.campaign.clone()).collect()
    }
}

/// Changes one batch in one write; read again and tried anew when someone else changed one of them meanwhile.
async fn write(
    desk: &Desk<'_>,
    context: &Context,
    mut batch: Vec<Versioned<Affiliate>>,
    order: &Order,
    only: &Only<'_>,
    done: &mut Changed,
) -> Result<(), ServiceError> {
    let organization = desk.organization().id.clone();
    for _ in 0..records::RACES {
        let (mut puts, mut jobs) = (Vec::<Put>::new(), Vec::new());
        let (mut changed, mut already) = (0, 0);
        let mut slugs: HashSet<String> = HashSet::new();
        let now = context.now();
        for Versioned { value, version } in &batch {
            let mut affiliate = value.clone();
            let meant = only.of(&affiliate, order.to);
            let moves: Vec<Moved> =
                meant.iter().filter_map(|campaign| set_status(&mut affiliate, campaign, order.to, order.reason.clone(), now)).collect();
            if moves.is_empty() {
                already += 1;
                continue;
            }
            if order.to == AffiliateStatus::Approved {
                affiliates::ensure_slug(context, &mut affiliate, &|slug| slugs.contains(slug)).await?;
                slugs.extend(affiliate.slug.as_deref().map(records::slug_name));
            }
            for moved in &moves {
                changed += 1;
                jobs.extend(desk.moved(&affiliate, moved).await?);
                let action = format!("affiliate.{}", order.to.word());
                puts.push(audit::entry(context, &organization, &action, &affiliate.id, &[("campaign", moved.campaign.clone())])?);
            }
            puts.push(records::put(&affiliate, *version)?);
        }
        if puts.is_empty() {
            done.already += already;
            return Ok(());
        }
        let webhooks = jobs.iter().map(|job| job.payload.is_some()).collect::<Vec<_>>();
        match context.store.commit(puts, jobs).await {
            Ok(acks) => {
                for (ack, webhook) in acks.iter().zip(webhooks) {
                    match ack {
                        _ if webhook => {}
                        Ack::Enqueued => done.syncs += 1,
                        Ack::Folded { .. } => done.folded += 1,
                    }
                }
                done.changed += changed;
                done.already += already;
                return Ok(());
            }
            // A slug that somebody else took in between is made anew with the next round.
            Err(StoreError::Conflict | StoreError::Taken { .. }) => batch = read_again(context, &organization, batch).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

async fn read_again(
    context: &Context,
    organization: &str,
    stale: Vec<Versioned<Affiliate>>,
) -> Result<Vec<Versioned<Affiliate>>, ServiceError> {
    let mut batch = Vec::with_capacity(stale.len());
    for old in stale {
        match records::load(context, organization, &old.value.id).await {
            Ok(affiliate) => batch.push(affiliate),
            // Erased meanwhile.
            Err(ServiceError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(batch)
}
