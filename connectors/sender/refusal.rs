//! What Sender's refusals mean: who must act. Knows no stage.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

/// What to wait after a 429 that names no time: the limit's whole window, in seconds.
const WINDOW_S: u32 = 60;

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means; a failure may come inside a 200.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    let words = status::words(&reply);
    let body = reply.ok_or(refusal)?.need_json()?;
    match json::at(&body, "/success") {
        Some(json::Value::Bool(false)) => Err(error::rejected("contact", "not-successful", words)),
        _ => Ok(body),
    }
}

/// Whether a creation was refused because of its groups, and of nothing else.
pub(crate) fn missing_groups(reply: &Reply) -> bool {
    reply.status() == 422 && fields(&reply.json()).first().is_some_and(|field| field.starts_with("groups"))
}

/// Why somebody was not made whom no look shows. Who was made a moment ago is seen some seconds later only, so a taken address is no
/// bad address.
pub(crate) fn not_made(reply: &Reply) -> Error {
    let words = status::words(reply);
    let taken = reply.status() == 409 || ["taken", "already", "exists"].iter().any(|word| words.to_ascii_lowercase().contains(word));
    if taken { error::retryable("taken", words) } else { refusal(reply).unwrap_or_else(|| status::classify(reply)) }
}

/// The answer to a call about a group, which is 200 also for addresses that could not be placed.
pub(crate) fn placed(reply: Reply, email: &str) -> Result<(), Error> {
    let call = reply.call().to_owned();
    let answer = judged(reply)?;
    let lists = |list: &str| json::rows(&answer, list).iter().any(|row| json::text(row, "").is_some_and(|row| lower(&row) == lower(email)));
    if lists("/message/invalid_emails") {
        return Err(error::rejected("email", "invalid_emails", format!("{call}: Sender calls the address invalid")));
    }
    if lists("/message/non_existing_subscribers") {
        return Err(error::retryable("not-there-yet", format!("{call}: Sender does not see the subscriber in its groups yet")));
    }
    Ok(())
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, body) = (reply.status(), reply.json());
    if status == 429 {
        return Some(error::rate_limited(reply.seconds("retry-after").or(Some(WINDOW_S)), Some("token")));
    }
    let words = status::words(reply);
    if !body.is_object() {
        // Not the vendor's words, so it says nothing about token or subscriber.
        return (400..500).contains(&status).then(|| error::retryable(status, words));
    }
    Some(match status {
        401 => error::credentials(Trouble::Invalid, 401, format!("The API access token is wrong or has ended. {words}")),
        403 => error::credentials(
            Trouble::Permission,
            403,
            format!("Sender does not allow this for your account: look for a notice about a review or your plan. {words}"),
        ),
        // They were there a moment ago: the next run finds them, or makes them, by their e-mail.
        404 => error::retryable(404, words),
        // A new subscriber cannot join a group for some seconds.
        400 if ["/non_existing_subscribers", "/message/non_existing_subscribers"]
            .iter()
            .any(|list| !json::rows(&body, list).is_empty()) =>
        {
            error::retryable(400, words)
        }
        400 | 409 | 422 => error::rejected(ours(&body, &words), status, words),
        _ => return None,
    })
}

/// The refused fields as the vendor names them, such as `email` or `fields.{$size}`.
fn fields(body: &json::Value) -> Vec<String> {
    json::at(body, "/errors").and_then(json::Value::as_object).map(|errors| errors.keys().cloned().collect()).unwrap_or_default()
}

/// Our name of what is refused.
fn ours(body: &json::Value, words: &str) -> String {
    let fields = fields(body);
    let first = fields.first().map_or("", String::as_str);
    match first.split('.').next().unwrap_or_default() {
        "email" | "subscribers" => "email",
        "firstname" => "first",
        "lastname" => "last",
        "title" | "groups" => "tags",
        "fields" => first.split_once('.').map_or("fields", |(_, field)| field),
        "" if words.to_ascii_lowercase().contains("email") => "email",
        _ => "contact",
    }
    .to_owned()
}
