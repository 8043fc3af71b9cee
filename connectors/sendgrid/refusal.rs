//! What SendGrid's refusals mean: who must act. It has no codes, so its words decide. Knows no stage and no contact.

use crm_connector_sdk::{prelude::*, text};

/// Sends it. The answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    reply.ok_or(refusal)?.need_json()
}

/// The vendor's words in lower case; nothing when they are no JSON, as on a proxy's page.
pub(crate) fn said(reply: &Reply) -> String {
    if reply.json().is_null() { String::new() } else { text::lower(&reply.text()) }
}

fn refusal(reply: &Reply) -> Option<Error> {
    let (said, words) = (said(reply), status::words(reply));
    // A small reset is in seconds. A point in time is for the host, which has a clock.
    let wait = reply.seconds("retry-after").or_else(|| reply.seconds("x-ratelimit-reset").filter(|seconds| *seconds < 100_000));
    Some(match reply.status() {
        401 | 403 if said.contains("whitelisted") => error::credentials(Trouble::IpBlocked, reply.status(), words),
        401 if !said.is_empty() => error::credentials(Trouble::Invalid, 401, format!("Check the API key and the region. {words}")),
        // 403 is also said to stand for too many bad requests: only the words tell.
        code if code == 429 || (code == 403 && said.contains("too many")) => error::rate_limited(wait, Some(reply.call())),
        403 if said.contains("forbidden") => error::credentials(Trouble::Permission, 403, format!("The key needs Marketing. {words}")),
        404 if reply.call() == "lists" => error::credentials(Trouble::WrongRegion, 404, format!("No Marketing API here. {words}")),
        400 if said.contains("email") => error::rejected("email", 400, "SendGrid says that this e-mail address is not valid."),
        400 if said.contains("custom field") => error::rejected("fields", 400, words),
        _ => return None,
    })
}
