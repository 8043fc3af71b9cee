//! From a change of an affiliate to the jobs it makes: which connections hear of it, with which tags, fields and address. Everything
//! it needs of the organization is read once, so that approving many costs a few reads in all.

use std::collections::HashMap;
use std::sync::Arc;

use crm_catalog::model::Manifest;
use crm_contract::types::Person;
use crm_store::model::{Kind, NewJob, Purpose};

use super::events::{AffiliateEvent, Event};
use super::membership::Moved;
use super::{ServiceError, events, fields, records};
use crate::context::Context;
use crate::domain::{
    Affiliate, AffiliateStatus, Campaign, Connection, FieldMapping, Membership, Organization, Override, holds_tag, normalise_email,
    override_id, wanted_tags,
};
use crate::ids::new_id;

/// An organization's connections and campaigns, as they were when it was opened.
pub struct Desk<'a> {
    context: &'a Context,
    organization: Organization,
    connections: Vec<(Connection, Option<Arc<Manifest>>)>,
    campaigns: HashMap<String, Campaign>,
    overrides: HashMap<String, Override>,
}

impl<'a> Desk<'a> {
    pub async fn open(context: &'a Context, organization: &str) -> Result<Self, ServiceError> {
        let organization = match context.load::<Organization>(organization, Kind::Organization, organization).await? {
            Some((organization, _)) => organization,
            None => return Err(ServiceError::NotFound("organization")),
        };
        let connections = records::all::<Connection>(context, &organization.id).await?;
        let connections = connections.into_iter().map(|c| c.value).filter(Connection::takes_jobs);
        let connections = connections.map(|c| {
            let manifest = context.version_of(&c).map(|(_, manifest)| manifest);
            (c, manifest)
        });
        let connections = connections.collect();
        let campaigns = records::all::<Campaign>(context, &organization.id).await?;
        let campaigns = campaigns.into_iter().map(|c| (c.value.id.clone(), c.value)).collect();
        let overrides = records::all::<Override>(context, &organization.id).await?;
        let overrides = overrides.into_iter().map(|o| (o.value.id.clone(), o.value)).collect();
        Ok(Self { context, organization, connections, campaigns, overrides })
    }

    pub fn organization(&self) -> &Organization {
        &self.organization
    }

    pub fn campaign(&self, id: &str) -> Option<&Campaign> {
        self.campaigns.get(id)
    }

    pub fn over(&self, campaign: &str, connection: &str) -> Option<&Override> {
        self.overrides.get(&override_id(campaign, connection))
    }

    /// The jobs and the webhooks that one change of status makes. `affiliate` is as it is after the change.
    pub async fn moved(&self, affiliate: &Affiliate, moved: &Moved) -> Result<Vec<NewJob>, ServiceError> {
        let mut jobs = match moved.to {
            AffiliateStatus::Approved => self.sync(affiliate, &moved.campaign, None).await?,
            _ if moved.known => self.leave(affiliate, moved).await?,
            _ => Vec::new(),
        };
        let what = match (moved.from, moved.to) {
            (_, AffiliateStatus::Approved) => AffiliateEvent::Approved,
            (_, AffiliateStatus::Pending) => AffiliateEvent::Applied,
            (_, AffiliateStatus::Rejected) => AffiliateEvent::Rejected,
            (_, AffiliateStatus::Paused) => AffiliateEvent::Paused,
            (_, AffiliateStatus::Removed) => AffiliateEvent::Removed,
        };
        let campaign = moved.campaign.clone();
        let event = Event::Affiliate { what, affiliate: Box::new(affiliate.clone()), campaign };
        jobs.extend(events::outbox(self.context, &self.organization.id, &[event]).await?);
        Ok(jobs)
    }

    /// Brings an approved affiliate of this campaign into every connection, or into `only` one.
    pub async fn sync(&self, affiliate: &Affiliate, campaign: &str, only: Option<&str>) -> Result<Vec<NewJob>, ServiceError> {
        let Some((membership, _)) = self.of(affiliate, campaign).filter(|(m, _)| m.status == AffiliateStatus::Approved) else {
            return Ok(Vec::new());
        };
        let mut jobs = Vec::new();
        for (connection, _) in self.connections.iter().filter(|(c, _)| only.is_none_or(|id| id == c.id)) {
            if self.over(campaign, &connection.id).is_some_and(|o| o.off) {
                continue;
            }
            let set = self.given(connection, campaign);
            let all = self.wanted(connection, affiliate);
            jobs.push(self.job(affiliate, membership, connection, Purpose::Sync, (set, Vec::new(), all)).await?);
        }
        Ok(jobs)
    }

