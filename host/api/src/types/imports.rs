//! Imports.

use std::collections::BTreeMap;

use crm_sync::services::imports::{Counts as KeptCounts, Import as Kept, ImportState as KeptState, Remark};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{time, word};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportOrder {
    /// Campaign id that the affiliates join.
    pub(crate) campaign: String,
    /// What the columns mean; `auto` (the default) knows it by the header.
    #[param(inline)]
    pub(crate) format: Option<ImportFormat>,
    /// For `custom`: a JSON object, column name -> `email`, `first`, `last`, `full`, `company`, `website`, `slug`, `coupon`, `status` or
    /// `joined`. At most 1,500 bytes. Without it, `custom` takes columns that are called so. In a form it may be the part `mapping`, before
    /// the file.
    #[param(max_length = 1500)]
    pub(crate) mapping: Option<String>,
    /// Who is active in the file comes in as approved, with syncs; otherwise as pending, which is the default.
    pub(crate) approve: Option<bool>,
    /// Start by itself after the check. The default is to wait for `POST /v1/imports/{id}/start`.
    pub(crate) start: Option<bool>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImportFormat {
    Auto,
    Rewardful,
    Firstpromoter,
    Tapfiliate,
    Partnerstack,
    Dub,
    Tolt,
    Custom,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Campaign id.
    pub(crate) campaign: Option<String>,
    #[param(inline)]
    pub(crate) state: Option<ImportState>,
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImportState {
    Receiving,
    Checking,
    Checked,
    Running,
    Finished,
    Failed,
    Cancelled,
}

impl From<ImportState> for KeptState {
    fn from(state: ImportState) -> Self {
        match state {
            ImportState::Receiving => Self::Receiving,
            ImportState::Checking => Self::Checking,
            ImportState::Checked => Self::Checked,
            ImportState::Running => Self::Running,
            ImportState::Finished => Self::Finished,
            ImportState::Failed => Self::Failed,
            ImportState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<KeptState> for ImportState {
    fn from(state: KeptState) -> Self {
        match state {
            KeptState::Receiving => Self::Receiving,
            KeptState::Checking => Self::Checking,
            KeptState::Checked => Self::Checked,
            KeptState::Running => Self::Running,
            KeptState::Finished => Self::Finished,
            KeptState::Failed => Self::Failed,
            KeptState::Cancelled => Self::Cancelled,
        }
    }
}

/// A file of affiliates on its way in: checked first, with nothing written, then imported.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Import {
    id: String,
    /// Campaign id.
    campaign: String,
    /// As asked.
    format: String,
    /// The format that was recognised.
    layout: Option<String>,
    /// Column name -> field, of a custom format.
    mapping: BTreeMap<String, String>,
    approve: bool,
    start: bool,
    #[schema(inline)]
    state: ImportState,
    /// Why it failed.
    trouble: Option<String>,
    /// How far the present phase (check, or import) is.
    bytes_done: u64,
    bytes_total: u64,
    /// What the check expects; null until it is done. Repeated rows are recognised among about the first 1.8 million.
    check: Option<ImportCounts>,
    /// Of the present phase so far.
    counts: ImportCounts,
    /// The first rows of the present phase that cannot be imported, at most 20; all of them are in the results.
    first_errors: Vec<RowError>,
    used_columns: Vec<String>,
    ignored_columns: Vec<String>,
    created: String,
    started: Option<String>,
    /// When it finished, failed or was cancelled. Results are kept for 30 days after.
    ended: Option<String>,
}

/// Each row is counted in `rows` and in one of the others.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportCounts {
    /// Rows after the header, blank ones left out.
    rows: u64,
    /// New affiliates.
    created: u64,
    /// Affiliates that were known, and are in this campaign now.
    joined: u64,
    /// In this campaign already, or in an earlier row.
    duplicates: u64,
    errors: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RowError {
    /// As a spreadsheet counts: the header is row 1.
    row: u64,
    column: String,
    message: String,
}

impl From<KeptCounts> for ImportCounts {
    fn from(kept: KeptCounts) -> Self {
        let KeptCounts { rows, created, joined, duplicates, errors } = kept;
        Self { rows, created, joined, duplicates, errors }
    }
}

impl From<Remark> for RowError {
    fn from(remark: Remark) -> Self {
        Self { row: remark.row, column: remark.column, message: remark.message }
    }
}

impl From<Kept> for Import {
    fn from(kept: Kept) -> Self {
        Self {
            bytes_done: kept.at.offset,
            bytes_total: kept.bytes,
            state: kept.state.into(),
            check: kept.check.map(Into::into),
            counts: kept.counts.into(),
            first_errors: kept.remarks.into_iter().map(Into::into).collect(),
            created: time(kept.created),
            started: kept.started.map(time),
            ended: kept.ended.map(time),
            id: kept.id,
            campaign: kept.campaign,
            format: kept.format,
            layout: kept.layout,
            mapping: kept.mapping,
            approve: kept.approve,
            start: kept.start,
            trouble: kept.trouble,
            used_columns: kept.used,
            ignored_columns: kept.ignored,
        }
    }
}

impl ImportFormat {
    /// The word that services know it by.
    pub(crate) fn word(self) -> String {
        word(&self)
    }
}

/// Multipart form with the file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is shown in the document")]
pub(crate) struct ImportForm {
    /// As the query parameter `mapping`; before the file.
    mapping: Option<String>,
    /// The CSV file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}
