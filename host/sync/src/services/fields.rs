//! What of an affiliate goes into which field of the vendor: the merchant's mapping, and the values at the time of a sync.

use crm_catalog::model::Manifest;
use crm_contract::types::{Field, Value};
use serde_json::Value as Json;

use super::{ServiceError, choices, form};
use crate::context::Context;
use crate::domain::{Affiliate, Campaign, Connection, FieldMapping, FieldSource, Membership, Organization, Override};

/// The picker whose choices are the vendor's fields, by convention of the manifests.
pub const PICKER: &str = "fields";

/// Pages of the picker that are read to find a field.
const PAGES: usize = 50;

/// The mapping as given, if every target is a field of the account and none is written twice. With `blank_ok` an empty target stays: it
/// leaves a source out that the connection maps.
pub async fn checked(
    context: &Context,
    manifest: &Manifest,
    connection: &Connection,
    given: Vec<FieldMapping>,
    blank_ok: bool,
) -> Result<Vec<FieldMapping>, ServiceError> {
    let mut kept: Vec<FieldMapping> = Vec::with_capacity(given.len());
    for mapping in given {
        let field = format!("fields.{}", word(mapping.source));
        if blank_ok && mapping.target.trim().is_empty() {
            kept.push(FieldMapping { target: String::new(), ..mapping });
            continue;
        }
        let target = form::line(&field, &mapping.target, 200)?;
        if kept.iter().any(|other| other.target == target) {
            return Err(ServiceError::invalid(field, format!("{target:?} is mapped twice")));
        }
        kept.push(FieldMapping { target, ..mapping });
    }
    let mut wanted: Vec<&FieldMapping> = kept.iter().filter(|m| !m.target.is_empty()).collect();
    if wanted.is_empty() {
        return Ok(kept);
    }
    let Some(picker) = manifest.picker(PICKER) else {
        return Err(ServiceError::invalid("fields", format!("{} takes no custom fields", manifest.connector.name)));
    };
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = choices::page(context, connection, picker, None, cursor).await?;
        wanted.retain(|mapping| !page.items.iter().any(|choice| choice.id == mapping.target && choice.selectable));
        cursor = page.next;
        if wanted.is_empty() || cursor.is_none() {
            break;
        }
    }
    match wanted.first() {
        None => Ok(kept),
        Some(missing) => {
            let message = format!("{:?} is not a field that can be written in this account", missing.target);
            Err(ServiceError::invalid(format!("fields.{}", word(missing.source)), message))
        }
    }
}

/// The connection's mapping with the campaign's on top, and whose each is (`true` = the campaign's).
pub fn effective(connection: &Connection, over: Option<&Override>) -> Vec<(FieldMapping, bool)> {
    let theirs = over.map(|o| o.fields.as_slice()).unwrap_or_default();
    let own = connection.fields.iter().filter(|m| !theirs.iter().any(|t| t.source == m.source)).map(|m| (m.clone(), false));
    let mut all: Vec<_> = own.chain(theirs.iter().map(|m| (m.clone(), true))).filter(|(m, _)| !m.target.is_empty()).collect();
    all.sort_by_key(|(m, _)| m.source);
    all
}

/// What goes out for one sync. Sources that have no value are left out, as blanks overwrite nothing.
pub fn values(
    mapping: &[(FieldMapping, bool)],
    organization: &Organization,
    campaign: &Campaign,
    affiliate: &Affiliate,
    membership: &Membership,
) -> Vec<Field> {
    let value = |source: FieldSource| -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        match source {
            FieldSource::AffiliateId => text(&affiliate.id),
            FieldSource::Status => text(membership.status.word()),
            FieldSource::ReferralLink => referral_link(organization, campaign, affiliate).map(Value::Text),
            FieldSource::Slug => affiliate.slug.clone().map(Value::Text),
            FieldSource::Coupon => affiliate.coupon.clone().map(Value::Text),
            FieldSource::CampaignName => text(&campaign.name),
            FieldSource::PortalUrl => organization.portal_url.clone().map(Value::Text),
            FieldSource::ApprovedDate => membership.approved.map(|at| Value::Date(date(at))),
        }
    };
    mapping.iter().filter_map(|(m, _)| Some(Field { key: m.target.clone(), value: value(m.source)? })).collect()
}

/// The affiliate's link: the campaign's site, else the organization's, with `via=` and the slug.
pub fn referral_link(organization: &Organization, campaign: &Campaign, affiliate: &Affiliate) -> Option<String> {
    let site = campaign.site_url.as_ref().or(organization.site_url.as_ref())?;
    let mut url = url::Url::parse(site).ok()?;
    url.query_pairs_mut().append_pair("via", affiliate.slug.as_deref()?);
    Some(url.into())
}

/// Unix milliseconds as a date, in UTC.
fn date(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%d").to_string()
}

/// As the API spells a source.
pub fn word(source: FieldSource) -> String {
    match serde_json::to_value(source) {
        Ok(Json::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_its_day_in_utc() {
        for (ms, expected) in [(0, "1970-01-01"), (951_868_799_999, "2000-02-29"), (1_790_000_000_000, "2026-09-21")] {
            assert_eq!(date(ms), expected);
        }
    }
}
