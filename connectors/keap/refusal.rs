//! What Keap's refusals mean: who must act. Two shapes of errors, the API's own and its gateway's. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// The answer, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<Reply, Error> {
    reply.ok_or(refusal)
}

/// What an answer must hold to be one.
pub(crate) fn need(body: &json::Value, at: &str) -> Result<String, Error> {
    json::text(body, at).ok_or_else(|| error::retryable("no-id", format!("the answer has no {at}")))
}

/// Keap's words: `message`, or `fault.faultstring` where the gateway answers. None where a proxy answered in its stead.
pub(crate) fn told(reply: &Reply) -> Option<String> {
    json::first_text(&reply.json(), &["/message", "/fault/faultstring", "/status"])
}

/// What a failure means; `None` for what is as usual.
fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));

    let says = |what: &[&str]| what.iter().any(|what| words.to_ascii_lowercase().contains(what));
    // Not in the API's description: the gateway says it before the API is asked, and may say it with 500.
    if status == 429 || says(&["policies.ratelimit"]) {
        // The account's own header holds two windows, minute and day: `0|8622`.
        let spent = |header: &str, window: usize| reply.header(header).and_then(|left| left.split('|').nth(window)) == Some("0");
        let (limit, wait) = if says(&["spikearrest", "spike arrest"]) {
            ("second", 1)
        } else if spent("x-keap-product-quota-available", 0) {
            // Anew at midnight UTC, and nobody here knows the time: asked again every quarter of an hour.
            ("day", 900)
        } else if spent("x-keap-tenant-throttle-available", 1) {
            ("account_day", 900)
        } else if spent("x-keap-tenant-throttle-available", 0) {
            ("account_minute", 60)
        } else {
            ("minute", 60)
        };
        return Some(error::rate_limited(Some(wait), Some(limit)));
    }
    // A page instead of an answer is some firewall's, and says nothing about the key or the contact.
    if told(reply).is_none() {
        return (400..500).contains(&status).then(|| error::retryable(status, words));
    }
    Some(match (status, reply.call()) {
        (401, _) if says(&["expired"]) => error::credentials(Trouble::Expired, 401, words),
        (401, _) => error::credentials(Trouble::Invalid, 401, words),
        (403, _) => error::credentials(Trouble::Permission, 403, format!("The key's user may not do this. {words}")),
        // Deleted or merged between the look and the call: the next run looks again.
        (404, "fill" | "move") => error::retryable(404, words),
        (400, "create" | "move") if says(&["email"]) => error::rejected("email", 400, words),
        (400, "create" | "fill") if says(&["given_name", "first name"]) => error::rejected("first", 400, words),
        (400, "create" | "fill") if says(&["family_name", "last name"]) => error::rejected("last", 400, words),
        (400, "create") if says(&["custom"]) => error::rejected("fields", 400, words),
        _ => return None,
    })
}
