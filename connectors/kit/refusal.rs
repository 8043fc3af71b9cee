//! What Kit's refusals mean: who must act. Knows no stage and no subscriber.

use crm_connector_sdk::prelude::*;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// Kit's own words; it has no codes. None where a proxy or the limiter answered in its stead.
pub(crate) fn told(reply: &Reply) -> Option<String> {
    json::text(&reply.json(), "/errors/0")
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, call) = (reply.status(), reply.call());
    if status == 429 {
        // "Retry later", in plain text and without a time: the limit's whole window.
        return Some(error::rate_limited(reply.seconds("retry-after").or(Some(60)), Some("key")));
    }
    let Some(told) = told(reply) else {
        return (400..500).contains(&status).then(|| error::retryable(status, status::words(reply)));
    };
    let says = |words: &[&str]| words.iter().any(|word| told.to_ascii_lowercase().contains(word));
    let unpaid = "Kit also says this when a trial has ended or a payment has failed.";
    Some(match status {
        401 if says(&["trial", "payment", "plan", "upgrade", "billing"]) => error::credentials(Trouble::AccountClosed, 401, told),
        401 => error::credentials(Trouble::Invalid, 401, format!("{told}. {unpaid}")),
        403 => error::permanent(403, told),
        404 if call == "form" || call == "sequence" => error::destination_missing(404, format!("{call}: {told}")),
        404 => error::retryable(404, status::words(reply)),
        422 if says(&["email"]) => error::rejected("email", 422, told),
        // The custom field for last names was deleted.
        422 if says(&["last_name", "last name"]) => error::stale([crate::LAST_NAME]),
        422 => error::rejected(told.split(['\'', '"']).nth(1).unwrap_or("contact"), 422, &told),
        _ => return None,
    })
}
