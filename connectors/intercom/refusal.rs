//! What Intercom's refusals mean: who must act. Its codes decide; where there is none, somebody else answered in its stead.

use crm_connector_sdk::{prelude::*, text};

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// The rows of a good answer. One without a list of them proves nothing about who is there.
pub(crate) fn rows(answer: &json::Value) -> Result<&[json::Value], Error> {
    match json::at(answer, "/data") {
        Some(json::Value::Array(rows)) => Ok(rows),
        _ => Err(error::retryable("no-data", "the answer holds no list")),
    }
}

/// Intercom's own word, and not that of a proxy.
pub(crate) fn is_told(reply: &Reply) -> bool {
    json::text(&reply.json(), "/errors/0/code").is_some()
}

/// "User Not Found" about a person, "Resource Not Found" about a tag.
pub(crate) fn is_about_person(reply: &Reply) -> bool {
    let said = text::lower(&json::text(&reply.json(), "/errors/0/message").unwrap_or_default());
    said.contains("user") || said.contains("contact")
}

pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words, body) = (reply.status(), status::words(reply), reply.json());
    let code = json::text(&body, "/errors/0/code").unwrap_or_default();
    if status == 429 || matches!(code.as_str(), "rate_limit_exceeded" | "too_many_requests" | "retry_after") {
        // The reset is a point in time, which the host's limiter reads: there is no clock here.
        return Some(error::rate_limited(reply.seconds("retry-after"), Some("app")));
    }
    let trouble = match (status, code.as_str()) {
        // Without a code somebody else has answered.
        (_, "") => None,
        (_, "api_plan_restricted" | "token_blocked") => Some(Trouble::AccountClosed),
        (_, "token_expired") => Some(Trouble::Expired),
        (403, _) | (401, "token_unauthorized") => Some(Trouble::Permission),
        (401, _) => Some(Trouble::Invalid),
        _ => None,
    };
    if let Some(trouble) = trouble {
        return Some(error::credentials(trouble, code, words));
    }
    Some(match status {
        400 | 422 => error::rejected(field(reply.call(), &body), if code.is_empty() { status.to_string() } else { code }, words),
        // The person was there a moment ago: the next attempt looks for them again.
        404 | 410 => error::retryable(status, words),
        _ => return None,
    })
}

/// Our name of what is refused. The vendor names a field at times, and else speaks of it.
fn field(call: &str, body: &json::Value) -> &'static str {
    let said =
        ["/errors/0/field", "/errors/0/message"].into_iter().filter_map(|place| json::text(body, place)).collect::<Vec<_>>().join(" ");
    let said = text::lower(&said);
    match call {
        "create_tag" | "tag" | "untag" => "tags",
        _ if said.contains("attribute") => "fields",
        _ if said.contains("email") => "email",
        _ => "contact",
    }
}
