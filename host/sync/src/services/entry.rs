//! How somebody comes into a campaign: one write of the affiliate, its jobs, its line in the audit log, and what else belongs to it.

use crm_store::model::{NewJob, Put};

use super::affiliates::{NewAffiliate, checked, ensure_slug, refused, slug_holder};
use super::desk::Desk;
use super::membership::{self, Moved};
use super::{ServiceError, audit, records};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, Source};

/// Puts for the id of the affiliate that they go with.
pub type With<'a> = dyn Fn(&str) -> Result<Vec<Put>, ServiceError> + Sync + 'a;

/// Somebody who comes in by a page.
pub struct Newcomer<'a> {
    pub campaign: &'a str,
    pub new: NewAffiliate,
    /// An invited person is known by the invitation; who comes from anywhere else may be anybody.
    pub source: Source,
    pub status: AffiliateStatus,
    /// Written in the same commit, whatever comes of it: a newcomer who was in the campaign before leaves a trace too.
    pub with: &'a With<'a>,
}

/// What came of somebody's wish to be in a campaign.
#[derive(Clone, Debug, PartialEq)]
pub enum Welcome {
    /// In the campaign now, with this status.
    In { affiliate: String, status: AffiliateStatus },
    /// Was in it before; nothing changed.
    Already { affiliate: String },
}

/// Somebody comes in by a page: a new affiliate, or one that the organization knows already (whose blanks are filled and whose
/// values stay). Who was invited to be approved and waits already is approved. Never tell the person at the page which it was: that would
/// say who is known here. For the same reason both ways end with a write and have looked at as much.
pub async fn welcome(context: &Context, organization: &str, newcomer: Newcomer<'_>) -> Result<Welcome, ServiceError> {
    let Newcomer { campaign, new, source, status, with } = newcomer;
    let mut fresh = checked(organization, context.now(), new, source)?;
    let action = if source == Source::Invite { "affiliate.accepted" } else { "affiliate.applied" };
    for _ in 0..records::RACES {
        let found = records::affiliate_by_email(context, organization, &fresh.email).await?;
        if slug_holder(context, &fresh).await?.is_some() {
            // A wish for a link that somebody has is no reason to turn an applicant away.
            fresh.slug = None;
        }
        let (mut affiliate, version) = match found {
            Some(found) => {
                let mut known = found.value;
                fill(&mut known, &fresh);
                (known, found.version)
            }
            None => (fresh.clone(), 0),
        };
        let id = affiliate.id.clone();
        let before = affiliate.membership(campaign).map(|m| m.status);
        let vouched = source == Source::Invite && status == AffiliateStatus::Approved;
        let written = match before {
            None => enter(context, &mut affiliate, version, campaign, status, action, with(&id)?).await.map(|_| true),
            Some(AffiliateStatus::Pending) if vouched => {
                let moved = membership::set_status(&mut affiliate, campaign, status, None, context.now());
                write(context, &mut affiliate, version, moved, action, with(&id)?).await
            }
            Some(_) => again(context, &fresh, &id, (campaign, status), with(&id)?).await.map(|()| false),
        };
        match written {
            Ok(true) => return Ok(Welcome::In { affiliate: id, status }),
            Ok(false) => return Ok(Welcome::Already { affiliate: id }),
            Err(ServiceError::Changed | ServiceError::Taken { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ServiceError::Changed)
}

/// Writes an affiliate that enters a campaign, with all that follows from it. `false` = was in it already, and nothing was written.
pub(crate) async fn enter(
    context: &Context,
    affiliate: &mut Affiliate,
    version: u64,
    campaign: &str,
    status: AffiliateStatus,
    action: &str,
    with: Vec<Put>,
) -> Result<bool, ServiceError> {
    let moved = membership::join(affiliate, campaign, status, context.now())?;
    write(context, affiliate, version, moved, action, with).await
}

async fn write(
    context: &Context,
    affiliate: &mut Affiliate,
    version: u64,
    moved: Option<Moved>,
    action: &str,
    with: Vec<Put>,
) -> Result<bool, ServiceError> {
    let Some(moved) = moved else { return Ok(false) };
    let jobs = follows(context, affiliate, &moved).await?;
    let log = audit::entry(context, &affiliate.organization, action, &affiliate.id, &[("campaign", moved.campaign)])?;
    let mut puts = vec![records::put(affiliate, version)?, log];
    puts.extend(with);
    match context.store.commit(puts, jobs).await {
        Ok(_) => Ok(true),
        Err(error) => Err(refused(error)),
    }
}

/// The jobs of a move. An affiliate who is approved gets a slug.
async fn follows(context: &Context, affiliate: &mut Affiliate, moved: &Moved) -> Result<Vec<NewJob>, ServiceError> {
    if moved.to == AffiliateStatus::Approved {
        ensure_slug(context, affiliate, &|_| false).await?;
    }
    Desk::open(context, &affiliate.organization).await?.moved(affiliate, moved).await
}

/// Somebody who was in the campaign before wants to come in: nothing changes but the audit log. As much is looked up and worked out as for
/// somebody new, and thrown away, so that the time an answer takes says nothing.
async fn again(
    context: &Context,
    fresh: &Affiliate,
    known: &str,
    (campaign, status): (&str, AffiliateStatus),
    mut puts: Vec<Put>,
) -> Result<(), ServiceError> {
    let action = if fresh.source == Source::Invite { "affiliate.accepted" } else { "affiliate.applied_again" };
    let mut stand_in = fresh.clone();
    if let Some(moved) = membership::join(&mut stand_in, campaign, status, context.now())? {
        follows(context, &mut stand_in, &moved).await?;
    }
    puts.push(audit::entry(context, &fresh.organization, action, known, &[("campaign", campaign.to_owned())])?);
    context.store.commit(puts, Vec::new()).await?;
    Ok(())
}

/// Fills what is blank with what somebody says of themselves; what is there stays.
pub(crate) fn fill(known: &mut Affiliate, fresh: &Affiliate) {
    let name_known = known.first.is_some() || known.last.is_some() || known.full.is_some();
    if !name_known {
        (known.first, known.last, known.full) = (fresh.first.clone(), fresh.last.clone(), fresh.full.clone());
    }
    for (have, said) in [
        (&mut known.company, &fresh.company),
        (&mut known.website, &fresh.website),
        (&mut known.promotes, &fresh.promotes),
        (&mut known.coupon, &fresh.coupon),
    ] {
        if have.is_none() {
            have.clone_from(said);
        }
    }
    if known.consent.is_none() {
        known.consent.clone_from(&fresh.consent);
    }
}
