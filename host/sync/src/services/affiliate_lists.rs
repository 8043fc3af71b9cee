//! Lists of affiliates, oldest first: by campaign and status through an index, by e-mail or slug through their unique names, else by a scan
//! that is bounded per page.

use super::affiliates::AffiliateFilter;
use super::records::{self, IN, Paged, in_prefix};
use super::{ServiceError, Versioned, campaigns};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, normalise_email};

pub(super) async fn page(
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
    let slug = filter.slug.as_deref().map(records::slug_name);
    let keep = |a: &Affiliate| {
        let fits = |m: &crate::domain::Membership| {
            filter.campaign.as_ref().is_none_or(|c| &m.campaign == c) && filter.status.is_none_or(|s| m.status == s)
        };
        ((filter.campaign.is_none() && filter.status.is_none()) || a.campaigns.iter().any(fits))
            && wanted.as_ref().is_none_or(|e| &normalise_email(&a.email) == e)
            && slug.as_ref().is_none_or(|s| a.slug.as_deref().map(records::slug_name).as_ref() == Some(s))
    };
    let named = match (&wanted, &slug) {
        (Some(email), _) => Some(("email", email)),
        (None, Some(slug)) => Some(("slug", slug)),
        (None, None) => None,
    };
    if let Some((namespace, name)) = named {
        // There is one at most, so a cursor past it ends the list.
        let found = records::find::<Affiliate>(context, organization, namespace, name).await?;
        let items = found.into_iter().filter(|a| keep(&a.value) && after.is_none_or(|id| a.value.id.as_str() > id)).collect();
        return Ok(Paged { items, next: None });
    }
    match &filter.campaign {
        Some(campaign) => {
            let one = filter.status.map(|status| [status]);
            let statuses = one.as_ref().map_or(AffiliateStatus::ALL.as_slice(), |status| status.as_slice());
            of_campaign(context, organization, campaign, statuses, after, limit).await
        }
        None => records::page(context, organization, after, limit, keep).await,
    }
}

/// The affiliates of a campaign that have one of these statuses: a merge of one sorted range per status.
pub(crate) async fn of_campaign(
    context: &Context,
    organization: &str,
    campaign: &str,
    statuses: &[AffiliateStatus],
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Affiliate>>, ServiceError> {
    let mut items: Vec<Versioned<Affiliate>> = Vec::new();
    for status in statuses {
        let prefix = in_prefix(campaign, *status);
        let from = after.map(|id| format!("{prefix}{id}"));
        let found = context.store.named(organization, crm_store::model::Kind::Affiliate, IN, &prefix, from.as_deref(), limit + 1).await?;
        for (_, record) in &found {
            items.push(records::parse(record)?);
        }
    }
    items.sort_by(|a, b| a.value.id.cmp(&b.value.id));
    // One that moved between two reads may stand in both ranges.
    items.dedup_by(|a, b| a.value.id == b.value.id);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(|a| a.value.id.clone()) } else { None };
    Ok(Paged { items, next })
}
