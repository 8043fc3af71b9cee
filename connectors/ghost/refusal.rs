//! What Ghost's refusals mean: who must act. Knows no stage and no member.

use crm_connector_sdk::prelude::*;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    reply.ok_or(refusal)?.need_json()
}

/// Ghost's own words: `context` says why, `message` is a general sentence. Of anything else, what it is.
pub(crate) fn reason(reply: &Reply) -> String {
    let said = json::first_text(&reply.json(), &["/errors/0/context", "/errors/0/message"]);
    said.map_or_else(|| status::words(reply), |said| format!("{}: {said}", reply.call()))
}

/// Something else than Ghost answered.
pub(crate) fn no_ghost(reply: &Reply) -> Error {
    let words = status::words(reply);
    error::credentials(Trouble::WrongRegion, reply.status(), format!("No Ghost Admin API at this address: check the API URL. {words}"))
}

/// Only what Ghost itself says about a key is believed: a 401 or 403 without its error object is a firewall's or a proxy's.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, why, body) = (reply.status(), reason(reply), reply.json());
    let verifying = matches!(reply.call(), "site" | "key_check");
    let field = |name: &str| json::text(&body, &format!("/errors/0/{name}")).unwrap_or_default();
    let (code, kind) = (field("code"), field("type"));
    let credentials = |trouble| Some(error::credentials(trouble, if code.is_empty() { &kind } else { &code }, &why));
    match (status, kind.as_str()) {
        (301 | 302 | 303 | 307 | 308, _) => {
            let to = reply.header("location").unwrap_or("an address that it does not name");
            let text = format!("{}: the site answers with a redirect to {to}. Enter that address as API URL.", reply.call());
            let lasting = verifying || matches!(status, 301 | 308);
            Some(if lasting { error::credentials(Trouble::WrongRegion, status, text) } else { error::retryable(status, text) })
        }
        // A clock that runs wrong makes good tokens look old; no new key would help.
        (401, _) if code == "INVALID_JWT" && ["expired", "maxAge", "active"].iter().any(|word| why.contains(word)) => {
            Some(error::retryable(code, format!("{why}. The clock of the site's server is wrong.")))
        }
        (401, _) if code == "INVALID_API_KEY_TYPE" => credentials(Trouble::WrongKind),
        (401, "UnauthorizedError") => credentials(Trouble::Invalid),
        (400, _) if matches!(code.as_str(), "INVALID_JWT" | "MISSING_ADMIN_API_KID") => credentials(Trouble::Invalid),
        (403, "NoPermissionError") => credentials(Trouble::Permission),
        (403, "HostLimitError") if field("details/name") == "customIntegrations" => credentials(Trouble::Permission),
        (400 | 403, kind) if kind.ends_with("Error") => Some(error::permanent(kind, why)),
        (404, _) if verifying => Some(no_ghost(reply)),
        (404 | 422, _) if reply.call() == "create" && why.contains("newsletter") => Some(error::destination_missing(status, why)),
        // The member went between read and write, or another program answered: the next run looks again.
        (404, _) => Some(error::retryable(404, why)),
        (422, _) => Some(error::rejected(rejected_field(&body), status, why)),
        (429, _) => Some(error::rate_limited(reply.seconds("retry-after"), Some("site"))),
        _ => None,
    }
}

/// Our name of the field, from the place in the body where Ghost has one, else from its own name of it.
fn rejected_field(body: &json::Value) -> &'static str {
    let place = json::first_text(body, &["/errors/0/details/0/instancePath", "/errors/0/property"]).unwrap_or_default();
    let names = [("email", "email"), ("labels", "tags"), ("name", "name")];
    names.iter().find(|(theirs, _)| place.contains(theirs)).map_or("contact", |(_, ours)| ours)
}
