//! What Close's refusals mean: who must act. It has no codes; the status speaks, and `field-errors` name what is refused.

use crm_connector_sdk::{prelude::*, text};

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// The rows of a good answer. One without a list of them proves nothing about who is there.
pub(crate) fn rows(answer: &json::Value) -> Result<&[json::Value], Error> {
    match json::at(answer, "/data") {
        Some(json::Value::Array(rows)) => Ok(rows),
        _ => Err(error::retryable("no-data", "the answer holds no list")),
    }
}

/// Close's own word, and not that of a proxy.
pub(crate) fn is_told(reply: &Reply) -> bool {
    reply.json().is_object()
}

pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    let is_one_contact = matches!(reply.call(), "contact" | "update" | "untag");
    Some(match status {
        401 if !words.ends_with("(an HTML page)") => error::credentials(
            Trouble::Invalid,
            401,
            format!("Close does not accept this API key. A key goes on after a dot; the part before it is only its ID. {words}"),
        ),
        402 => error::permanent(402, words),
        403 if !is_told(reply) => return None,
        // One contact whom the key's user may not see or change must not stop everybody else's syncs.
        403 if is_one_contact => error::rejected("contact", 403, words),
        403 => error::credentials(Trouble::Permission, 403, format!("The user of this API key lacks a permission. {words}")),
        // The contact was there a moment ago: the next attempt looks again.
        404 if is_one_contact => error::retryable(404, words),
        404 if reply.call() == "add_choices" => error::stale(["tag_field"]),
        429 => error::rate_limited(wait(reply), Some(limit(reply.call()))),
        // The address is only a value in it, so what is refused is our filter.
        400 if reply.call() == "search" => error::permanent(400, words),
        400 => {
            let said = text::lower(&reply.text());
            if said.contains("status_id") {
                return Some(error::destination_missing(400, words));
            }
            error::rejected(field(reply.call(), &said), 400, words)
        }
        _ => return None,
    })
}

/// Seconds to wait: `Retry-After`, else the reset in `RateLimit: limit=100, remaining=0, reset=5`, one more for a fraction.
fn wait(reply: &Reply) -> Option<u32> {
    let told = reply.header("ratelimit").and_then(|told| told.split(',').find_map(|part| part.trim().strip_prefix("reset=")));
    let reset = told.and_then(|seconds| seconds.split('.').next()?.parse::<u32>().ok()).map(|whole| whole.saturating_add(1));
    reply.seconds("retry-after").or(reset)
}

/// The manifest's limit of a call: Close counts by groups of endpoints.
fn limit(call: &str) -> &'static str {
    match call {
        "search" => "search",
        "create" => "leads",
        "update" | "untag" => "contacts",
        "add_field" | "add_choices" => "fields",
        _ => "reads",
    }
}

/// Our name of what is refused.
fn field(call: &str, said: &str) -> &'static str {
    match call {
        "add_field" | "add_choices" => "tags",
        _ if said.contains("custom.") || said.contains("custom field") => "fields",
        _ if said.contains("email") => "email",
        _ => "contact",
    }
}
