//! Affiliates and approvals.

use crm_contract::types::Consent as KeptConsent;
use crm_sync::domain::{Affiliate as Kept, AffiliateStatus, Membership as KeptMembership};
use crm_sync::services::approval::Changed as Did;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::campaigns::clearable;
use super::{time, word};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAffiliate {
    /// Campaign id.
    pub(crate) campaign: String,
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) first: Option<String>,
    #[serde(default)]
    pub(crate) last: Option<String>,
    /// The name as one text, where it is not known in parts.
    #[serde(default)]
    pub(crate) full: Option<String>,
    #[serde(default)]
    pub(crate) company: Option<String>,
    /// Website or channel.
    #[serde(default)]
    #[schema(max_length = 300)]
    pub(crate) website: Option<String>,
    /// How they mean to promote.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub(crate) promotes: Option<String>,
    /// Referral slug for all campaigns: 3 to 64 letters, digits, hyphens; unique within the organization. Made from the name at the
    /// first approval when there is none.
    #[serde(default)]
    #[schema(min_length = 3, max_length = 64)]
    pub(crate) slug: Option<String>,
    #[serde(default)]
    #[schema(max_length = 100)]
    pub(crate) coupon: Option<String>,
    #[serde(default)]
    pub(crate) consent: Option<Consent>,
    /// Approve at once.
    #[serde(default)]
    pub(crate) approve: bool,
}

/// Change an affiliate; everything absent stays, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AffiliatePatch {
    #[serde(default)]
    pub(crate) email: Option<String>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub(crate) first: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub(crate) last: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 400)]
    pub(crate) full: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub(crate) company: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub(crate) website: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pub(crate) promotes: Option<Option<String>>,
    /// A new one: links with the old one stop counting.
    #[serde(default)]
    #[schema(min_length = 3, max_length = 64)]
    pub(crate) slug: Option<String>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 100)]
    pub(crate) coupon: Option<Option<String>>,
}

/// Into which campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinOrder {
    /// Campaign id.
    pub(crate) campaign: String,
    /// Approve at once.
    #[serde(default)]
    pub(crate) approve: bool,
}

/// Proof that the affiliate agreed to be contacted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consent {
    /// Unix seconds.
    #[schema(maximum = 253402300799u64)]
    pub(crate) at: u64,
    /// Where it was given.
    pub(crate) source: String,
    #[serde(default)]
    pub(crate) ip: Option<String>,
}

impl From<Consent> for KeptConsent {
    fn from(consent: Consent) -> Self {
        Self { at: consent.at, source: consent.source, ip: consent.ip }
    }
}

/// One person, in any number of campaigns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Affiliate {
    id: String,
    email: String,
    first: Option<String>,
    last: Option<String>,
    full: Option<String>,
    company: Option<String>,
    website: Option<String>,
    promotes: Option<String>,
    /// The referral slug, for all campaigns.
    slug: Option<String>,
    coupon: Option<String>,
    consent: Option<Consent>,
    /// Oldest first.
    campaigns: Vec<Membership>,
    /// `api`, `page`, `invite` or `import`.
    source: String,
    created: String,
    updated: String,
}

/// How an affiliate stands with one campaign.
#[derive(Debug, Serialize, ToSchema)]
struct Membership {
    /// Campaign id.
    campaign: String,
    /// `pending`, `approved`, `paused`, `removed` or `rejected`.
    status: String,
    joined: String,
    /// When last approved.
    approved: Option<String>,
    /// When the status last changed.
    changed: String,
    reason: Option<String>,
}

impl From<KeptMembership> for Membership {
    fn from(kept: KeptMembership) -> Self {
        Self {
            campaign: kept.campaign,
            status: kept.status.word().to_owned(),
            joined: time(kept.joined),
            approved: kept.approved.map(time),
            changed: time(kept.changed),
            reason: kept.reason,
        }
    }
}

impl From<Kept> for Affiliate {
    fn from(kept: Kept) -> Self {
        Self {
            campaigns: kept.campaigns.into_iter().map(Into::into).collect(),
            source: word(&kept.source),
            consent: kept.consent.map(|c| Consent { at: c.at, source: c.source, ip: c.ip }),
            created: time(kept.created),
            updated: time(kept.updated),
            id: kept.id,
            email: kept.email,
            first: kept.first,
            last: kept.last,
            full: kept.full,
            company: kept.company,
            website: kept.website,
            promotes: kept.promotes,
            slug: kept.slug,
            coupon: kept.coupon,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Pending,
    Approved,
    Paused,
    Removed,
    Rejected,
}

impl From<Status> for AffiliateStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Approved => Self::Approved,
            Status::Paused => Self::Paused,
            Status::Removed => Self::Removed,
            Status::Rejected => Self::Rejected,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AffiliateQuery {
    /// Campaign id.
    pub(crate) campaign: Option<String>,
    /// In `campaign`, or in any where none is named.
    #[param(inline)]
    pub(crate) status: Option<Status>,
    /// In any spelling.
    pub(crate) email: Option<String>,
    /// Referral slug, in any spelling.
    pub(crate) slug: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

/// Whom to change: `ids`, or `campaign` with `all: true`. With `ids` alone, in every campaign where they have a status from which the change
/// usually starts (approve, reject: pending; pause: approved; remove: pending, approved, paused), or in the only one they are in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusChange {
    /// At most 1,000.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub(crate) ids: Option<Vec<String>>,
    /// In this campaign only, whatever the status there.
    #[serde(default)]
    pub(crate) campaign: Option<String>,
    #[serde(default)]
    pub(crate) all: Option<bool>,
    /// With `all`: those with one of these statuses; default those from which the change usually starts.
    #[serde(default)]
    pub(crate) statuses: Option<Vec<Status>>,
    /// Kept with the membership; never sent to a vendor.
    #[serde(default)]
    #[schema(max_length = 300)]
    pub(crate) reason: Option<String>,
}

/// A change of one affiliate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneChange {
    /// Campaign id; needed where the affiliate is in several and the status does not tell which.
    #[serde(default)]
    pub(crate) campaign: Option<String>,
    #[serde(default)]
    #[schema(max_length = 300)]
    pub(crate) reason: Option<String>,
}

/// What a change did. The syncs are on disk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// Memberships that have the status now and had another before.
    changed: u64,
    /// Had it before, or were not meant.
    already: u64,
    /// New syncs.
    syncs: u64,
    /// Joined a sync of the same contact that was still open.
    folded: u64,
}

impl From<Did> for Changed {
    fn from(did: Did) -> Self {
        Self { changed: did.changed, already: did.already, syncs: did.syncs, folded: did.folded }
    }
}
