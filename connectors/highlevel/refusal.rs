//! What HighLevel's refusals mean: who must act. Knows no stage and no person.

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

/// A contact that was deleted or merged is a 400 with a sentence; 404 is read the same.
pub(crate) fn is_gone(reply: &Reply) -> bool {
    let words = text::lower(&reply.text());
    match reply.status() {
        404 => !reply.json().is_null(),
        400 => words.contains("contact") && words.contains("not found"),
        _ => false,
    }
}

fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    let said = text::lower(&words);
    // A proxy or firewall in front speaks HTML; its 401 or 403 says nothing about the token.
    let is_theirs = !reply.json().is_null();
    Some(match status {
        401 if said.contains("version header") => error::permanent(401, words),
        401 if said.contains("scope") => error::credentials(Trouble::Permission, 401, words),
        401 if is_theirs => error::credentials(Trouble::Invalid, 401, words),
        403 if is_theirs => error::credentials(Trouble::Permission, 403, words),
        429 => throttled(reply),
        400 | 404 if is_theirs && reply.call() == "location" => {
            error::credentials(Trouble::Invalid, status, format!("the location ID is not one of HighLevel's. {words}"))
        }
        // What is not found may be the contact as well.
        400 | 404 | 422
            if is_theirs && reply.call() == "enrol" && (said.contains("workflow") || status == 404 && !said.contains("contact")) =>
        {
            error::destination_missing(status, words)
        }
        // It was there a moment ago.
        _ if is_gone(reply) => error::retryable(status, words),
        400 | 422 => error::rejected(field(&said), status, words),
        _ => return None,
    })
}

/// A spent day says nothing about its end; the burst's window is ten seconds.
fn throttled(reply: &Reply) -> Error {
    let after = reply.seconds("retry-after");
    if reply.header("x-ratelimit-daily-remaining") == Some("0") {
        return error::rate_limited(after, Some("daily"));
    }
    let window = reply.seconds("x-ratelimit-interval-milliseconds").map(|ms| ms.div_ceil(1000));
    error::rate_limited(after.or(window), Some("burst"))
}

/// Our name of what is refused. The vendor names the property in its sentence.
fn field(said: &str) -> &'static str {
    match said {
        said if said.contains("email") => "email",
        said if said.contains("customfield") || said.contains("custom field") || said.contains("field_value") => "fields",
        said if said.contains("tags") => "tags",
        _ => "contact",
    }
}
