//! Campaigns, and what they do differently on a connection.

use std::collections::BTreeMap;

use crm_sync::context::Context;
use crm_sync::domain::{Attribution as KeptAttribution, Campaign as Kept, Commission as KeptCommission, Override as KeptOverride};
use crm_sync::services::commission;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::fields::FieldSource;
use super::{map, time};

/// A field of a PATCH that can be cleared: absent, null or a value.
pub(crate) fn clearable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCampaign {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// 3 to 64 letters, digits, hyphens; permanent and unique.
    #[schema(min_length = 3, max_length = 64, pattern = "^[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?$")]
    pub(crate) slug: String,
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub(crate) description: Option<String>,
    /// Terms that affiliates agree to.
    #[serde(default)]
    pub(crate) terms_url: Option<String>,
    /// Where referral links lead (`?via=` is added); absent = the organization's.
    #[serde(default)]
    pub(crate) site_url: Option<String>,
    /// Who applies is approved at once.
    #[serde(default)]
    pub(crate) auto_approve: bool,
    /// Whether the application page takes applications.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) open: bool,
    /// 30, 60 or 90.
    #[serde(default = "thirty")]
    #[schema(default = 30)]
    pub(crate) cookie_window_days: u32,
    #[serde(default)]
    pub(crate) attribution: Attribution,
    pub(crate) commission: Commission,
    /// Tags on the contacts of this campaign, besides the connection's.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) extra_tags: Vec<String>,
}

fn yes() -> bool {
    true
}

fn thirty() -> u32 {
    30
}

/// Change a campaign; everything absent stays, null clears. Slug and public handle are permanent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CampaignPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(crate) description: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pub(crate) terms_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pub(crate) site_url: Option<Option<String>>,
    #[serde(default)]
    pub(crate) auto_approve: Option<bool>,
    #[serde(default)]
    pub(crate) open: Option<bool>,
    #[serde(default)]
    pub(crate) cookie_window_days: Option<u32>,
    #[serde(default)]
    pub(crate) attribution: Option<Attribution>,
    #[serde(default)]
    pub(crate) commission: Option<Commission>,
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) extra_tags: Option<Vec<String>>,
}

/// Which referral counts when there were several.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attribution {
    FirstTouch,
    #[default]
    LastTouch,
}

impl From<Attribution> for KeptAttribution {
    fn from(attribution: Attribution) -> Self {
        match attribution {
            Attribution::FirstTouch => Self::FirstTouch,
            Attribution::LastTouch => Self::LastTouch,
        }
    }
}

impl From<KeptAttribution> for Attribution {
    fn from(kept: KeptAttribution) -> Self {
        match kept {
            KeptAttribution::FirstTouch => Self::FirstTouch,
            KeptAttribution::LastTouch => Self::LastTouch,
        }
    }
}

/// What an affiliate earns: shown here, paid elsewhere. Numbers are decimal text: percentages above 0 and up to 100 with at most two
/// places, amounts above 0 and up to 1,000,000 with at most three; currencies are three letters.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Commission {
    /// A share of every payment.
    RevShare {
        #[schema(example = "25")]
        percent: String,
    },
    /// A fixed amount per sale.
    Cps {
        #[schema(example = "20")]
        amount: String,
        #[schema(example = "USD")]
        currency: String,
    },
    /// A fixed amount for the sale and a share of what follows.
    Hybrid {
        #[schema(example = "250")]
        amount: String,
        #[schema(example = "USD")]
        currency: String,
        #[schema(example = "5")]
        continuation_percent: String,
    },
}

impl From<Commission> for KeptCommission {
    fn from(commission: Commission) -> Self {
        match commission {
            Commission::RevShare { percent } => Self::RevShare { percent },
            Commission::Cps { amount, currency } => Self::Cps { amount, currency },
            Commission::Hybrid { amount, currency, continuation_percent } => Self::Hybrid { amount, currency, continuation_percent },
        }
    }
}

impl From<KeptCommission> for Commission {
    fn from(kept: KeptCommission) -> Self {
        match kept {
            KeptCommission::RevShare { percent } => Self::RevShare { percent },
            KeptCommission::Cps { amount, currency } => Self::Cps { amount, currency },
            KeptCommission::Hybrid { amount, currency, continuation_percent } => Self::Hybrid { amount, currency, continuation_percent },
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Campaign {
    id: String,
    name: String,
    slug: String,
    /// The application page is `/p/{program}`. Permanent.
    program: String,
    /// The application page's whole address, to be handed out. Null until the operator of this host says where browsers reach it.
    page_url: Option<String>,
    description: Option<String>,
    terms_url: Option<String>,
    site_url: Option<String>,
    auto_approve: bool,
    open: bool,
    cookie_window_days: u32,
    attribution: Attribution,
    commission: Commission,
    /// The commission as affiliates read it.
    commission_text: String,
    extra_tags: Vec<String>,
    created: String,
}

impl Campaign {
    /// As a client of this host sees it: with the address of its page.
    pub(crate) fn of(kept: Kept, context: &Context) -> Self {
        Self {
            page_url: context.config.public_url.as_ref().map(|base| format!("{base}/p/{}", kept.program)),
            commission_text: commission::words(&kept.commission),
            attribution: kept.attribution.into(),
            commission: kept.commission.into(),
            created: time(kept.created),
            id: kept.id,
            name: kept.name,
            slug: kept.slug,
            program: kept.program,
            description: kept.description,
            terms_url: kept.terms_url,
            site_url: kept.site_url,
            auto_approve: kept.auto_approve,
            open: kept.open,
            cookie_window_days: kept.cookie_window_days,
            extra_tags: kept.extra_tags,
        }
    }
}

/// What a campaign does differently on one connection. PUT replaces all of it; what is left out is the connection's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverrideOrder {
    /// Nothing of this campaign goes to this connection.
    #[serde(default)]
    pub(crate) off: bool,
    /// Another destination: choice ids by picker.
    #[serde(default)]
    pub(crate) picked: BTreeMap<String, String>,
    /// Besides the connection's and the campaign's.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) extra_tags: Vec<String>,
    /// Vendor fields by source; null leaves out what the connection maps.
    #[serde(default)]
    pub(crate) fields: BTreeMap<FieldSource, Option<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Override {
    campaign: String,
    connection: String,
    off: bool,
    /// Empty = the connection's destination.
    picked: BTreeMap<String, String>,
    extra_tags: Vec<String>,
    fields: BTreeMap<FieldSource, Option<String>>,
    created: String,
}

impl From<KeptOverride> for Override {
    fn from(kept: KeptOverride) -> Self {
        let target = |target: String| Some(target).filter(|t| !t.is_empty());
        Self {
            off: kept.off,
            picked: map(&kept.picked),
            fields: kept.fields.into_iter().map(|m| (m.source.into(), target(m.target))).collect(),
            extra_tags: kept.extra_tags,
            created: time(kept.created),
            campaign: kept.campaign,
            connection: kept.connection,
        }
    }
}
