//! Approval: the moment from which an affiliate belongs in the merchant's CRM. The affiliate's new status and one sync
//! job per connection are one write, so neither exists without the other.

use std::collections::HashMap;

use crm_contract::types::Person;
use crm_store::StoreError;
use crm_store::model::{NewJob, Purpose};

use super::records::{self, Versioned, email_name, put};
use super::{ServiceError, campaigns};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, Campaign, Connection, normalise_email, wanted_tags};
use crate::ids::new_id;

/// What an approval did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approved {
    pub approved: u64,
    /// Were approved before; nothing was done for them.
    pub already: u64,
    /// Sync jobs made.
    pub syncs: u64,
    /// Wishes that joined a job which was still waiting for the same contact.
    pub folded: u64,
}

/// Whom to approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// These, whatever their status. At most [`MOST_IDS`].
    Ids(Vec<String>),
    /// Every pending affiliate of a campaign.
    AllOf { campaign: String },
}

pub const MOST_IDS: usize = 1_000;

/// Affiliates in one write. With their jobs it stays a small batch even for a merchant with many connections.
const BATCH: usize = 64;

/// Approves. Batches are written one after the other: when a later one fails, the earlier ones stay, and repeating the
/// call finishes the rest.
pub async fn approve(context: &Context, organization: &str, whom: Whom) -> Result<Approved, ServiceError> {
    let desk = Desk::open(context, organization).await?;
    let mut done = Approved::default();
    match whom {
        Whom::Ids(mut ids) => {
            if ids.len() > MOST_IDS {
                return Err(ServiceError::invalid("ids", format!("at most {MOST_IDS} ids at once")));
            }
            ids.sort();
            ids.dedup();
            // All must exist before any is approved.
            let mut affiliates = Vec::with_capacity(ids.len());
            for id in &ids {
                affiliates.push(records::load::<Affiliate>(context, organization, id).await?);
            }
            for batch in affiliates.chunks(BATCH) {
                desk.write(batch.to_vec(), false, &mut done).await?;
            }
        }
        Whom::AllOf { campaign } => {
            campaigns::get(context, organization, &campaign).await?;
            let mut after: Option<String> = None;
            loop {
                let keep = |a: &Affiliate| a.campaign == campaign && a.status == AffiliateStatus::Pending;
                let page = records::page(context, organization, after.as_deref(), BATCH, keep).await?;
                desk.write(page.items, true, &mut done).await?;
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
    }
    Ok(done)
}

/// What every approval of one request needs, read once.
struct Desk<'a> {
    context: &'a Context,
    organization: &'a str,
    connections: Vec<Connection>,
    campaigns: HashMap<String, Campaign>,
}

impl<'a> Desk<'a> {
    async fn open(context: &'a Context, organization: &'a str) -> Result<Self, ServiceError> {
        let connections = records::all::<Connection>(context, organization).await?;
        let connections = connections.into_iter().map(|c| c.value).filter(Connection::takes_jobs).collect();
        let campaigns = records::all::<Campaign>(context, organization).await?;
        let campaigns = campaigns.into_iter().map(|c| (c.value.id.clone(), c.value)).collect();
        Ok(Self { context, organization, connections, campaigns })
    }

    /// Approves one batch in one write; read again and tried anew when someone else changed one of them meanwhile.
    async fn write(&self, mut batch: Vec<Versioned<Affiliate>>, only_pending: bool, done: &mut Approved) -> Result<(), ServiceError> {
        for _ in 0..records::RACES {
            let (open, closed): (Vec<_>, Vec<_>) = batch.into_iter().partition(|a| match a.value.status {
                AffiliateStatus::Approved => false,
                AffiliateStatus::Pending => true,
                _ => !only_pending,
            });
            let now = self.context.now();
            let (mut puts, mut jobs) = (Vec::with_capacity(open.len()), Vec::new());
            for Versioned { value, version } in &open {
                let mut affiliate = value.clone();
                affiliate.status = AffiliateStatus::Approved;
                affiliate.approved = Some(now);
                jobs.extend(self.jobs(&affiliate, now).await?);
                puts.push(put(&affiliate, *version)?);
            }
            let (approved, made) = (puts.len() as u64, jobs.len() as u64);
            let acks = match self.context.store.commit(puts, jobs).await {
                Ok(acks) => acks,
                Err(StoreError::Conflict) => {
                    batch = self.read_again(open, closed).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let folded = acks.iter().filter(|ack| matches!(ack, crm_store::Ack::Folded { .. })).count() as u64;
            done.approved += approved;
            done.already += closed.iter().filter(|a| a.value.status == AffiliateStatus::Approved).count() as u64;
            done.syncs += made - folded.min(made);
            done.folded += folded;
            return Ok(());
        }
        Err(ServiceError::Changed)
    }

    async fn read_again(
        &self,
        open: Vec<Versioned<Affiliate>>,
        closed: Vec<Versioned<Affiliate>>,
    ) -> Result<Vec<Versioned<Affiliate>>, ServiceError> {
        let mut batch = closed;
        for stale in open {
            batch.push(records::load(self.context, self.organization, &stale.value.id).await?);
        }
        Ok(batch)
    }

    /// One job per connection.
    async fn jobs(&self, affiliate: &Affiliate, now: u64) -> Result<Vec<NewJob>, ServiceError> {
        let extras = self.campaigns.get(&affiliate.campaign).map_or(&[][..], |c| c.extra_tags.as_slice());
        let everywhere = self.extras_everywhere(affiliate).await?;
        let email = normalise_email(&affiliate.email);
        let who = person(affiliate);
        Ok(self
            .connections
            .iter()
            .map(|connection| NewJob {
                id: new_id("job", now),
                organization: self.organization.to_owned(),
                lane: connection.id.clone(),
                campaign: affiliate.campaign.clone(),
                affiliate: affiliate.id.clone(),
                purpose: Purpose::Sync,
                dedupe: format!("{}/{}/{email}", connection.id, affiliate.campaign),
                exclusive: connection.exclusive_key(&email),
                due: now,
                created: now,
                who: who.clone(),
                set: wanted_tags(&connection.default_tags, extras),
                clear: Vec::new(),
                all: wanted_tags(&connection.default_tags, &everywhere),
            })
            .collect())
    }

    /// The extra tags of every campaign in which this person is approved, this one included.
    async fn extras_everywhere(&self, affiliate: &Affiliate) -> Result<Vec<String>, ServiceError> {
        let mut extras = Vec::new();
        let mut campaigns: Vec<&Campaign> = self.campaigns.values().collect();
        campaigns.sort_by(|a, b| a.id.cmp(&b.id));
        for campaign in campaigns {
            let here = campaign.id == affiliate.campaign;
            // A campaign without tags of its own changes nothing, whoever is in it.
            if campaign.extra_tags.is_empty() {
                continue;
            }
            let approved = here || {
                let name = email_name(&campaign.id, &affiliate.email);
                let other = records::find::<Affiliate>(self.context, self.organization, "email", &name).await?;
                other.is_some_and(|a| a.value.status == AffiliateStatus::Approved)
            };
            if approved {
                extras.extend(campaign.extra_tags.iter().cloned());
            }
        }
        Ok(extras)
    }
}

/// The affiliate as a connector sees them: blank values are missing.
pub fn person(affiliate: &Affiliate) -> Person {
    let filled = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    Person {
        email: affiliate.email.trim().to_owned(),
        previous_email: None,
        first: filled(&affiliate.first),
        last: filled(&affiliate.last),
        full: filled(&affiliate.full),
        company: filled(&affiliate.company),
        approved_at: affiliate.approved.unwrap_or(affiliate.created) / 1_000,
        consent: affiliate.consent.clone(),
        fields: Vec::new(),
    }
}
