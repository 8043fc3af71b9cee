//! What Klaviyo's refusals mean: who must act. Knows no stage and no profile.

use crm_connector_sdk::prelude::*;

/// Sends it; the reply when it is good, or what its failure means.
pub(crate) fn sent(call: Call) -> Result<Reply, Error> {
    call.send()?.ok_or(refusal)
}

/// As [`sent`], and the answer's JSON.
pub(crate) fn judged(call: Call) -> Result<json::Value, Error> {
    sent(call)?.need_json()
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, call, body, wait) = (reply.status(), reply.call(), reply.json(), reply.seconds("retry-after"));
    let told = json::first_text(&body, &["/errors/0/detail", "/errors/0/title"]).unwrap_or_default();
    let pointer = json::text(&body, "/errors/0/source/pointer").unwrap_or_default();
    Some(match (status, json::text(&body, "/errors/0/code")) {
        // Each endpoint has a window of a second and one of a minute.
        (429, _) if wait.is_some_and(|wait| wait <= 1) => error::rate_limited(wait, Some(&format!("{call}_s"))),
        (429, _) => error::rate_limited(wait, Some(&format!("{call}_min"))),
        // Not Klaviyo's words but those of something in between, such as a firewall's page.
        (400..500, None) => error::retryable(status, status::words(reply)),
        (400 | 401, Some(code)) if status == 401 || code.contains("auth") => error::credentials(Trouble::Invalid, code, told),
        (403, Some(code)) => error::credentials(Trouble::Permission, code, format!("{call}: {told}")),
        (404, Some(code)) if matches!(call, "join" | "leave" | "subscribe" | "member") => error::destination_missing(code, told),
        (400, Some(code)) if pointer.contains("/relationships/list") => error::destination_missing(code, told),
        (400, Some(code)) => error::rejected(pointer.rsplit('/').find(|leaf| !leaf.is_empty()).unwrap_or("contact"), code, told),
        _ => return None,
    })
}
