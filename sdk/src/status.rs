//! From an HTTP status to the contract's error, where the vendor behaves like everyone else. What a vendor does
//! differently (409 means exists, 403 means slow down, 200 with an error inside) stays visible in its connector.

use crate::error;
use crate::http::Reply;
use crate::text::squeeze;
use crate::types::Error;

/// What a status usually means:
///
/// | status | error | why |
/// | --- | --- | --- |
/// | 408, 409, 423, 425, 5xx except 501 and 505 | `retryable` | passes by itself |
/// | 401, 403, 407 | `retryable` | a throttle, a firewall or a bad key: only the connector can tell which |
/// | 429 | `rate-limited` | waits as `retry-after` says when that is in seconds; the host reads dates by itself |
/// | 400, 422 | `rejected(contact)` | the vendor does not accept a value, and does not say here which |
/// | anything else | `permanent` | repeating it cannot help: a redirect, a missing path, a wrong method |
///
/// ```
/// use crm_connector_sdk::{fake::{self, Exchange}, prelude::*};
/// let script = [Exchange::call("save").answers(429, "slow down").header("retry-after", "30")];
/// let played = fake::with(script, || Call::new("save").send()?.ok().map(|_| ()));
/// assert_eq!(played.result, Err(error::rate_limited(Some(30), None)));
/// ```
pub fn classify(reply: &Reply) -> Error {
    let status = reply.status();
    match status {
        429 => error::rate_limited(reply.seconds("retry-after"), None),
        501 | 505 => error::permanent(status, words(reply)),
        401 | 403 | 407 | 408 | 409 | 423 | 425 | 500..=599 => error::retryable(status, words(reply)),
        400 | 422 => error::rejected("contact", status, words(reply)),
        _ => error::permanent(status, words(reply)),
    }
}

/// The vendor's words about a failed call: the body's text with the call's name before it, or what kind of body it is.
pub fn words(reply: &Reply) -> String {
    format!("{}: HTTP {}: {}", reply.call(), reply.status(), excerpt(reply.bytes()))
}

/// A body as one line for an error text. Pages for browsers and binary data are named, not quoted.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else {
        return format!("({} bytes that are no text)", body.len());
    };
    let start = text.trim_start();
    if start.is_empty() {
        return "(empty body)".to_owned();
    }
    let tag = start.get(..9).unwrap_or_default().to_ascii_lowercase();
    if tag.starts_with("<html") || tag.starts_with("<!doctype") {
        return "(an HTML page)".to_owned();
    }
    squeeze(start, error::MAX_TEXT)
}
