//! What GetResponse's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)?.need_json()
}

/// The rows of an answer. Anything else is no empty list: it could hide that someone left.
pub(crate) fn rows(body: &json::Value) -> Result<Vec<json::Value>, Error> {
    body.as_array().cloned().ok_or_else(|| error::retryable("no-rows", "the answer is no list"))
}

/// The vendor's code decides, not the status: the same code is documented with two statuses.
pub(crate) fn judged(reply: Reply) -> Result<Reply, Error> {
    reply.ok_or(|reply| {
        let (status, words, body) = (reply.status(), status::words(reply), reply.json());
        let wait = json::text(&body, "/context/timeToReset").and_then(|text| text.split(' ').next()?.parse().ok());
        let limit = if json::number(&body, "/context/currentLimit") == Some(30_000) { "window" } else { "second" };
        let refused = |trouble, say: &str| Some(error::credentials(trouble, status, format!("{say} {words}")));
        let speaks_of_list = reply.call().starts_with("find") && reply.text().to_ascii_lowercase().contains("campaign");
        match json::number(&body, "/code") {
            // A look speaks of nothing but the address and the list.
            Some(1000..=1013) if speaks_of_list => Some(error::destination_missing(status, words)),
            Some(1014) => refused(Trouble::Invalid, "The API key is refused: check key and edition; unused keys end after 90 days."),
            Some(1021 | 1024) => refused(Trouble::WrongRegion, "GetResponse MAX does not know this domain (X-Domain)."),
            Some(1018) => refused(Trouble::IpBlocked, "This host's address is blocked."),
            Some(1023) => refused(Trouble::Permission, "The key may not use this list or account."),
            Some(1017) => refused(Trouble::AccountClosed, "GetResponse blocked the API for this account."),
            Some(1016) => Some(error::rate_limited(wait.or(Some(600)), Some("window"))),
            Some(1027) => Some(error::permanent(1027, words)),
            _ if status == 429 => Some(error::rate_limited(reply.seconds("retry-after").or(wait).or(Some(1)), Some(limit))),
            _ => None,
        }
    })
}
