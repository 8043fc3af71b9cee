//! What Mailchimp's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// The title of the 400 about someone who unsubscribed, bounced, or is under review.
pub(crate) const COMPLIANCE: &str = "Member In Compliance State";

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    accepted(reply)?.need_json()
}

/// The answer where its content decides nothing, or what its failure means.
pub(crate) fn accepted(reply: Reply) -> Result<Reply, Error> {
    reply.ok_or(refusal)
}

/// The one part of a problem report that is fixed; details are prose. Empty when the vendor's application did not answer.
pub(crate) fn title(reply: &Reply) -> String {
    if reply.is_ok() { String::new() } else { json::text(&reply.json(), "/title").unwrap_or_default() }
}

fn refusal(reply: &Reply) -> Option<Error> {
    let (words, title) = (status::words(reply), title(reply));
    let lower = title.to_ascii_lowercase();
    let throttled = || error::rate_limited(reply.seconds("retry-after"), Some("connections"));
    Some(match reply.status() {
        // A problem report without a title is none of Mailchimp's: a throttle or a firewall in front of it.
        403 if title.is_empty() => throttled(),
        429 => throttled(),
        401 if !title.is_empty() => {
            error::credentials(Trouble::Invalid, title, format!("A wrong key, or an end that is not its own. {words}"))
        }
        403 if lower.contains("datacenter") => error::credentials(Trouble::WrongRegion, title, words),
        403 if lower.contains("disabled") || lower.contains("compliance") => error::credentials(Trouble::AccountClosed, title, words),
        403 => error::credentials(Trouble::Permission, title, words),
        404 if matches!(reply.call(), "save" | "list_tags" | "list_fields") => error::destination_missing(404, words),
        // The contact was there a moment ago.
        404 => error::retryable(404, words),
        400 | 422 => {
            let code = if title.is_empty() { reply.status().to_string() } else { title };
            error::rejected(field(&reply.json()), code, words)
        }
        _ => return None,
    })
}

/// Our name of the field that the first entry of `errors` is about; the address when it names none.
fn field(problem: &json::Value) -> String {
    match json::text(problem, "/errors/0/field").as_deref() {
        None | Some("email_address" | "email address") => "email".to_owned(),
        Some("FNAME") => "first".to_owned(),
        Some("LNAME") => "last".to_owned(),
        Some(other) => other.to_owned(),
    }
}
