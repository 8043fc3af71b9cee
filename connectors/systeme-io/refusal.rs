//! What Systeme.io's refusals mean: who must act. Its messages are in the account's language, so status, property and code decide, never
//! words. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// What to wait after a 429 that names no time.
const WAIT_S: u32 = 60;
/// The framework's code of a value that must be unique and is taken.
const NOT_UNIQUE: &str = "23bd9dbf-6b9b-41cd-a99e-4844bcf3077f";

/// Sends it.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

/// The answer's JSON, or what its failure means.
pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    reply.ok_or(refusal)?.need_json()
}

/// The rows of a listing. An answer without any list is no empty one.
pub(crate) fn items<'a>(page: &'a json::Value, call: &str) -> Result<&'a [json::Value], Error> {
    let rows = json::at(page, "/items").and_then(json::Value::as_array);
    rows.map(Vec::as_slice).ok_or_else(|| error::retryable("no-data", format!("{call}: the answer holds no list")))
}

/// False for a page for browsers: a proxy or a firewall answered in the vendor's stead.
pub(crate) fn is_told(reply: &Reply) -> bool {
    !status::words(reply).ends_with("(an HTML page)")
}

/// Whether the address is refused: as such, or because a contact has it, which a violation may say without naming a property.
pub(crate) fn refuses_address(reply: &Reply) -> bool {
    json::rows(&reply.json(), "/violations").iter().any(|row| match json::text(row, "/propertyPath") {
        Some(property) => property == "email",
        None => is_not_unique(row),
    })
}

/// Whether the refused value is taken.
pub(crate) fn taken(reply: &Reply) -> bool {
    json::rows(&reply.json(), "/violations").iter().any(is_not_unique)
}

fn is_not_unique(violation: &json::Value) -> bool {
    json::text(violation, "/code").as_deref() == Some(NOT_UNIQUE)
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words) = (reply.status(), status::words(reply));
    if status == 429 {
        return Some(error::rate_limited(reply.seconds("retry-after").or(Some(WAIT_S)), Some("account")));
    }
    if !is_told(reply) {
        return (400..500).contains(&status).then(|| error::retryable(status, words));
    }
    Some(match status {
        401 => error::credentials(Trouble::Invalid, 401, format!("The public API key is wrong, deleted or expired. {words}")),
        // What is behind it, a plan or a permission, is not documented.
        403 => error::permanent(403, format!("Systeme.io does not allow this for your account. {words}")),
        // The contact was there a moment ago: the next run finds it, or makes it, by its e-mail.
        404 => error::retryable(404, words),
        // The request itself is at fault, and no datum of anybody's.
        400 => error::permanent(400, words),
        422 => error::rejected(field(reply), 422, words),
        _ => return None,
    })
}

/// Our name of what is refused. Fields are named by their place in the list, such as `fields[2].value`.
fn field(reply: &Reply) -> &'static str {
    let path = json::text(&reply.json(), "/violations/0/propertyPath").unwrap_or_default();
    match path.split(['[', '.']).next() {
        Some("email") => "email",
        Some("name" | "tagId") => "tags",
        Some("fields") => "fields",
        _ => "contact",
    }
}
