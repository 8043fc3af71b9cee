//! Campaigns.

use crm_sync::domain::Campaign as Kept;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCampaign {
    pub(crate) name: String,
    /// 3 to 64 letters, digits, hyphens; permanent and unique.
    pub(crate) slug: String,
    /// Tags on the contacts of this campaign, besides the connection's.
    #[serde(default)]
    pub(crate) extra_tags: Vec<String>,
}

/// Change a campaign; everything absent stays. The slug is permanent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CampaignPatch {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) extra_tags: Option<Vec<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Campaign {
    id: String,
    name: String,
    slug: String,
    extra_tags: Vec<String>,
    created: String,
}

impl From<Kept> for Campaign {
    fn from(kept: Kept) -> Self {
        Self { id: kept.id, name: kept.name, slug: kept.slug, extra_tags: kept.extra_tags, created: time(kept.created) }
    }
}
