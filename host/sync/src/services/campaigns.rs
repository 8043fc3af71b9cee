//! Campaigns: a name, a permanent slug and the tags that its contacts get besides the connection's.

use super::records::{self, Paged};
use super::{ServiceError, Versioned, form};
use crate::context::Context;
use crate::domain::Campaign;
use crate::ids::new_id;

/// What a merchant gives for a new campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCampaign {
    pub name: String,
    /// Permanent, unique within the organization.
    pub slug: String,
    pub extra_tags: Vec<String>,
}

/// What to change; everything absent stays. The slug is permanent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CampaignChange {
    pub name: Option<String>,
    pub extra_tags: Option<Vec<String>>,
}

pub async fn create(context: &Context, organization: &str, new: NewCampaign) -> Result<Versioned<Campaign>, ServiceError> {
    let now = context.now();
    let campaign = Campaign {
        id: new_id("cmp", now),
        organization: organization.to_owned(),
        name: form::line("name", &new.name, 100)?,
        slug: form::slug("slug", &new.slug)?.to_lowercase(),
        extra_tags: form::check_tags("extra_tags", &new.extra_tags, None)?,
        created: now,
    };
    let version = records::save(context, &campaign, 0).await.map_err(records::taken_as("slug"))?;
    Ok(Versioned { value: campaign, version })
}

pub async fn list(
    context: &Context,
    organization: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Campaign>>, ServiceError> {
    records::page(context, organization, after, limit, |_: &Campaign| true).await
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<Campaign>, ServiceError> {
    records::load(context, organization, id).await
}

/// Applies a change. `expect` is the version the caller saw. Tags of contacts that are already synced change with their
/// next sync.
pub async fn update(
    context: &Context,
    organization: &str,
    id: &str,
    expect: Option<u64>,
    change: CampaignChange,
) -> Result<Versioned<Campaign>, ServiceError> {
    let Versioned { mut value, version } = get(context, organization, id).await?;
    if expect.is_some_and(|e| e != version) {
        return Err(ServiceError::Changed);
    }
    if let Some(name) = &change.name {
        value.name = form::line("name", name, 100)?;
    }
    if let Some(tags) = &change.extra_tags {
        value.extra_tags = form::check_tags("extra_tags", tags, None)?;
    }
    let version = records::save(context, &value, version).await?;
    Ok(Versioned { value, version })
}
