//! What Flodesk's refusals mean: who must act. Knows no stage and no subscriber.

use crm_connector_sdk::prelude::*;

/// Seconds after a throttle: the limit's whole minute, as nothing says when it ends.
const WINDOW_S: u32 = 60;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// A page for browsers: a proxy answered in Flodesk's stead.
pub(crate) fn is_page(reply: &Reply) -> bool {
    reply.text().trim_start().starts_with('<')
}

/// True when Flodesk's words speak of this.
pub(crate) fn says(reply: &Reply, any: &[&str]) -> bool {
    let words = reply.text().to_ascii_lowercase();
    any.iter().any(|word| words.contains(word))
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    // Errors are {code, message}; one without is not Flodesk's own, and does not prove that a key is bad.
    let own = json::first_text(&reply.json(), &["/code", "/message"]).is_some();
    Some(match status {
        429 => error::rate_limited(reply.seconds("retry-after").or(Some(WINDOW_S)), Some("key")),
        400..=499 if is_page(reply) => error::retryable(status, words),
        401 if own => error::credentials(Trouble::Invalid, status, words),
        403 if own && says(reply, &["plan", "subscription", "trial", "payment", "expired"]) => {
            error::credentials(Trouble::AccountClosed, status, words)
        }
        403 if own => error::credentials(Trouble::Permission, status, words),
        // Whatever it speaks of was there a moment ago, in this run or when the connection was prepared.
        404 => error::retryable(status, words),
        400 | 422 if says(reply, &["email"]) => error::rejected("email", status, words),
        400 | 422 if says(reply, &["segment"]) => error::rejected("tags", status, words),
        _ => return None,
    })
}
