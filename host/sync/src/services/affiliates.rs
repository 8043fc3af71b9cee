//! Affiliates: created one by one, found by id or filter. One record per affiliate and campaign, told apart by the
//! normalised e-mail.

use crm_contract::types::Consent;

use super::records::{self, Paged, email_name};
use super::{ServiceError, Versioned, campaigns, email, form};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, normalise_email};
use crate::ids::new_id;

/// An affiliate as typed; blank values count as missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAffiliate {
    pub email: String,
    pub first: Option<String>,
    pub last: Option<String>,
    pub full: Option<String>,
    pub company: Option<String>,
    /// Referral slug, unique within the campaign.
    pub slug: Option<String>,
    pub consent: Option<Consent>,
}

/// Which affiliates to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AffiliateFilter {
    pub campaign: Option<String>,
    pub status: Option<AffiliateStatus>,
    /// In any spelling.
    pub email: Option<String>,
}

/// Creates a pending affiliate of a campaign. An e-mail that the campaign already has is [`ServiceError::Taken`].
pub async fn create(
    context: &Context,
    organization: &str,
    campaign: &str,
    new: NewAffiliate,
) -> Result<Versioned<Affiliate>, ServiceError> {
    match campaigns::get(context, organization, campaign).await {
        Err(ServiceError::NotFound(_)) => return Err(ServiceError::NotFound("campaign")),
        other => other?,
    };
    let affiliate = checked(organization, campaign, context.now(), new)?;
    if let Some(taken) = conflict(context, &affiliate).await? {
        return Err(taken);
    }
    let version = records::save(context, &affiliate, 0).await.map_err(records::taken_as("email"))?;
    Ok(Versioned { value: affiliate, version })
}

/// A new pending affiliate from what was typed, or what is wrong with it.
pub(crate) fn checked(organization: &str, campaign: &str, now: u64, new: NewAffiliate) -> Result<Affiliate, ServiceError> {
    let slug = match new.slug.as_deref().map(str::trim).filter(|s| !s.is_empty()) {
        Some(slug) => Some(form::slug("slug", slug)?),
        None => None,
    };
    Ok(Affiliate {
        id: new_id("aff", now),
        organization: organization.to_owned(),
        campaign: campaign.to_owned(),
        email: email::checked("email", &new.email)?,
        first: form::optional_line("first", new.first.as_deref(), 200)?,
        last: form::optional_line("last", new.last.as_deref(), 200)?,
        full: form::optional_line("full", new.full.as_deref(), 400)?,
        company: form::optional_line("company", new.company.as_deref(), 200)?,
        slug,
        status: AffiliateStatus::Pending,
        consent: check_consent(new.consent)?,
        approved: None,
        created: now,
    })
}

fn check_consent(consent: Option<Consent>) -> Result<Option<Consent>, ServiceError> {
    let Some(consent) = consent else { return Ok(None) };
    Ok(Some(Consent {
        at: consent.at,
        source: form::line("consent.source", &consent.source, 500)?,
        ip: form::optional_line("consent.ip", consent.ip.as_deref(), 64)?,
    }))
}

/// The names of a new affiliate that another one already holds.
pub(crate) async fn conflict(context: &Context, new: &Affiliate) -> Result<Option<ServiceError>, ServiceError> {
    let by_email = records::find::<Affiliate>(context, &new.organization, "email", &email_name(&new.campaign, &new.email)).await?;
    if let Some(other) = by_email {
        return Ok(Some(ServiceError::Taken { field: "email", by: other.value.id }));
    }
    if let Some(slug) = &new.slug {
        let name = records::slug_name(&new.campaign, slug);
        if let Some(other) = records::find::<Affiliate>(context, &new.organization, "slug", &name).await? {
            return Ok(Some(ServiceError::Taken { field: "slug", by: other.value.id }));
        }
    }
    Ok(None)
}

/// A page of affiliates, oldest first. A page may hold fewer than `limit` and still have a next one.
pub async fn list(
    context: &Context,
    organization: &str,
    filter: &AffiliateFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Affiliate>>, ServiceError> {
    if let Some(campaign) = &filter.campaign {
        campaigns::get(context, organization, campaign).await?;
    }
    let wanted = filter.email.as_deref().map(normalise_email);
    let keep = |a: &Affiliate| {
        filter.campaign.as_ref().is_none_or(|c| &a.campaign == c)
            && filter.status.is_none_or(|s| a.status == s)
            && wanted.as_ref().is_none_or(|e| &normalise_email(&a.email) == e)
    };
    if let (Some(campaign), Some(email)) = (&filter.campaign, &wanted) {
        // Both known: one look-up instead of a scan. There is one at most, so a cursor past it ends the list.
        let found = records::find::<Affiliate>(context, organization, "email", &email_name(campaign, email)).await?;
        let items = found.into_iter().filter(|a| keep(&a.value) && after.is_none_or(|id| a.value.id.as_str() > id)).collect();
        return Ok(Paged { items, next: None });
    }
    records::page(context, organization, after, limit, keep).await
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<Affiliate>, ServiceError> {
    records::load(context, organization, id).await
}
