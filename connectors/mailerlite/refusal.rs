//! What MailerLite's refusals mean: who must act. Knows no stage and no subscriber.

use crm_connector_sdk::prelude::*;

/// Seconds after a throttle that does not say how many: the limit's window.
const WINDOW_S: u32 = 60;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// A page for browsers: a proxy answered in MailerLite's stead.
pub(crate) fn is_page(reply: &Reply) -> bool {
    reply.text().trim_start().starts_with('<')
}

/// True when MailerLite's words speak of this.
pub(crate) fn says(reply: &Reply, any: &[&str]) -> bool {
    let words = reply.text().to_ascii_lowercase();
    any.iter().any(|word| words.contains(word))
}

/// The vendor refuses whom it knows to have left: "This subscriber is unsubscribed and cannot be imported".
pub(crate) fn is_opt_out(reply: &Reply) -> bool {
    reply.status() == 422 && says(reply, &["is unsubscribed", "is junk"])
}

/// The names of what a 422 complains about: `email`, `groups.0`, `fields.tier`.
pub(crate) fn complaints(reply: &Reply) -> Vec<String> {
    reply.json()["errors"].as_object().map(|errors| errors.keys().cloned().collect()).unwrap_or_default()
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    // One without the vendor's message is not its own, and does not prove that a token is bad.
    let own = json::text(&reply.json(), "/message").is_some();
    Some(match status {
        429 => error::rate_limited(reply.seconds("retry-after").or(Some(WINDOW_S)), Some("account")),
        400..=499 if is_page(reply) => error::retryable(status, words),
        401 if own => error::credentials(Trouble::Invalid, status, words),
        403 if own && says(reply, &["terminated", "closed", "suspended", "not available"]) => {
            error::credentials(Trouble::AccountClosed, status, words)
        }
        403 if own && says(reply, &["ip address", "ip allow", "whitelist"]) => error::credentials(Trouble::IpBlocked, status, words),
        403 if own => error::credentials(Trouble::Permission, status, words),
        // Whatever it speaks of was there a moment ago.
        404 => error::retryable(status, words),
        // "The subscriber might exceed the current subscriber limit", whichever field it is said of.
        422 if says(reply, &["subscriber limit", "upgrade"]) => error::permanent("plan", words),
        422 => invalid(&complaints(reply), words),
        _ => return None,
    })
}

fn invalid(complaints: &[String], words: String) -> Error {
    let first = complaints.first().map_or("", String::as_str);
    match first.split_once('.').unwrap_or((first, "")) {
        ("email", _) => error::rejected("email", 422, words),
        ("fields", field) => error::rejected(if field.is_empty() { "fields" } else { field }, 422, words),
        ("name" | "groups", _) => error::rejected("tags", 422, words),
        _ => error::rejected("contact", 422, words),
    }
}
