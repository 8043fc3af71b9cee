//! What Ontraport's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// What to wait after a 429 that names no time: the limit's whole window, in seconds.
const WINDOW_S: u32 = 60;

pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means. Ontraport has no machine codes: the status speaks, and `code` inside 200.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    let body = reply.ok_or(refusal)?.need_json()?;
    match json::number(&body, "/code") {
        None | Some(0) => Ok(body),
        Some(code) => Err(error::rejected("contact", code, json::text(&body, "/data").unwrap_or_default())),
    }
}

fn refusal(reply: &Reply) -> Option<Error> {
    let words = status::words(reply);
    Some(match reply.status() {
        // A missing header and a wrong key look the same, so the text names both.
        401 => error::credentials(
            Trouble::Invalid,
            401,
            format!("Missing or wrong Api-Appid or Api-Key header: check the App ID and the API key, both are needed. {words}"),
        ),
        // A firewall in front of the API speaks to browsers; Ontraport itself does not.
        403 if words.ends_with("(an HTML page)") => return None,
        403 => error::credentials(Trouble::Permission, 403, format!("The owner of this API key lacks a permission. {words}")),
        // The contact was there a moment ago: the next run finds it, or makes it, by its e-mail.
        404 if matches!(reply.call(), "move" | "tag" | "untag") => error::retryable(404, words),
        429 => error::rate_limited(reply.seconds("x-rate-limit-reset").or(Some(WINDOW_S)), Some("account")),
        400 | 422 => error::rejected(if matches!(reply.call(), "save" | "move") { "email" } else { "contact" }, reply.status(), words),
        _ => return None,
    })
}
