//! What Omnisend's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// What to wait after a 429 that names no time: the limit's whole window, in seconds.
const WINDOW_S: u32 = 60;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// The vendor's own words about a problem: RFC 9457, or `error` as before version 2026-03-15. `None` where a proxy or a firewall
/// answered in its stead.
pub(crate) fn told(reply: &Reply) -> Option<String> {
    let problem = reply.json();
    let first = json::first_text(&problem, &["/errors/0/message"]);
    let words = json::first_text(&problem, &["/detail", "/title", "/error"])?;
    Some(format!("{}: {words}{}", reply.call(), first.map(|why| format!(" ({why})")).unwrap_or_default()))
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let status = reply.status();
    if status == 429 {
        let said = json::number(&reply.json(), "/retryAfter").and_then(|seconds| u32::try_from(seconds).ok());
        let limit = if matches!(reply.call(), "tag" | "untag") { "tags" } else { "brand" };
        return Some(error::rate_limited(said.or_else(|| reply.seconds("retry-after")).or(Some(WINDOW_S)), Some(limit)));
    }
    let Some(told) = told(reply) else {
        return (400..500).contains(&status).then(|| error::retryable(status, status::words(reply)));
    };
    Some(match status {
        401 => error::credentials(Trouble::Invalid, 401, format!("Omnisend does not know this API key. {told}")),
        403 => error::credentials(
            Trouble::Permission,
            403,
            format!("The API key lacks a permission: it must read and write contacts, and read brands. {told}"),
        ),
        // The contact was there a moment ago: the next run finds it, or makes it, by its e-mail.
        404 => error::retryable(404, told),
        // An identifier of another contact: only the merchant can say which of the two it is.
        409 => error::rejected("email", 409, told),
        410 => error::permanent(410, format!("Omnisend has ended the version of its API that this connector speaks. {told}")),
        400 | 422 => refused(&reply.json(), status, &told),
        _ => return None,
    })
}

/// A value that is not accepted, under our name of it. A missing version header is no datum of anybody's.
fn refused(problem: &json::Value, status: u16, told: &str) -> Error {
    let field = json::text(problem, "/errors/0/field").unwrap_or_default();
    let folded = format!("{field} {told}").to_ascii_lowercase();
    if folded.contains("omnisend-version") {
        return error::permanent(status, told);
    }
    let ours = match field.split(['.', '[', '/']).find(|step| !step.is_empty()) {
        Some("identifiers" | "email") => "email",
        Some("tags") => "tags",
        Some("firstName") => "first",
        Some("lastName") => "last",
        Some("customProperties") => field.rsplit('.').next().unwrap_or("fields"),
        // Without a field the sentence is all there is.
        None if folded.contains("email") => "email",
        _ => "contact",
    };
    error::rejected(ours, status, told)
}
