//! Check 2c: the headers that a guest sets.

use crm_contract::types::Pair;
use http::{HeaderName, HeaderValue};

use crate::error::{Refusal, quoted};
use crate::plan::CallPlan;

const MAX_HEADERS: usize = 64;
const MAX_VALUE: usize = 8 * 1_024;

/// Never the guest's, whatever a manifest declares: they frame the message, name its sender, or carry credentials.
const FORBIDDEN: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "cookie",
    "cookie2",
    "set-cookie",
    "authorization",
    "forwarded",
    "via",
    "accept-encoding",
    "http2-settings",
    "origin",
    "referer",
    "user-agent",
    "date",
    "x-real-ip",
    "true-client-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "alt-used",
];

/// Whether a connector may never set `name` (lower case).
fn forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name) || name.starts_with("proxy-") || name.starts_with("x-forwarded-") || name.starts_with("sec-")
}

/// The guest's headers, by grammar, list and limits. `theirs` are the names that authentication and the endpoint set.
pub(crate) fn checked(plan: &CallPlan, given: &[Pair], theirs: &[HeaderName]) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    if given.len() > MAX_HEADERS {
        return Err(Refusal::HeadersMany(MAX_HEADERS));
    }
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(given.len());
    for pair in given {
        let malformed = || Refusal::HeaderMalformed(quoted(&pair.key));
        let name = HeaderName::from_bytes(pair.key.as_bytes()).map_err(|_| malformed())?;
        if forbidden(name.as_str()) || theirs.contains(&name) {
            return Err(Refusal::HeaderForbidden(name.as_str().to_owned()));
        }
        if !plan.headers.contains(&name) {
            return Err(Refusal::HeaderUndeclared(name.as_str().to_owned()));
        }
        // Visible characters, space and tab only: no CR, LF or NUL can get in.
        let value = HeaderValue::from_str(&pair.value).map_err(|_| malformed())?;
        if value.len() > MAX_VALUE || headers.iter().any(|(n, _)| *n == name) {
            return Err(malformed());
        }
        headers.push((name, value));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    #[test]
    fn framing_identity_and_credential_headers_are_never_the_guests() {
        for name in [
            "host",
            "content-length",
            "transfer-encoding",
            "proxy-authorization",
            "x-forwarded-for",
            "cookie",
            "authorization",
            "sec-fetch-site",
        ] {
            assert!(forbidden(name), "{name}");
        }
        for name in ["accept", "if-match", "x-acme-dry-run", "prefer", "accept-language"] {
            assert!(!forbidden(name), "{name}");
        }
    }
}
