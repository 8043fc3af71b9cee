//! Affiliates: created, found, changed, put into campaigns. One record per person and organization, told apart by the normalised e-mail.

use crm_contract::types::Consent;
use crm_store::StoreError;

use super::desk::Desk;
use super::entry::enter;
use super::records::{self, Paged};
use super::{ServiceError, Versioned, audit, campaigns, email, form, person};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, Source, normalise_email};
use crate::ids::new_id;

/// An affiliate as typed; blank values count as missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAffiliate {
    pub email: String,
    pub first: Option<String>,
    pub last: Option<String>,
    pub full: Option<String>,
    pub company: Option<String>,
    pub website: Option<String>,
    pub promotes: Option<String>,
    /// Referral slug, unique within the organization.
    pub slug: Option<String>,
    pub coupon: Option<String>,
    pub consent: Option<Consent>,
}

/// What to change; everything absent stays, `Some(None)` clears.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AffiliateChange {
    pub email: Option<String>,
    pub first: Option<Option<String>>,
    pub last: Option<Option<String>>,
    pub full: Option<Option<String>>,
    pub company: Option<Option<String>>,
    pub website: Option<Option<String>>,
    pub promotes: Option<Option<String>>,
    /// A new one; the old link stops counting. It cannot be cleared.
    pub slug: Option<String>,
    pub coupon: Option<Option<String>>,
}

/// Which affiliates to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AffiliateFilter {
    pub campaign: Option<String>,
    /// In `campaign`, or in any where none is named.
    pub status: Option<AffiliateStatus>,
    /// In any spelling.
    pub email: Option<String>,
    /// In any spelling.
    pub slug: Option<String>,
}

/// Former addresses that are remembered.
const FORMER: usize = 5;

/// Creates an affiliate in a campaign: approved at once where the campaign says so or `approve` does, else pending. An e-mail that the
/// organization has already is [`ServiceError::Taken`]: put that one into the campaign instead.
pub async fn create(
    context: &Context,
    organization: &str,
    campaign: &str,
    new: NewAffiliate,
    approve: bool,
) -> Result<Versioned<Affiliate>, ServiceError> {
    let campaign = campaigns::get(context, organization, campaign).await?.value;
    let mut affiliate = checked(organization, context.now(), new, Source::Api)?;
    if let Some(taken) = conflict(context, &affiliate).await? {
        return Err(taken);
    }
    let status = if approve || campaign.auto_approve { AffiliateStatus::Approved } else { AffiliateStatus::Pending };
    enter(context, &mut affiliate, 0, &campaign.id, status, "affiliate.created", Vec::new()).await?;
    Ok(Versioned { value: affiliate, version: 1 })
}

