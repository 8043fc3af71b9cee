//! What HubSpot's refusals mean: who must act. Knows no stage.

use crm_connector_sdk::prelude::*;

use crate::options::TAGS;

const MAKER_LEFT: &str = "USER_DOES_NOT_HAVE_PERMISSIONS";

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// As [`answer`], and `None` where there is no such thing.
pub(crate) fn unless_404(call: Call) -> Result<Option<json::Value>, Error> {
    let reply = call.send()?;
    if reply.status() == 404 { Ok(None) } else { reply.ok_or(refusal)?.need_json().map(Some) }
}

/// The id at the end of "Contact already exists. Existing ID: 51".
pub(crate) fn existing(reply: &Reply) -> Option<String> {
    let message = json::text(&reply.json(), "/message").filter(|_| reply.status() == 409)?;
    let id: String = message.split_once("Existing ID:")?.1.trim_start().chars().take_while(char::is_ascii_digit).collect();
    (!id.is_empty()).then_some(id)
}

/// The refused property and why: in `errors`, or in JSON at the end of the message.
fn offender(reply: &Reply) -> (String, String) {
    let body = reply.json();
    let message = json::text(&body, "/message").unwrap_or_default();
    let inner = |key: &str| Some(message.split_once(&format!("\"{key}\":\""))?.1.split('"').next()?.to_owned());
    let name = json::text(&body, "/errors/0/context/propertyName/0").or_else(|| inner("name")).unwrap_or_else(|| "contact".to_owned());
    (name, json::text(&body, "/errors/0/code").or_else(|| inner("error")).unwrap_or_else(|| "400".to_owned()))
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, body, wait) = (reply.status(), reply.json(), reply.seconds("retry-after"));
    let (category, words) = (json::text(&body, "/category").unwrap_or_default(), status::words(reply));
    Some(match (status, category.as_str()) {
        // The day ends at the account's midnight, which nobody says: a look an hour.
        (429, _) if body["policyName"] == "DAILY" => error::rate_limited(wait.or(Some(3600)), Some("day")),
        (429, _) => error::rate_limited(wait.or(Some(10)), Some("window")),
        (477, _) => error::rate_limited(wait.or(Some(3600)), None), // being moved to another data centre
        (401, "EXPIRED_AUTHENTICATION") => error::credentials(Trouble::Expired, category, words),
        (401, "INVALID_AUTHENTICATION") => error::credentials(Trouble::Invalid, category, words),
        // Whoever made the private app has left the account, or is no super admin any more. In which key it stands is not documented.
        (400..=403, _) if words.contains(MAKER_LEFT) => error::credentials(Trouble::Permission, MAKER_LEFT, words),
        (403, "MISSING_SCOPES") => error::credentials(Trouble::Permission, category, words),
        (403, _) if !category.is_empty() => error::permanent(category, words),
        (400 | 404, _) if reply.call() == "join" && body.is_object() => error::destination_missing(status, words),
        // An option or the property is gone: the host prepares anew.
        (400, _) if body.is_object() && offender(reply).0 == TAGS => error::stale([TAGS]),
        (400, _) if body.is_object() => error::rejected(offender(reply).0, offender(reply).1, words),
        // A contact deleted meanwhile; or not HubSpot's words but those of something in between.
        (400 | 404, _) => error::retryable(status, words),
        _ => return None,
    })
}
