//! What Moosend's answers mean: the vendor says 200 to nearly everything and puts the truth into `Code`. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

// As the official client names them.
const KEY_NOT_VALID: i64 = 104;
const LIST_NOT_FOUND: i64 = 200;
pub(crate) const MEMBER_NOT_FOUND: i64 = 300;
const VALIDATION_ERROR: i64 = 501;
/// What to wait after a throttle, in seconds: the limits' whole window.
const WINDOW_S: u32 = 10;

/// Sends it. The answer's `Context`, or what its `Code` means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    context(call.send()?)
}

/// The answer's `Context`, or what its `Code` means.
pub(crate) fn context(reply: Reply) -> Result<json::Value, Error> {
    let (call, body) = (reply.call().to_owned(), reply.json());
    match json::number(&body, "/Code") {
        Some(code) if code != 0 => return Err(refusal(&call, code, &body)),
        _ if reply.status() == 429 => return Err(throttled(&call)),
        _ => {}
    }
    let context = json::at(&reply.ok()?.need_json()?, "/Context").cloned();
    context.ok_or_else(|| error::retryable("no-context", format!("{call}: the answer has no Context")))
}

fn throttled(call: &str) -> Error {
    error::rate_limited(Some(WINDOW_S), Some(if call == "subscribe" { "subscribe" } else { "others" }))
}

/// Known codes first; any other by its words.
fn refusal(call: &str, code: i64, body: &json::Value) -> Error {
    let said = json::first_text(body, &["/Error", "/Context/Messages/0/Message"]).unwrap_or_else(|| "no words".to_owned());
    let text = format!("{call}: Code {code}: {said}");
    let words = said.to_ascii_lowercase().replace('_', " ");
    match code {
        429 => throttled(call),
        // First, because the words of a failure inside may name anything.
        500 | 502..=599 => error::retryable(code, text),
        // The member was there a moment ago: the next run looks again.
        MEMBER_NOT_FOUND => error::retryable(code, text),
        _ if code == KEY_NOT_VALID || words.contains("api key") || words.contains("apikey") => {
            error::credentials(Trouble::Invalid, code, text)
        }
        _ if code == LIST_NOT_FOUND || words.contains("list not found") => error::destination_missing(code, text),
        _ if words.contains("email") => error::rejected("email", code, text),
        VALIDATION_ERROR => error::rejected("contact", code, text),
        _ => error::permanent(code, text),
    }
}
