//! What an answer must hold, and what Constant Contact's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)?.need_json()
}

/// The answer, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<Reply, Error> {
    reply.ok_or(|reply| {
        let (words, body) = (status::words(reply), reply.json());
        // One object, or a list of them.
        let key = json::first_text(&body, &["/error_key", "/0/error_key"]).unwrap_or_default();
        Some(match reply.status() {
            // A page instead of an answer is some firewall's, and says nothing about the grant.
            401 | 403 if body.is_null() => return None,
            401 => error::credentials(Trouble::Invalid, 401, format!("The grant is no longer accepted: connect again. {words}")),
            403 => error::credentials(Trouble::Permission, 403, format!("A privilege or scope is lacking. {words}")),
            // Back at midnight UTC, and nobody here knows the time: asked again every quarter of an hour.
            429 if key == "quota_exceeded" => error::rate_limited(Some(900), Some("day")),
            429 if words.contains("queued activities") => error::rate_limited(Some(300), Some("queue")),
            429 => error::rate_limited(Some(2), Some("second")),
            _ => return None,
        })
    })
}

/// What an answer must hold to be one.
pub(crate) fn need(body: &json::Value, at: &str) -> Result<String, Error> {
    json::text(body, at).ok_or_else(|| error::retryable("no-id", format!("the answer has no {at}")))
}

/// The rows of an answer. Without them it is no empty list: it could hide that someone opted out.
pub(crate) fn rows(body: &json::Value, at: &str) -> Result<Vec<json::Value>, Error> {
    let rows = json::at(body, at).and_then(json::Value::as_array);
    rows.cloned().ok_or_else(|| error::retryable("no-rows", format!("the answer has no {at}")))
}
