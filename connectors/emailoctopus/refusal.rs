//! What EmailOctopus's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// Seconds after a throttle that does not say how many: the block lasts up to a minute.
const BLOCK_S: u32 = 60;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// What kind of problem it is, as the part after `#` of its `type`. None where the answer is not EmailOctopus's own.
pub(crate) fn kind(reply: &Reply) -> Option<String> {
    json::text(&reply.json(), "/type").and_then(|kind| Some(kind.split_once('#')?.1.to_owned()))
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, call, words) = (reply.status(), reply.call(), status::words(reply));
    if status == 429 {
        let wait = reply.seconds("x-ratelimit-retry-after").or_else(|| reply.seconds("retry-after"));
        return Some(error::rate_limited(wait.or(Some(BLOCK_S)), Some("key")));
    }
    let Some(kind) = kind(reply) else {
        // The vendor says so itself: what is no JSON has not reached its server.
        return (400..500).contains(&status).then(|| error::retryable(status, words));
    };
    Some(match (status, kind.as_str()) {
        (401, _) => error::credentials(Trouble::Invalid, 401, format!("{words}. Keys labelled legacy do not work: make a new one.")),
        (403, _) if call == "test" || call == "lists" => error::credentials(Trouble::Permission, 403, words),
        // A list of another account, or none.
        (403, _) => error::destination_missing(403, words),
        // It was there a moment ago: the next run looks again.
        (404, _) if matches!(call, "update" | "move" | "untag") => error::retryable(404, words),
        (404, _) => error::destination_missing(404, words),
        (422, "out-of-limits") => error::permanent("out-of-limits", words),
        (422, _) => unprocessable(&reply.json(), words),
        (400 | 405 | 415, _) => error::permanent(status, words),
        _ => return None,
    })
}

/// Which datum it is that the vendor does not take: the pointer of the first complaint leads to it.
fn unprocessable(body: &json::Value, words: String) -> Error {
    let pointer = json::text(body, "/errors/0/pointer").unwrap_or_default();
    match pointer.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["email_address", ..] => error::rejected("email", 422, words),
        ["tags" | "tag", ..] => error::rejected("tags", 422, words),
        ["fields", field, ..] => error::rejected(field, 422, words),
        _ if json::text(body, "/errors/0/parameter").as_deref() == Some("list_id") => error::destination_missing(422, words),
        _ => error::rejected("contact", 422, words),
    }
}
