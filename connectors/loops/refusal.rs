//! What Loops's refusals mean: who must act. There are no codes, only sentences. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// Sends it; the answer's JSON, or what its failure means. `success: false` is a failure whatever the status.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    let reply = call.send()?;
    if reply.is_ok() && json::at(&reply.json(), "/success") == Some(&json::Value::Bool(false)) {
        return Err(refused(&reply));
    }
    reply.ok_or(refusal)?.need_json()
}

/// The vendor's sentence, wherever it stands; `None` where something in front of Loops answered in its stead.
fn told(reply: &Reply) -> Option<String> {
    json::first_text(&reply.json(), &["/message", "/error/message", "/error"])
}

fn refusal(reply: &Reply) -> Option<Error> {
    let status = reply.status();
    Some(match (status, told(reply)) {
        // No header says how long; the limit is one of seconds.
        (429, _) => error::rate_limited(reply.seconds("retry-after").or(Some(1)), Some("team")),
        (401, Some(told)) => error::credentials(Trouble::Invalid, 401, format!("{}: {told}", reply.call())),
        // The two identifiers belong to different contacts by now: the next look will see it.
        (409, _) => error::retryable(409, status::words(reply)),
        (400 | 422, Some(_)) => refused(reply),
        (400 | 404, None) => error::retryable(status, status::words(reply)),
        _ => return None,
    })
}

/// Which value is refused stands in the sentence alone.
fn refused(reply: &Reply) -> Error {
    let (status, words) = (reply.status(), status::words(reply));
    let said = told(reply).unwrap_or_default().to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if says(&["mailing list", "mailinglist"]) {
        return error::destination_missing(status, words);
    }
    if says(&["upgrade", "contact limit", "your plan"]) {
        return error::permanent(status, words);
    }
    // A look sends nothing but the address.
    error::rejected(if reply.call() == "find" || says(&["email"]) { "email" } else { "contact" }, status, words)
}
