//! What Drip's refusals mean: who must act. Knows no stage and no person.

use crm_connector_sdk::prelude::*;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// Drip's own code of the first error; none where a proxy or the hourly limit answered.
fn code(reply: &Reply) -> Option<String> {
    json::text(&reply.json(), "/errors/0/code")
}

/// Nobody has this id or e-mail. A 404 without Drip's words proves nothing.
pub(crate) fn absent(reply: &Reply) -> bool {
    reply.status() == 404 && code(reply).is_some()
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    let said = reply.json();
    let message = json::first_text(&said, &["/errors/0/message", "/message"]).unwrap_or_default().to_ascii_lowercase();
    if message.contains("concurrent") {
        // One write at a time for each person: "retry the call after a short wait". The hourly limit is not spent by it.
        return Some(error::rate_limited(reply.seconds("retry-after").or(Some(5)), None));
    }
    let code = code(reply);
    if status == 429 {
        // "Please try again in an hour": no header says when the hour ends.
        return Some(error::rate_limited(reply.seconds("retry-after").or(Some(3600)), Some("hourly")));
    }
    if status == 401 {
        return Some(error::credentials(Trouble::Invalid, code.unwrap_or_else(|| "401".to_owned()), words));
    }
    let Some(code) = code else {
        // None of Drip's own answers: a proxy or a firewall in front of it.
        return matches!(status, 403 | 404).then(|| error::retryable(status, words));
    };
    Some(match (status, reply.call()) {
        (403, _) if code == "authorization_error" => error::credentials(Trouble::Permission, code, words),
        (403, _) => error::permanent(code, words),
        (404, "save" | "start_series" | "list_series" | "list_tags" | "list_fields") => error::destination_missing(code, words),
        // The person was there a moment ago.
        (404, _) => error::retryable(code, words),
        (400 | 422, _) => {
            let attribute = json::text(&said, "/errors/0/attribute").unwrap_or_default();
            let field = match attribute.rsplit('.').next().unwrap_or_default() {
                "email" | "new_email" => "email",
                "first_name" => "first",
                "last_name" => "last",
                "tags" | "tag" => "tags",
                _ if code == "email_error" => "email",
                "" => "contact",
                other => other,
            };
            error::rejected(field, code, words)
        }
        _ => return None,
    })
}
