//! What ActiveCampaign's refusals mean: who must act. Asks `me` when a 403 leaves it open; knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// What to wait after a throttle that names no time, in seconds. The window itself is one second, the vendor's example is 30.
const WAIT_S: u32 = 10;
/// Tells a missing contact from a missing tag or list.
pub(crate) const CONTACT_GONE: &str = "Contact not found";

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)?.need_json()
}

/// The reply when it is good. Some calls answer 200 with `errors` inside.
pub(crate) fn judged(reply: Reply) -> Result<Reply, Error> {
    if reply.is_ok() && json::at(&reply.json(), "/errors").cloned().and_then(body::tidy).is_none() {
        return Ok(reply);
    }
    let (call, words) = (reply.call(), status::words(&reply));
    Err(match reply.status() {
        401 | 403 => forbidden(&reply),
        402 => error::credentials(Trouble::AccountClosed, 402, words),
        429 | 503 => error::rate_limited(reply.seconds("retry-after").or(Some(WAIT_S)), Some("account")),
        404 if call == "me" => error::credentials(Trouble::Invalid, 404, format!("There is no account at this URL. {words}")),
        400 | 404 | 422 if words.contains(CONTACT_GONE) => error::retryable(reply.status(), words),
        404 if matches!(call, "memberships" | "contact_tags") => error::destination_missing(404, words),
        200..=299 | 400 | 404 | 422 if call == "join" => error::destination_missing(reply.status(), words),
        200..=299 | 400 | 422 if words.to_ascii_lowercase().contains("email") => error::rejected("email", reply.status(), words),
        200..=299 => error::rejected("contact", reply.status(), words),
        _ => status::classify(&reply),
    })
}

/// A 403 is a bad key or a user who may not do this; whether the key still names its user tells which.
fn forbidden(reply: &Reply) -> Error {
    let (status, words) = (reply.status(), status::words(reply));
    if reply.call() == "me" {
        return error::credentials(Trouble::Invalid, status, format!("ActiveCampaign refuses the API key (Api-Token). {words}"));
    }
    match Call::new("me").send().and_then(judged) {
        Err(why) => why,
        // A page instead of an answer is some firewall's, not the vendor's word on permissions.
        Ok(_) if reply.json().is_null() => error::retryable(status, words),
        Ok(_) => error::credentials(Trouble::Permission, status, format!("The key's user may not do this. {words}")),
    }
}
