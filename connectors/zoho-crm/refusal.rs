//! What Zoho CRM's answers mean, and who must act when they are failures. Knows no stage and no contact.

use crm_connector_sdk::{prelude::*, text};

/// Credits come back bit by bit over 24 hours: asking every minute would only spend them.
const CREDITS_S: u32 = 900;

/// Sends it. The answer's JSON; null for 204.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON; null for 204. A row that failed inside a good answer is a failure.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    let body = reply.json();
    let mut failed = ["/data/0", "/tags/0", ""].iter().filter_map(|at| json::at(&body, at));
    if let Some(row) = failed.find(|row| json::text(row, "/status").as_deref() == Some("error")) {
        return Err(refusal(&reply, row));
    }
    let reply = reply.ok()?;
    if reply.status() == 204 { Ok(json::Value::Null) } else { reply.need_json() }
}

/// Zoho has codes, at the top or in the row; the status says little.
fn refusal(reply: &Reply, row: &json::Value) -> Error {
    let code = json::text(row, "/code").unwrap_or_else(|| reply.status().to_string());
    let field = json::first_text(row, &["/details/api_name", "/details/json_path"]).unwrap_or_default();
    let message = json::text(row, "/message").unwrap_or_default();
    let words = format!("{}: {code} {field}: {message}", reply.call());
    let ours = [("", "contact"), ("Email", "email"), ("First_Name", "first"), ("Last_Name", "last"), ("Company", "company")];
    let ours = ours.iter().find(|(theirs, _)| *theirs == field).map_or(field.as_str(), |(_, ours)| *ours);
    match code.as_str() {
        "INVALID_TOKEN" | "INVALID_OAUTHTOKEN" | "AUTHENTICATION_FAILURE" => error::credentials(Trouble::Invalid, code, words),
        "OAUTH_SCOPE_MISMATCH" | "NO_PERMISSION" | "AUTHORIZATION_FAILED" => error::credentials(Trouble::Permission, code, words),
        "TOO_MANY_REQUESTS" => throttled(reply, &text::lower(&message)),
        "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR" => error::retryable(code, words),
        "INVALID_MODULE" | "INVALID_URL_PATTERN" => error::destination_missing(code, words),
        "LIMIT_EXCEEDED" | "LIMIT_REACHED" | "LICENSE_LIMIT_EXCEEDED" => error::permanent(code, words),
        // A tag that was deleted: all are looked up again.
        "INVALID_DATA" if reply.call() == "tag" && !field.is_empty() => error::stale(Vec::<String>::new()),
        // The record went between two calls: the next run looks for the person again.
        "INVALID_DATA" if field.is_empty() && matches!(reply.call(), "tag" | "untag" | "fill") => error::retryable(code, words),
        _ if matches!(reply.status(), 200..=299 | 400 | 409 | 422) => error::rejected(ours, code, words),
        _ => status::classify(reply),
    }
}

/// Three limits have one code; only the words tell them apart.
fn throttled(reply: &Reply, message: &str) -> Error {
    let credits = message.contains("credit") || message.contains("24 hours") || message.contains("day");
    let limit = if credits {
        "credits"
    } else if reply.call() == "find" {
        "heavy"
    } else {
        "at_once"
    };
    error::rate_limited(reply.seconds("retry-after").or(credits.then_some(CREDITS_S)), Some(limit))
}
