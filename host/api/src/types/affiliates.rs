//! Affiliates, imports and approvals.

use crm_contract::types::Consent as KeptConsent;
use crm_sync::domain::{Affiliate as Kept, AffiliateStatus};
use crm_sync::services::approval::Approved as Did;
use crm_sync::services::import::{Imported as Read, RowRemark as Remark};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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
    /// Referral slug: 3 to 64 letters, digits, hyphens; unique within the campaign.
    #[serde(default)]
    pub(crate) slug: Option<String>,
    #[serde(default)]
    pub(crate) consent: Option<Consent>,
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

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Affiliate {
    id: String,
    campaign: String,
    email: String,
    first: Option<String>,
    last: Option<String>,
    full: Option<String>,
    company: Option<String>,
    slug: Option<String>,
    /// `pending`, `approved`, `paused`, `removed` or `rejected`.
    status: String,
    consent: Option<Consent>,
    approved: Option<String>,
    created: String,
}

impl From<Kept> for Affiliate {
    fn from(kept: Kept) -> Self {
        Self {
            status: word(&kept.status),
            consent: kept.consent.map(|c| Consent { at: c.at, source: c.source, ip: c.ip }),
            approved: kept.approved.map(time),
            created: time(kept.created),
            id: kept.id,
            campaign: kept.campaign,
            email: kept.email,
            first: kept.first,
            last: kept.last,
            full: kept.full,
            company: kept.company,
            slug: kept.slug,
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
    #[param(inline)]
    pub(crate) status: Option<Status>,
    /// In any spelling.
    pub(crate) email: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Campaign id that the affiliates join.
    pub(crate) campaign: String,
    /// Layout of the file; `rewardful` is the default.
    #[param(inline)]
    pub(crate) format: Option<ImportFormat>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImportFormat {
    Rewardful,
}

/// What an import did. Imported affiliates are pending until they are approved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Imported {
    rows: u64,
    created: u64,
    duplicates: u64,
    errors: u64,
    /// The first 1,000 rows that were not created.
    remarks: Vec<RowRemark>,
    used_columns: Vec<String>,
    ignored_columns: Vec<String>,
    /// Why reading stopped before the end of the file; the rows before are in.
    stopped: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct RowRemark {
    /// As a spreadsheet counts: the header is row 1.
    row: u64,
    /// `duplicate` or `error`.
    outcome: String,
    column: String,
    message: String,
    /// The affiliate that the row repeats.
    duplicate_of: Option<String>,
}

impl From<Remark> for RowRemark {
    fn from(remark: Remark) -> Self {
        let outcome = if remark.duplicate_of.is_some() { "duplicate" } else { "error" };
        Self {
            row: remark.row,
            outcome: outcome.to_owned(),
            column: remark.column,
            message: remark.message,
            duplicate_of: remark.duplicate_of,
        }
    }
}

impl From<Read> for Imported {
    fn from(read: Read) -> Self {
        Self {
            rows: read.rows,
            created: read.created,
            duplicates: read.duplicates,
            errors: read.errors,
            remarks: read.remarks.into_iter().map(Into::into).collect(),
            used_columns: read.used,
            ignored_columns: read.ignored,
            stopped: read.stopped,
        }
    }
}

/// Whom to approve: `ids`, or `campaign` with `all: true` for every pending affiliate of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// At most 1,000.
    #[serde(default)]
    pub(crate) ids: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) campaign: Option<String>,
    #[serde(default)]
    pub(crate) all: Option<bool>,
}

/// What an approval did. The syncs are on disk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Approved {
    approved: u64,
    /// Were approved before.
    already: u64,
    /// New syncs.
    syncs: u64,
    /// Joined a sync of the same contact that was still open.
    folded: u64,
}

impl From<Did> for Approved {
    fn from(did: Did) -> Self {
        Self { approved: did.approved, already: did.already, syncs: did.syncs, folded: did.folded }
    }
}
