//! What Ortto means by a status: who must act. Knows no stage and no person.

use crm_connector_sdk::prelude::*;

pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    reply.ok_or(refusal)?.need_json()
}

/// Errors are `{"request_id", "code", "error"}`; a ban or a firewall says none of it.
fn refusal(reply: &Reply) -> Option<Error> {
    let (status, body, text) = (reply.status(), reply.json(), status::words(reply));
    Some(match status {
        429 => {
            let seconds = ["/error/try-in-seconds", "/try-in-seconds"].iter().find_map(|path| json::number(&body, path));
            error::rate_limited(seconds.and_then(|seconds| u32::try_from(seconds).ok()), Some("instance"))
        }
        401 => error::credentials(
            Trouble::Invalid,
            401,
            format!("Ortto refuses this key. Check the region too: a key of one region is refused by the others. {text}"),
        ),
        403 if reply.call() == "create_field" => error::permanent(403, text),
        403 if body.is_object() => error::credentials(Trouble::Permission, 403, text),
        404 if reply.call() == "list_tags" => {
            error::credentials(Trouble::WrongRegion, 404, format!("Check the region of your account. {text}"))
        }
        507 => error::permanent(507, format!("The plan's number of people is used up. {text}")),
        _ => return None,
    })
}
