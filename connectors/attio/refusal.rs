//! What Attio's refusals mean: who must act. Knows no stage and no person.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text;

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    reply.ok_or(refusal)?.need_json()
}

/// The vendor's machine code, such as `not_found`.
pub(crate) fn code(reply: &Reply) -> Option<String> {
    json::text(&reply.json(), "/code")
}

/// Not there, or there no more. A record whose merge is not finished is 404 as well, and comes back.
pub(crate) fn is_gone(reply: &Reply) -> bool {
    reply.status() == 404 && code(reply).as_deref() == Some("not_found")
}

fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    // A proxy in front speaks HTML; its 401 or 403 says nothing about the token.
    let code = code(reply)?;
    Some(match (status, code.as_str()) {
        (_, "merge_in_progress") => error::retryable(code, words),
        (_, "billing_error" | "quota_exceeded") => error::permanent(code, words),
        (401, _) => error::credentials(Trouble::Invalid, code, words),
        (403, _) => error::credentials(Trouble::Permission, code, words),
        // The person was deleted a moment ago; the list is there.
        (400 | 404, _) if reply.call() == "enter" && text::lower(&words).contains("parent record") => error::retryable(code, words),
        (404, _) if reply.call() == "enter" => error::destination_missing(code, words),
        // It was there a moment ago.
        (404, _) if matches!(reply.call(), "update" | "move" | "untag") => error::retryable(code, words),
        // The attribute was deleted between reading its options and adding one.
        (404, _) if reply.call() == "make_option" => error::retryable(code, words),
        (429, _) => error::rate_limited(reply.seconds("retry-after"), Some(limit(reply.call()))),
        (400 | 422, _) => error::rejected(field(reply.call(), &text::lower(&words)), code, words),
        _ => return None,
    })
}

/// The manifest's limit that a call draws on. The reset is a date, which the host reads.
fn limit(call: &str) -> &'static str {
    match call {
        "self" | "lists" | "attributes" | "options" | "find" | "record" | "entries" => "reads",
        _ => "writes",
    }
}

/// Our name of what is refused. The vendor names an attribute in its sentence, at best.
fn field(call: &str, said: &str) -> &'static str {
    match call {
        "make_attribute" | "make_option" => "tags",
        _ if said.contains("email") => "email",
        "update" => "fields",
        _ => "contact",
    }
}
