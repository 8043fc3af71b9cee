//! Check 2b: query keys.

use crm_catalog::model::Call;
use crm_contract::types::Pair;
use percent_encoding::utf8_percent_encode;

use super::RESERVED;
use crate::error::{Refusal, quoted};

/// Longest query, in bytes of keys and values before encoding.
const MAX_QUERY: usize = 4_096;

/// The guest's pairs in their order, then the manifest's constants.
pub(crate) fn checked(call: &Call, given: Vec<Pair>) -> Result<Vec<Pair>, Refusal> {
    for pair in &given {
        if !call.query.contains(&pair.key) || call.fixed_query.contains_key(&pair.key) {
            return Err(Refusal::QueryKey(quoted(&pair.key)));
        }
    }
    if given.iter().map(|p| p.key.len() + p.value.len()).sum::<usize>() > MAX_QUERY {
        return Err(Refusal::QueryLong(MAX_QUERY));
    }
    let mut pairs = given;
    pairs.extend(call.fixed_query.iter().map(|(key, value)| Pair::new(key, value)));
    Ok(pairs)
}

/// `a=1&b=2`, every reserved character percent-encoded (a space is `%20`, which all servers read alike).
pub(crate) fn encoded<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (key, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(utf8_percent_encode(key, RESERVED));
        out.push('=');
        out.extend(utf8_percent_encode(value, RESERVED));
    }
    out
}
