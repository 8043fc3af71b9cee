//! What Iterable's refusals mean: who must act. Knows no stage and no user.

use crm_connector_sdk::prelude::*;

use crate::profile::TAGS;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means. `{"msg", "code", "params"}` is the form of every failure, whatever the status.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    let call = reply.call().to_owned();
    let body = reply.ok_or(|reply| refusal(reply.status(), reply.call(), &reply.json(), reply))?.need_json()?;
    match json::text(&body, "/code").as_deref() {
        None | Some("Success") => Ok(body),
        Some(code) => Err(meaning(200, &call, code, &body).unwrap_or_else(|| error::retryable(code, message(&call, &body)))),
    }
}

/// A look that is refused because nobody has the address; today's answer is 200 with an empty object.
pub(crate) fn is_nobody(reply: &Reply) -> bool {
    reply.status() == 400 && json::text(&reply.json(), "/code").as_deref() == Some("UnknownEmailError")
}

/// `None` for what is as usual, and for a page that Iterable did not write: a firewall refuses with 403 as well.
fn refusal(status: u16, call: &str, body: &json::Value, reply: &Reply) -> Option<Error> {
    if status == 429 {
        let wait = reply.seconds("retry-after").or_else(|| json::number(body, "/params/rateLimitReset").and_then(|s| s.try_into().ok()));
        return Some(error::rate_limited(wait, Some(limit(call))));
    }
    json::text(body, "/msg")?;
    // Test data and the official client know refusals whose code is "Success".
    meaning(status, call, &json::text(body, "/code").unwrap_or_default(), body)
}

fn meaning(status: u16, call: &str, code: &str, body: &json::Value) -> Option<Error> {
    let msg = json::text(body, "/msg").unwrap_or_default();
    let told = message(call, body);
    let says = |words: &[&str]| words.iter().any(|word| msg.to_ascii_lowercase().contains(word));
    if says(&["invalidlistid"]) {
        return Some(error::destination_missing(status, told));
    }
    Some(match (status, code) {
        (_, "RateLimitExceeded") => error::rate_limited(None, Some(limit(call))),
        (401 | 403, _) if says(&["ip address", "allowlist", "allow list", "whitelist"]) => {
            error::credentials(Trouble::IpBlocked, code, format!("The key works from certain addresses only. {told}"))
        }
        (403, _) | (_, "Forbidden" | "ForbiddenParamsError") => {
            error::credentials(Trouble::Permission, code, format!("This needs a key of the type Server-side. {told}"))
        }
        // Each run begins with a look, so a key that is refused afterwards is known and may not write: Iterable says the same to both.
        (401, _) | (_, "BadApiKey") if !matches!(call, "lists" | "fields" | "find") => {
            let text = format!("This needs a key of the type Server-side, or the key was deleted just now. {told}");
            error::credentials(Trouble::Permission, code, text)
        }
        (401, _) | (_, "BadApiKey" | "BadAuthorizationHeader" | "Unauthorized") => {
            let text =
                format!("Iterable does not accept this key in this data center: check both, and that the type is Server-side. {told}");
            error::credentials(Trouble::Invalid, code, text)
        }
        (_, "ForgottenUserError" | "InvalidEmailAddressError") => error::rejected("email", code, told),
        // On a change of address: taken, or (with the same code) forgotten.
        (_, "EmailAlreadyExists") if says(&["forgotten"]) => error::rejected("email", code, told),
        (_, "EmailAlreadyExists") => error::retryable(code, told),
        (_, "BadParams") if call == "rename" && says(&["does not exist"]) => error::retryable(code, told),
        (_, "RequestFieldsTypesMismatched") => error::rejected(mismatched(body), code, told),
        (_, "UniqueFieldsLimitExceeded") => error::permanent(code, told),
        (_, "NotFound") if call == "join" => error::destination_missing(code, told),
        (_, "DatabaseError" | "GenericError") => error::retryable(code, told),
        (400, _) => error::rejected("contact", code, told),
        _ => return None,
    })
}

/// The field whose type differs: the errors' keys end in `:::field`, or are the field.
fn mismatched(body: &json::Value) -> String {
    let errors = json::at(body, "/params/validationErrors").and_then(json::Value::as_object);
    let field = errors.and_then(|errors| errors.keys().next()).and_then(|key| key.rsplit(":::").next());
    match field {
        Some(field) if field == TAGS || field.starts_with("rekomi_tags.") => TAGS.to_owned(),
        Some(field) => field.to_owned(),
        None => "contact".to_owned(),
    }
}

/// The vendor's words without its `params`, which repeat addresses and parts of the key.
fn message(call: &str, body: &json::Value) -> String {
    let says = |at| json::text(body, at).unwrap_or_default();
    format!("{call}: {}: {}", says("/code"), says("/msg"))
}

/// The limit that a call draws on, as `connector.toml` names it.
fn limit(call: &str) -> &'static str {
    match call {
        "save" | "untag" | "rename_hybrid" => "writes",
        "join" | "rename" => "memberships",
        "fields" => "schema",
        _ => "reads",
    }
}
