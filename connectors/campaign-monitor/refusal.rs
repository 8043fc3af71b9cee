//! What Campaign Monitor's refusals mean: who must act. Its codes decide, not the status: most come with 400, and 401 is said of
//! wrong keys and of foreign ids alike. Knows no stage and no subscriber.

use crm_connector_sdk::prelude::*;

/// Nobody on the list has this address.
pub(crate) const NOT_ON_LIST: i64 = 203;

/// No field of the list has this key.
pub(crate) const NO_SUCH_FIELD: i64 = 253;

/// The vendor's code; none where something in front of it answered.
pub(crate) fn code(reply: &Reply) -> Option<i64> {
    if reply.is_ok() { None } else { json::number(&reply.json(), "/Code") }
}

/// The standing of somebody whom the vendor does not write to because they left, bounced, or were deleted; `None` for all else.
pub(crate) fn left(reply: &Reply) -> Option<Standing> {
    match code(reply)? {
        // On the client's suppression list, unsubscribed, bounced.
        204 | 206 | 207 => Some(Standing::SkippedOptedOut),
        205 => Some(Standing::Archived),
        _ => None,
    }
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    let code = code(reply);
    if status == 429 || code == Some(429) {
        let wait = reply.seconds("x-ratelimit-reset").or_else(|| reply.seconds("retry-after"));
        return Some(error::rate_limited(wait, Some("key")));
    }
    let Some(code) = code else {
        return (400..500).contains(&status).then(|| error::retryable(status, words));
    };
    let message = json::text(&reply.json(), "/Message").unwrap_or_else(|| words.clone());
    Some(match (code, reply.call()) {
        (50 | 100 | 120 | 122, _) => error::credentials(Trouble::Invalid, code, message),
        (121, _) => error::credentials(Trouble::Expired, code, message),
        (60 | 102 | 401 | 403, "clients") => error::credentials(
            Trouble::WrongKind,
            code,
            format!("{message} This key opens no account: enter the account's own key, not a client's."),
        ),
        (60 | 403, _) => error::credentials(Trouble::Permission, code, message),
        // The id of a list or client that is gone, or is another account's.
        (101 | 102 | 401 | 404, _) => error::destination_missing(code, words),
        (1 | 211, _) => error::rejected("email", code, message),
        // Changed by somebody else between our look and our writing: the next attempt looks again.
        (201 | 203 | 208 | 253 | 255, _) => error::retryable(code, words),
        (214 | 215 | 254 | 256..=259, _) => error::permanent(code, words),
        _ if status == 400 => error::rejected("contact", code, message),
        _ => return None,
    })
}
