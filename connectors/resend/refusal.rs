//! What Resend's refusals mean: who must act. Its error names speak, not the statuses. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// There is no such thing. A 404 without Resend's name for it is a proxy's, and the same name is given to a path that it does not know.
pub(crate) fn is_absent(reply: &Reply) -> bool {
    reply.status() == 404 && name(reply) == "not_found" && !said(reply).contains("endpoint")
}

/// "Contact not found": only these words let a contact be created, since creating one who is there could subscribe them again.
pub(crate) fn is_nobody(reply: &Reply) -> bool {
    is_absent(reply) && said(reply).contains("contact")
}

fn name(reply: &Reply) -> String {
    json::text(&reply.json(), "/name").unwrap_or_default()
}

/// The vendor's sentence in lower case.
pub(crate) fn said(reply: &Reply) -> String {
    json::text(&reply.json(), "/message").unwrap_or_default().to_ascii_lowercase()
}

pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, name, said, words) = (reply.status(), name(reply), said(reply), status::words(reply));
    let says = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    Some(match (status, name.as_str()) {
        // E-mails that are used up: tomorrow there are more, which a look an hour will find.
        (429, "daily_quota_exceeded") => error::rate_limited(Some(3600), None),
        (429, "monthly_quota_exceeded") => error::permanent(name, words),
        (429, _) => {
            let wait = reply.seconds("retry-after").or_else(|| reply.seconds("ratelimit-reset"));
            error::rate_limited(wait, Some("team"))
        }
        // Without Resend's name it is a firewall in front of it that speaks, and `classify` knows the rest.
        (_, "") => return (status == 404).then(|| error::retryable(404, words)),
        (401 | 403, "restricted_api_key") => error::credentials(Trouble::Permission, name, words),
        (401 | 403, "missing_api_key" | "invalid_api_key") => error::credentials(Trouble::Invalid, name, words),
        // So is a key answered that has not even the form of one.
        (400 | 401 | 403, _) if says(&["api key"]) => error::credentials(Trouble::Invalid, name, words),
        (400 | 403 | 422, _) if says(&["quota", "upgrade", "your plan"]) => error::permanent(name, words),
        (403, _) => error::permanent(name, words),
        // It was there a moment ago.
        (404, _) => error::retryable(name, words),
        // Somebody was faster: the next look will find them.
        (400 | 422, _) if says(&["already exist"]) => error::retryable(name, words),
        // A look sends nothing but the address.
        (400 | 422, _) if reply.call() == "find" || says(&["email"]) => error::rejected("email", name, words),
        (400 | 422, _) => error::rejected("contact", name, words),
        _ => return None,
    })
}