/// Puts an affiliate into one more campaign. Being in it already is [`ServiceError::Taken`].
pub async fn join(
    context: &Context,
    organization: &str,
    id: &str,
    campaign: &str,
    approve: bool,
) -> Result<Versioned<Affiliate>, ServiceError> {
    let campaign = campaigns::get(context, organization, campaign).await?.value;
    let status = if approve || campaign.auto_approve { AffiliateStatus::Approved } else { AffiliateStatus::Pending };
    for _ in 0..records::RACES {
        let Versioned { mut value, version } = get(context, organization, id).await?;
        match enter(context, &mut value, version, &campaign.id, status, "affiliate.joined", Vec::new()).await {
            Ok(true) => return Ok(Versioned { value, version: version + 1 }),
            Ok(false) => return Err(ServiceError::Taken { field: "campaign", by: value.id }),
            Err(ServiceError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ServiceError::Changed)
}

/// A new affiliate in no campaign yet from what was typed, or everything that is wrong with it.
pub(crate) fn checked(organization: &str, now: u64, new: NewAffiliate, source: Source) -> Result<Affiliate, ServiceError> {
    let mut wrong = Vec::new();
    let email = email::checked("email", &new.email).unwrap_or_else(|error| error.gathered(&mut wrong));
    let mut line = |name: &'static str, text: Option<String>, longest| {
        form::optional_line(name, text.as_deref(), longest).unwrap_or_else(|error| error.gathered(&mut wrong))
    };
    let (first, last, full) = (line("first", new.first, 200), line("last", new.last, 200), line("full", new.full, 400));
    let (company, website) = (line("company", new.company, 200), line("website", new.website, 300));
    let coupon = line("coupon", new.coupon, 100);
    let slug = new.slug.as_deref().map(str::trim).filter(|s| !s.is_empty()).map(|slug| form::slug("slug", slug)).transpose();
    let affiliate = Affiliate {
        id: new_id("aff", now),
        organization: organization.to_owned(),
        email,
        former_emails: Vec::new(),
        first,
        last,
        full,
        company,
        website,
        promotes: form::optional_text("promotes", new.promotes.as_deref(), 1_000).unwrap_or_else(|error| error.gathered(&mut wrong)),
        slug: slug.unwrap_or_else(|error| error.gathered(&mut wrong)),
        coupon,
        consent: check_consent(new.consent).unwrap_or_else(|error| error.gathered(&mut wrong)),
        campaigns: Vec::new(),
        source,
        created: now,
        updated: now,
    };
    if wrong.is_empty() { Ok(affiliate) } else { Err(ServiceError::Invalid(wrong)) }
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
    if let Some(other) = records::affiliate_by_email(context, &new.organization, &new.email).await?
        && other.value.id != new.id
    {
        return Ok(Some(ServiceError::Taken { field: "email", by: other.value.id }));
    }
    Ok(slug_holder(context, new).await?.map(|by| ServiceError::Taken { field: "slug", by }))
}

/// Who else has this affiliate's slug.
pub(crate) async fn slug_holder(context: &Context, affiliate: &Affiliate) -> Result<Option<String>, ServiceError> {
    let Some(slug) = &affiliate.slug else { return Ok(None) };
    let other = records::find::<Affiliate>(context, &affiliate.organization, "slug", &records::slug_name(slug)).await?;
    Ok(other.map(|o| o.value.id).filter(|id| *id != affiliate.id))
}

/// Gives an approved affiliate a slug of their own if they have none: from their name, with an ending where that is taken. `used` says of
/// names that the same write takes.
pub(crate) async fn ensure_slug(
    context: &Context,
    affiliate: &mut Affiliate,
    used: &(dyn Fn(&str) -> bool + Sync),
) -> Result<(), ServiceError> {
    use rand::distr::{Alphanumeric, SampleString};
    if affiliate.slug.is_some() {
        return Ok(());
    }
    let name = affiliate.full.clone().unwrap_or_else(|| {
        let parts = [affiliate.first.as_deref(), affiliate.last.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let base = slug_of(&name);
    for round in 0..records::RACES {
        let ending = Alphanumeric.sample_string(&mut rand::rng(), if base.is_empty() { 10 } else { 5 }).to_lowercase();
        let slug = match (base.is_empty(), round) {
            (true, _) => ending,
            (false, 0) if base.len() >= 3 => base.clone(),
            (false, _) => format!("{base}-{ending}"),
        };
        affiliate.slug = Some(slug.clone());
        if !used(&slug) && slug_holder(context, affiliate).await?.is_none() {
            return Ok(());
        }
    }
    Err(ServiceError::Changed)
}

/// Letters and digits of a name with hyphens between, at most 50; empty when there are none to use.
fn slug_of(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let mut slug = String::new();
    for c in name.nfd().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if (c.is_whitespace() || c == '-') && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 50 {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<Affiliate>, ServiceError> {
    records::load(context, organization, id).await
}

/// Changes an affiliate; every connection of an approved campaign hears of it in the same write. A new e-mail moves the contact where the
/// vendor allows that.
pub async fn update(
    context: &Context,
    organization: &str,
    id: &str,
    expect: Option<u64>,
    change: AffiliateChange,
) -> Result<Versioned<Affiliate>, ServiceError> {
    let Versioned { mut value, version } = get(context, organization, id).await?;
    let before = value.clone();
    apply(&mut value, change)?;
    records::expected(expect, version)?;
    if value == before {
        return Ok(Versioned { value, version });
    }
    if let Some(taken) = conflict(context, &value).await? {
        return Err(taken);
    }
    value.updated = context.now();
    person::forget_dropped(context, &before, &value).await?;
    let desk = Desk::open(context, organization).await?;
    let mut jobs = Vec::new();
    for membership in value.campaigns.iter().filter(|m| m.status == AffiliateStatus::Approved) {
        jobs.extend(desk.sync(&value, &membership.campaign, None).await?);
    }
    let log = audit::entry(context, organization, "affiliate.updated", id, &[("fields", audit::changed(&before, &value)?)])?;
    match context.store.commit(vec![records::put(&value, version)?, log], jobs).await {
        Ok(_) => Ok(Versioned { value, version: version + 1 }),
        Err(error) => Err(refused(error)),
    }
}

/// Why an affiliate was not written; a name that somebody else has is said to be the field it comes from.
pub(crate) fn refused(error: StoreError) -> ServiceError {
    match error {
        StoreError::Taken { namespace, by } => ServiceError::Taken { field: if namespace == "slug" { "slug" } else { "email" }, by },
        other => other.into(),
    }
}

fn apply(value: &mut Affiliate, change: AffiliateChange) -> Result<(), ServiceError> {
    if let Some(typed) = &change.email {
        let address = email::checked("email", typed)?;
        if normalise_email(&address) != normalise_email(&value.email) {
            value.former_emails.retain(|former| normalise_email(former) != normalise_email(&address));
            value.former_emails.insert(0, value.email.clone());
            value.former_emails.truncate(FORMER);
        }
        value.email = address;
    }
    if let Some(slug) = &change.slug {
        value.slug = Some(form::slug("slug", slug)?);
    }
    for (name, have, wish, longest) in [
        ("first", &mut value.first, change.first, 200),
        ("last", &mut value.last, change.last, 200),
        ("full", &mut value.full, change.full, 400),
        ("company", &mut value.company, change.company, 200),
        ("website", &mut value.website, change.website, 300),
        ("coupon", &mut value.coupon, change.coupon, 100),
    ] {
        if let Some(wish) = wish {
            *have = form::optional_line(name, wish.as_deref(), longest)?;
        }
    }
    if let Some(text) = change.promotes {
        value.promotes = form::optional_text("promotes", text.as_deref(), 1_000)?;
    }
    Ok(())
}

/// A page of affiliates, oldest first. A page may hold fewer than `limit` and still have a next one.
pub async fn list(
    context: &Context,
    organization: &str,
    filter: &AffiliateFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Affiliate>>, ServiceError> {
    super::affiliate_lists::page(context, organization, filter, after, limit).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_come_from_names_that_have_letters() {
        for (name, slug) in [("Zoë  D'Arc", "zoe-darc"), ("José-María", "jose-maria"), ("李雷", ""), (" - ", ""), ("A", "a")] {
            assert_eq!(slug_of(name), slug, "{name}");
        }
        assert!(slug_of(&"x".repeat(200)).len() <= 50);
    }
}