    /// Takes the tags off that this campaign gave and no other one gives, where the merchant wants it so. Where the status that was left took
    /// them off already, nothing is left to do.
    async fn leave(&self, affiliate: &Affiliate, moved: &Moved) -> Result<Vec<NewJob>, ServiceError> {
        let mut jobs = Vec::new();
        for (connection, manifest) in &self.connections {
            let done = moved.from.is_some_and(|from| from != AffiliateStatus::Approved && connection.untag_on.contains(&from));
            if !done {
                jobs.extend(self.untag(affiliate, &moved.campaign, connection, manifest.as_deref()).await?);
            }
        }
        Ok(jobs)
    }

    /// What one connection should have heard of a membership, once more: the sync of one that is approved, the taking off of one that was.
    pub async fn again(&self, affiliate: &Affiliate, campaign: &str, only: &str) -> Result<Vec<NewJob>, ServiceError> {
        let mut jobs = self.sync(affiliate, campaign, Some(only)).await?;
        let known = affiliate.membership(campaign).is_some_and(|m| m.approved.is_some());
        for (connection, manifest) in self.connections.iter().filter(|(c, _)| known && c.id == only) {
            jobs.extend(self.untag(affiliate, campaign, connection, manifest.as_deref()).await?);
        }
        Ok(jobs)
    }

    async fn untag(
        &self,
        affiliate: &Affiliate,
        campaign: &str,
        connection: &Connection,
        manifest: Option<&Manifest>,
    ) -> Result<Option<NewJob>, ServiceError> {
        let Some((membership, _)) = self.of(affiliate, campaign) else { return Ok(None) };
        let gone = membership.status != AffiliateStatus::Approved && connection.untag_on.contains(&membership.status);
        if !gone || manifest.is_some_and(|m| !m.supports.untag) {
            return Ok(None);
        }
        let all = self.wanted(connection, affiliate);
        let clear: Vec<String> = self.given(connection, campaign).into_iter().filter(|tag| !holds_tag(&all, tag)).collect();
        if clear.is_empty() {
            return Ok(None);
        }
        self.job(affiliate, membership, connection, Purpose::Untag, (Vec::new(), clear, all)).await.map(Some)
    }

    fn of<'b>(&'b self, affiliate: &'b Affiliate, campaign: &str) -> Option<(&'b Membership, &'b Campaign)> {
        Some((affiliate.membership(campaign)?, self.campaigns.get(campaign)?))
    }

    /// The tags that a campaign gives on a connection.
    fn given(&self, connection: &Connection, campaign: &str) -> Vec<String> {
        given(connection, self.campaigns.get(campaign), self.over(campaign, &connection.id))
    }

    /// The tags that all campaigns together give on a connection.
    fn wanted(&self, connection: &Connection, affiliate: &Affiliate) -> Vec<String> {
        let counting = affiliate.campaigns.iter().filter(|m| gives(connection, m) && self.campaigns.contains_key(&m.campaign));
        together(connection, counting.map(|m| (self.campaigns.get(&m.campaign), self.over(&m.campaign, &connection.id))))
    }

    async fn job(
        &self,
        affiliate: &Affiliate,
        membership: &Membership,
        connection: &Connection,
        purpose: Purpose,
        (set, clear, all): (Vec<String>, Vec<String>, Vec<String>),
    ) -> Result<NewJob, ServiceError> {
        let now = self.context.now();
        let campaign = &membership.campaign;
        let scope = self.over(campaign, &connection.id).map(Override::scope).unwrap_or_default();
        let mut who = self.who(affiliate, campaign, connection);
        who.previous_email = self.previous_email(affiliate, connection, &scope).await?;
        Ok(NewJob {
            campaign: campaign.clone(),
            affiliate: affiliate.id.clone(),
            dedupe: format!("{}/{campaign}/{}", connection.id, affiliate.id),
            exclusive: connection.exclusive_key(&normalise_email(&affiliate.email)),
            who,
            set,
            clear,
            all,
            scope,
            ..NewJob::new(new_id("job", now), &self.organization.id, &connection.id, purpose, now)
        })
    }

    /// The address under which the vendor last knew the contact, when it is not the present one. An address that is another affiliate's by now
    /// leads to that one's contact.
    async fn previous_email(&self, affiliate: &Affiliate, connection: &Connection, scope: &str) -> Result<Option<String>, ServiceError> {
        // Nearly everybody: nothing to look up for them.
        if affiliate.former_emails.is_empty() {
            return Ok(None);
        }
        let lane = crm_store::model::contact_lane(&connection.id, scope);
        let (mut free, mut newest) = (None, None);
        for address in affiliate.former_emails.iter().chain([&affiliate.email]) {
            if another_has(self.context, &self.organization.id, &affiliate.id, address).await? {
                continue;
            }
            free = free.or(Some(address));
            if let Some(contact) = self.context.store.contact(&lane, &normalise_email(address)).await? {
                newest = newest.max(Some((contact.updated, address)));
            }
        }
        // Nothing is known of any: a sync under the last one may still be under way.
        let there = newest.map(|(_, address)| address).or(free);
        Ok(there.filter(|address| **address != affiliate.email).cloned())
    }

    /// The affiliate as a sync of this campaign would show them to a connector.
    pub fn who(&self, affiliate: &Affiliate, campaign: &str, connection: &Connection) -> Person {
        let Some(membership) = affiliate.membership(campaign) else { return Person::default() };
        let mut who = person(affiliate, membership);
        if let Some(campaign) = self.campaigns.get(campaign) {
            let mapping = self.mapping(&campaign.id, connection);
            who.fields = fields::values(&mapping, &self.organization, campaign, affiliate, membership);
        }
        who
    }

    /// The mapping in force for a campaign on a connection, and whose each entry is.
    pub fn mapping(&self, campaign: &str, connection: &Connection) -> Vec<(FieldMapping, bool)> {
        fields::effective(connection, self.over(campaign, &connection.id))
    }
}

