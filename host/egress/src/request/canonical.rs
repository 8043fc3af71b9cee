//! Check 6: what makes two requests equal. A hash over everything the guest and the manifest say, and over no secret:
//! the endpoint counts by name, so a rotated key or a new region changes nothing. Pure.

use crm_catalog::model::{Call, Endpoint};
use crm_contract::types::Pair;
use http::{HeaderName, HeaderValue};

use super::body::Payload;

/// BLAKE3 of the canonical request, lower-case hex.
pub(crate) fn hash(
    call: &Call,
    endpoint: &Endpoint,
    probe: Option<&str>,
    path: &str,
    query: &[Pair],
    headers: &[(HeaderName, HeaderValue)],
    body: &Payload,
) -> String {
    let mut hasher = blake3::Hasher::new();
    // Each piece goes in behind its length, so that no two requests share a text.
    let mut piece = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    piece(call.method.as_str().as_bytes());
    piece(endpoint.name.as_bytes());
    piece(probe.unwrap_or_default().as_bytes());
    piece(path.as_bytes());
    let mut query: Vec<(&str, &str)> = query.iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
    query.sort_unstable();
    piece(&(query.len() as u64).to_le_bytes());
    for (key, value) in query {
        piece(key.as_bytes());
        piece(value.as_bytes());
    }
    let mut headers: Vec<(&str, &[u8])> = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    headers.sort_unstable();
    piece(&(headers.len() as u64).to_le_bytes());
    for (name, value) in headers {
        piece(name.as_bytes());
        piece(value);
    }
    piece(body.content_type.as_ref().map(HeaderValue::as_bytes).unwrap_or_default());
    match &body.bytes {
        None => piece(b"none"),
        Some(bytes) => {
            piece(b"some");
            piece(bytes);
        }
    }
    hasher.finalize().to_hex().to_string()
}
