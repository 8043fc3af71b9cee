//! What of an affiliate can go into a vendor's fields.

use crm_sync::domain::FieldSource as Kept;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something of the affiliate that can be written to a custom field. `referral_link` needs a `site_url` and a slug, `portal_url` the
/// organization's; what has no value is left out, since blanks overwrite nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FieldSource {
    AffiliateId,
    Status,
    ReferralLink,
    Slug,
    Coupon,
    CampaignName,
    PortalUrl,
    ApprovedDate,
}

impl From<FieldSource> for Kept {
    fn from(source: FieldSource) -> Self {
        match source {
            FieldSource::AffiliateId => Self::AffiliateId,
            FieldSource::Status => Self::Status,
            FieldSource::ReferralLink => Self::ReferralLink,
            FieldSource::Slug => Self::Slug,
            FieldSource::Coupon => Self::Coupon,
            FieldSource::CampaignName => Self::CampaignName,
            FieldSource::PortalUrl => Self::PortalUrl,
            FieldSource::ApprovedDate => Self::ApprovedDate,
        }
    }
}

impl From<Kept> for FieldSource {
    fn from(source: Kept) -> Self {
        match source {
            Kept::AffiliateId => Self::AffiliateId,
            Kept::Status => Self::Status,
            Kept::ReferralLink => Self::ReferralLink,
            Kept::Slug => Self::Slug,
            Kept::Coupon => Self::Coupon,
            Kept::CampaignName => Self::CampaignName,
            Kept::PortalUrl => Self::PortalUrl,
            Kept::ApprovedDate => Self::ApprovedDate,
        }
    }
}
