//! What Sailthru's refusals mean: who must act. Its error numbers speak, not the statuses. Knows no stage and no person.

use crm_connector_sdk::prelude::*;

pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means. An error may stand in a 200: its number decides, not the status.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    match refusal(&reply) {
        Some(error) => Err(error),
        None => reply.ok()?.need_json(),
    }
}

pub(crate) fn code(body: &json::Value) -> Option<i64> {
    json::number(body, "/error").filter(|code| *code != 0)
}

pub(crate) fn words(body: &json::Value) -> String {
    json::text(body, "/errormsg").unwrap_or_default()
}

fn refusal(reply: &Reply) -> Option<Error> {
    let body = reply.json();
    let code = code(&body);
    if reply.status() == 429 || code == Some(43) {
        // The reset is a point in time, which the host's limiter reads from the headers itself.
        let limit = match reply.call() {
            "settings" => "get_settings",
            "list" | "lists" => "get_list",
            "person" => "get_user",
            _ => "post_user",
        };
        return Some(error::rate_limited(None, Some(limit)));
    }
    let code = code?;
    let (said, call) = (words(&body), reply.call());
    let text = format!("{call}: {said}");
    Some(match code {
        2 if said.contains("api_key") || said.contains("sig") => error::credentials(
            Trouble::Invalid,
            code,
            format!("missing api_key or sig parameter: API key and API secret are both needed. {text}"),
        ),
        3 => error::credentials(Trouble::Invalid, code, format!("Sailthru does not know this API key. {text}")),
        4 => error::credentials(Trouble::IpBlocked, code, format!("The account's IP allow-list does not have our address. {text}")),
        5 => error::credentials(Trouble::Invalid, code, format!("The API secret does not belong to this API key. {text}")),
        21 | 22 => error::credentials(Trouble::Permission, code, text),
        9 => error::retryable(code, text),
        11 | 32..=35 | 37 => error::rejected("email", code, text),
        15 => error::destination_missing(code, text),
        // Other errors: an address is also refused so, and so may be an id that is none.
        99 if said.starts_with("Invalid email") => error::rejected("email", code, text),
        99 if call == "list" && reply.status() < 500 => error::destination_missing(code, text),
        6 | 42 | 99 if reply.status() < 500 => error::rejected("contact", code, text),
        _ if reply.status() >= 500 || reply.status() == 409 => error::retryable(code, text),
        _ => error::permanent(code, text),
    })
}
