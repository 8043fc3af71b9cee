//! What AWeber's refusals mean: who must act. 403 is said for half a dozen things, told apart by the words. Knows no stage.

use crm_connector_sdk::prelude::*;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn judged_json(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)?.need_json()
}

/// The answer, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<Reply, Error> {
    reply.ok_or(refusal)
}

/// What an answer must hold to be one.
pub(crate) fn need(body: &json::Value, at: &str) -> Result<String, Error> {
    json::text(body, at).ok_or_else(|| error::retryable("no-id", format!("the answer has no {at}")))
}

/// AWeber's own words. None where a proxy or a firewall answered in its stead.
pub(crate) fn told(reply: &Reply) -> Option<String> {
    json::first_text(&reply.json(), &["/error/message", "/error_description", "/error"])
}

/// What a failure means; `None` for what is as usual.
fn refusal(reply: &Reply) -> Option<Error> {
    let (status, call, words) = (reply.status(), reply.call(), status::words(reply));
    if status == 429 {
        return Some(slow_down());
    }
    let Some(told) = told(reply) else {
        return (400..500).contains(&status).then(|| error::retryable(status, words));
    };
    let told = told.to_ascii_lowercase();
    let says = |any: &[&str]| any.iter().any(|what| told.contains(what));
    Some(match status {
        // The wording of OAuth 1, for a request that came without a token.
        400 if says(&["oauth parameter"]) => error::credentials(Trouble::Invalid, status, words),
        400 if says(&["email", "e-mail"]) => error::rejected("email", status, words),
        400 if says(&["custom field", "custom_field"]) => error::rejected("fields", status, words),
        400 if says(&["name"]) => error::rejected("name", status, words),
        401 if says(&["invalid account"]) => error::credentials(Trouble::AccountClosed, status, words),
        401 if says(&["expired"]) => error::credentials(Trouble::Expired, status, words),
        401 => error::credentials(Trouble::Invalid, status, words),
        403 if says(&["rate limit"]) => slow_down(),
        403 if says(&["suspended"]) => error::credentials(Trouble::AccountClosed, status, words),
        // Only adding is refused, and the test call would succeed: the job fails, the connection goes on.
        403 if says(&["on hold", "subscriber limit"]) => error::permanent(status, words),
        403 if says(&["email address", "accepted"]) && call == "create" => error::rejected("email", status, words),
        403 if says(&["authorized", "permission", "scope"]) => error::credentials(Trouble::Permission, status, words),
        // Deleted between the look and the call: the next run looks again.
        404 if matches!(call, "update" | "untag") && !says(&["list with given id"]) => error::retryable(status, words),
        404 if call != "accounts" => error::destination_missing(status, words),
        _ => return None,
    })
}

/// Neither the words nor a header say for how long: the whole window.
fn slow_down() -> Error {
    error::rate_limited(Some(60), Some("account"))
}
