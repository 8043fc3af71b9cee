//! Affiliates as rows of a table: one for each membership.

use crm_sync::domain::{Affiliate, AffiliateStatus};
use crm_sync::services::csv_out::CsvOut;
use serde::Deserialize;
use utoipa::IntoParams;

use super::affiliates::Status;
use super::time;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// Campaign id.
    pub(crate) campaign: Option<String>,
    /// In `campaign`, or in any where none is named.
    #[param(inline)]
    pub(crate) status: Option<Status>,
}

const COLUMNS: [&str; 14] =
    ["id", "email", "first", "last", "full", "company", "website", "slug", "coupon", "campaign", "status", "joined", "approved", "created"];

pub(crate) fn head(out: &mut CsvOut) {
    out.row(COLUMNS);
}

/// The rows of one affiliate: a row for each membership that is meant. Who is in no campaign has one row when all are meant.
pub(crate) fn rows(out: &mut CsvOut, affiliate: &Affiliate, campaign: Option<&str>, status: Option<AffiliateStatus>) {
    let created = time(affiliate.created);
    let mut row = |membership: [&str; 4]| {
        let text = |value: &'_ Option<String>| value.clone().unwrap_or_default();
        let [campaign, status, joined, approved] = membership;
        let a = affiliate;
        out.row([
            a.id.as_str(),
            &a.email,
            &text(&a.first),
            &text(&a.last),
            &text(&a.full),
            &text(&a.company),
            &text(&a.website),
            &text(&a.slug),
            &text(&a.coupon),
            campaign,
            status,
            joined,
            approved,
            &created,
        ]);
    };
    for m in &affiliate.campaigns {
        if campaign.is_none_or(|c| c == m.campaign) && status.is_none_or(|s| s == m.status) {
            row([&m.campaign, m.status.word(), &time(m.joined), &m.approved.map(time).unwrap_or_default()]);
        }
    }
    if affiliate.campaigns.is_empty() && campaign.is_none() && status.is_none() {
        row([""; 4]);
    }
}