fn given(connection: &Connection, campaign: Option<&Campaign>, over: Option<&Override>) -> Vec<String> {
    let mut extras = campaign.map(|c| c.extra_tags.clone()).unwrap_or_default();
    extras.extend(over.into_iter().flat_map(|o| o.extra_tags.iter().cloned()));
    wanted_tags(&connection.default_tags, &extras)
}

/// Whether an affiliate's membership puts its campaign's tags on the contacts of a connection: while approved, and after that where the
/// merchant leaves the tags on.
fn gives(connection: &Connection, membership: &Membership) -> bool {
    match membership.status {
        AffiliateStatus::Approved => true,
        AffiliateStatus::Pending => false,
        left => membership.approved.is_some() && !connection.untag_on.contains(&left),
    }
}

/// Whether an address is some other affiliate's.
pub(crate) async fn another_has(context: &Context, organization: &str, affiliate: &str, address: &str) -> Result<bool, ServiceError> {
    let holder = records::affiliate_by_email(context, organization, address).await?;
    Ok(holder.is_some_and(|holder| holder.value.id != affiliate))
}

/// Every tag that a person's campaigns give on a connection, as things stand: a job that was made before another campaign's change must not
/// undo that one.
pub(crate) async fn wanted_now(context: &Context, connection: &Connection, affiliate: &Affiliate) -> Result<Vec<String>, ServiceError> {
    let mut counting = Vec::new();
    for membership in affiliate.campaigns.iter().filter(|m| gives(connection, m)) {
        let campaign = context.load::<Campaign>(&connection.organization, Kind::Campaign, &membership.campaign).await?;
        let over = override_id(&membership.campaign, &connection.id);
        let over = context.load::<Override>(&connection.organization, Kind::Override, &over).await?;
        counting.push((campaign.map(|(c, _)| c), over.map(|(o, _)| o)));
    }
    Ok(together(connection, counting.iter().map(|(campaign, over)| (campaign.as_ref(), over.as_ref()))))
}

/// What these campaigns give on a connection, without repeats; those that are switched off there give nothing.
fn together<'a>(connection: &Connection, campaigns: impl Iterator<Item = (Option<&'a Campaign>, Option<&'a Override>)>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (campaign, over) in campaigns.filter(|(_, over)| over.is_none_or(|o| !o.off)) {
        for tag in given(connection, campaign, over) {
            if !holds_tag(&all, &tag) {
                all.push(tag);
            }
        }
    }
    all
}

/// The affiliate as a connector sees them: blank values are missing.
pub fn person(affiliate: &Affiliate, membership: &Membership) -> Person {
    let filled = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    Person {
        email: affiliate.email.trim().to_owned(),
        previous_email: None,
        first: filled(&affiliate.first),
        last: filled(&affiliate.last),
        full: filled(&affiliate.full),
        company: filled(&affiliate.company),
        approved_at: membership.approved.unwrap_or(membership.joined) / 1_000,
        consent: affiliate.consent.clone(),
        fields: Vec::new(),
    }
}
