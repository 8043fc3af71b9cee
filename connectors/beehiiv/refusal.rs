//! What beehiiv's refusals mean: who must act. Knows no stage and no subscription.

use crm_connector_sdk::prelude::*;

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    accepted(reply)?.need_json()
}

/// The answer where its content decides nothing, or what its failure means.
pub(crate) fn accepted(reply: Reply) -> Result<Reply, Error> {
    reply.ok_or(refusal)
}

fn refusal(reply: &Reply) -> Option<Error> {
    let words = status::words(reply);
    // A page for browsers comes from something in front of beehiiv and proves nothing about the key.
    let is_theirs = !reply.json().is_null();
    Some(match (reply.status(), reply.call()) {
        (401, _) if is_theirs => error::credentials(Trouble::Invalid, 401, words),
        (403, _) if is_theirs => error::credentials(Trouble::Permission, 403, words),
        // Nobody was found, so what is missing now is the publication.
        (404, "subscribe" | "list_fields") => error::destination_missing(404, words),
        // The subscription was there a moment ago.
        (404, "update" | "tag" | "untag") => error::retryable(404, words),
        (405, "untag") => error::unsupported(words),
        (429, _) => error::rate_limited(reply.seconds("retry-after"), Some("organization")),
        (400 | 422, "find" | "subscribe") => error::rejected("email", reply.status(), words),
        (400 | 422, "tag" | "untag") => error::rejected("tags", reply.status(), words),
        (400 | 422, "update") => error::rejected("fields", reply.status(), words),
        _ => return None,
    })
}
