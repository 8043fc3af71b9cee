//! What Brevo's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

use crate::attributes::TAGS;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// As [`answer`], and `None` where Brevo itself says that there is no such thing.
pub(crate) fn unless_absent(call: Call) -> Result<Option<json::Value>, Error> {
    let reply = call.send()?;
    if is_absent(&reply) { Ok(None) } else { reply.ok_or(refusal)?.need_json().map(Some) }
}

/// A 404 without Brevo's code is a proxy's.
pub(crate) fn is_absent(reply: &Reply) -> bool {
    reply.status() == 404 && code(reply) == "document_not_found"
}

pub(crate) fn code(reply: &Reply) -> String {
    json::text(&reply.json(), "/code").unwrap_or_default()
}

/// The vendor's sentence in lower case: what is wrong stands there alone.
pub(crate) fn said(reply: &Reply) -> String {
    json::text(&reply.json(), "/message").unwrap_or_default().to_ascii_lowercase()
}

pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (code, said, words) = (code(reply), said(reply), status::words(reply));
    let says = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    let credentials = |trouble| error::credentials(trouble, &code, &words);
    Some(match reply.status() {
        429 => {
            let wait = reply.seconds("x-sib-ratelimit-reset").or_else(|| reply.seconds("retry-after"));
            let limit = match wait {
                _ if reply.call() == "account" => "other",
                Some(wait) if wait > 10 => "hour",
                _ => "second",
            };
            error::rate_limited(wait, Some(limit))
        }
        // Without Brevo's code it is a firewall in front of it that speaks, and `classify` knows the rest.
        _ if code.is_empty() => return (reply.status() == 404).then(|| error::retryable(404, words)),
        401 if says(&["ip address", "authorised_ips", "ip not authorized", "not verified"]) => {
            let text =
                format!("The key is good, but Brevo does not accept our address: authorise it under Security, Authorised IPs. {words}");
            error::credentials(Trouble::IpBlocked, &code, text)
        }
        401 => credentials(Trouble::Invalid),
        402 | 403 if code == "account_under_validation" || says(&["suspend", "validation"]) => credentials(Trouble::AccountClosed),
        403 => credentials(Trouble::Permission),
        // The contact was there a moment ago.
        404 => error::retryable(code, words),
        400 if said.contains(&TAGS.to_ascii_lowercase()) => error::stale([TAGS]),
        // The address was free a moment ago: the next look will find who has it now.
        400 if says(&["associated with another contact", "already exist"]) => error::retryable(code, words),
        // A look sends nothing but the address.
        400 | 422 if reply.call() == "find" || says(&["email"]) => error::rejected("email", code, words),
        400 | 422 => error::rejected("contact", code, words),
        _ => return None,
    })
}
