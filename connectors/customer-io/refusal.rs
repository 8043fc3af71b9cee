//! What Customer.io's refusals mean: who must act. Knows no stage and no person.

use crm_connector_sdk::prelude::*;

use crate::TAGS;

/// What this vendor means by a status. Errors are `{"meta": {"errors": ["..."]}}`, or one `error`; none has a code.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, text) = (reply.status(), status::words(reply));
    let is_track = !matches!(reply.call(), "find" | "attributes" | "segments");
    Some(match status {
        429 => error::rate_limited(reply.seconds("retry-after"), Some(if is_track { "track" } else { "app" })),
        401 if is_track => {
            error::credentials(Trouble::Invalid, 401, format!("Customer.io does not accept this Site ID and Track API key. {text}"))
        }
        401 | 403 if !is_track => error::unsupported(text),
        // Never followed: it would carry the keys and the data to another place.
        301 | 302 | 307 | 308 => error::credentials(Trouble::WrongRegion, status, format!("The workspace is in another region. {text}")),
        400 | 404 | 422 if reply.call() == "join" => error::destination_missing(status, text),
        400 | 422 => error::rejected(field(&text), status, &text),
        _ => return None,
    })
}

/// The field that a refusal speaks of.
fn field(text: &str) -> &str {
    if text.contains(TAGS) {
        TAGS
    } else if text.contains("email") || text.contains("identifier") {
        "email"
    } else {
        "contact"
    }
}
