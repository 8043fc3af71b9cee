//! The JSON of the API. These types live here only: documents, manifests and jobs change without breaking a client.

pub(crate) mod affiliate_rows;
pub(crate) mod affiliates;
pub(crate) mod audit;
pub(crate) mod campaigns;
pub(crate) mod connections;
pub(crate) mod connectors;
pub(crate) mod fields;
pub(crate) mod imports;
pub(crate) mod invites;
pub(crate) mod keys;
pub(crate) mod oauth;
pub(crate) mod people;
pub(crate) mod previews;
pub(crate) mod replays;
pub(crate) mod steps;
pub(crate) mod syncs;
pub(crate) mod versions;
pub(crate) mod webhooks;

use std::collections::BTreeMap;

use crm_contract::types::Pair;

/// Unix milliseconds as RFC 3339.
pub(crate) fn time(ms: u64) -> String {
    i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or(jiff::Timestamp::MAX).to_string()
}

pub(crate) fn map(pairs: &[Pair]) -> BTreeMap<String, String> {
    pairs.iter().map(|p| (p.key.clone(), p.value.clone())).collect()
}

/// An enum's serialised word, as the contract spells it.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
