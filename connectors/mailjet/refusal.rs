//! What Mailjet's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::{prelude::*, text};

/// What to wait after a 429, which names no time and speaks of calls per minute.
const WINDOW_S: u32 = 60;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    judged(call.send()?)
}

pub(crate) fn judged(reply: Reply) -> Result<json::Value, Error> {
    reply.ok_or(refusal)?.need_json()
}

/// The rows of a good answer. One without a list of them proves nothing about what is there.
pub(crate) fn rows(answer: &json::Value) -> Result<&[json::Value], Error> {
    match json::at(answer, "/Data") {
        Some(json::Value::Array(rows)) => Ok(rows),
        _ => Err(error::retryable("no-data", "the answer holds no list of rows")),
    }
}

/// "Object not found" in Mailjet's own words; the 404 of a proxy proves nothing.
pub(crate) fn is_absent(reply: &Reply) -> bool {
    reply.status() == 404 && json::text(&reply.json(), "/ErrorMessage").is_some()
}

/// How other calls refuse a contact that is not there.
pub(crate) fn is_unresolved(reply: &Reply) -> bool {
    reply.status() == 400 && reply.text().contains("could not be resolved to an ID")
}

/// Lists of tags that were deleted are named one by one; the host then finds or makes them anew.
pub(crate) fn stale_lists(reply: &Reply, tags: &[Binding]) -> Result<(), Error> {
    let body = reply.json();
    let told = ["/ErrorInfo/ContactsLists", "/ErrorMessage/ContactsLists"];
    let gone: Vec<String> = told.iter().flat_map(|place| json::rows(&body, place)).filter_map(|row| json::text(row, "/ListID")).collect();
    let named = tags.iter().filter(|tag| tag.id.as_ref().is_some_and(|id| gone.contains(id))).map(|tag| tag.name.as_str());
    let names: Vec<&str> = named.collect();
    if reply.is_ok() || names.is_empty() { Ok(()) } else { Err(error::stale(names)) }
}

/// A property for names that was deleted meanwhile, or is of another type now, is looked for again.
pub(crate) fn stale_names(reply: &Reply, on: &Connection) -> Result<(), Error> {
    let told = json::at(&reply.json(), "/ErrorInfo/Properties").map(json::print).unwrap_or_default();
    let is_told = |fact: &&str| on.fact(fact).is_some_and(|property| told.contains(&format!("\"{property}\"")));
    let gone: Vec<&str> = ["first", "last"].into_iter().filter(is_told).collect();
    if reply.is_ok() || gone.is_empty() { Ok(()) } else { Err(error::stale(gone)) }
}

fn refusal(reply: &Reply) -> Option<Error> {
    let (status, words, call) = (reply.status(), status::words(reply), reply.call());
    let said = text::lower(&reply.text());
    let is_own = !reply.json().is_null();
    Some(match status {
        // An empty body, or a sentence about the key: that is how wrong keys are refused. Some values are refused with a 401 as well.
        401 if said.trim().is_empty() || said.contains("api key") => error::credentials(
            Trouble::Invalid,
            401,
            format!("Mailjet does not accept the API key and the secret key together: check that both are from one row. {words}"),
        ),
        401 if is_own && (said.contains("mj19") || said.contains("internal error")) => error::rejected(field(&said), 401, words),
        403 if is_own => error::credentials(Trouble::Permission, 403, format!("This key may not manage contacts. {words}")),
        404 if call == "save" && is_own => error::destination_missing(404, words),
        400 if call == "save" && said.contains("list") && said.contains("invalid or deleted") => error::destination_missing(400, words),
        400 if call == "create_list" => error::rejected("tags", 400, words),
        400 => error::rejected(field(&said), 400, words),
        404 => error::retryable(404, words),
        429 => error::rate_limited(reply.seconds("retry-after").or(Some(WINDOW_S)), Some("key")),
        _ => return None,
    })
}

/// Our name of what is refused. Properties are named inside `ErrorInfo`; a refused address is a sentence.
fn field(said: &str) -> &'static str {
    if said.contains("\"properties\"") || said.contains("not defined") || said.contains("definition") {
        "fields"
    } else if said.contains("email") {
        "email"
    } else {
        "contact"
    }
}
