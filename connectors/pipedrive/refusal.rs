//! What Pipedrive's refusals mean: who must act. Knows no stage and no person.

use crm_connector_sdk::prelude::*;

/// What to wait after a block that names no time: whoever goes on after a 429 is kept out.
const BLOCKED_S: u32 = 60;

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    let words = status::words(&reply);
    let body = reply.ok_or(refusal)?.need_json()?;
    match json::at(&body, "/success") {
        Some(json::Value::Bool(false)) => Err(error::retryable("not-successful", words)),
        _ => Ok(body),
    }
}

fn refusal(reply: &Reply) -> Option<Error> {
    let (words, body) = (status::words(reply), reply.json());
    let capped = json::text(&body, "/code").filter(|code| code.starts_with("feature_capping_"));
    Some(match reply.status() {
        401 if !body.is_null() => error::credentials(Trouble::Invalid, 401, words),
        402 => error::credentials(Trouble::AccountClosed, 402, words),
        403 if body.is_null() => error::rate_limited(reply.seconds("retry-after").or(Some(BLOCKED_S)), Some("burst")),
        403 => match capped {
            Some(code) => error::permanent(code, words),
            None if reply.call().starts_with("add_") => error::credentials(
                Trouble::Permission,
                403,
                format!("Labels that do not exist yet can be created only with the API token of an admin. {words}"),
            ),
            // One person whom the token's user may see and not change must not stop everybody else's syncs.
            None if matches!(reply.call(), "person" | "update" | "untag") => error::rejected("contact", 403, words),
            None => error::credentials(Trouble::Permission, 403, words),
        },
        // The field that tags were kept in was deleted.
        404 if matches!(reply.call(), "field" | "add_label") => error::stale(["tag_field"]),
        // The person was there a moment ago.
        404 | 410 if matches!(reply.call(), "update" | "untag") => error::retryable(reply.status(), words),
        429 => throttled(reply),
        400 | 422 => error::rejected(field(reply.call(), &words), reply.status(), words),
        _ => return None,
    })
}

/// A spent daily budget says nothing about its end, and its other headers speak of two seconds only.
fn throttled(reply: &Reply) -> Error {
    if reply.header("x-daily-ratelimit-token-remaining") == Some("0") {
        return error::rate_limited(None, Some("daily"));
    }
    let limit = if reply.call() == "search" { "search" } else { "burst" };
    error::rate_limited(reply.seconds("retry-after").or_else(|| reply.seconds("x-ratelimit-reset")), Some(limit))
}

/// Our name of what is refused. The vendor names a field in its sentence, at best.
fn field(call: &str, words: &str) -> &'static str {
    match (call, words.to_ascii_lowercase()) {
        ("add_label" | "add_field", _) => "tags",
        (_, words) if words.contains("label_ids") => "tags",
        (_, words) if words.contains("custom_fields") || words.contains("field_code") => "fields",
        (_, words) if words.contains("email") || words.contains("term") => "email",
        _ => "contact",
    }
}
