//! What the merchant picks from: accounts, Email Series, tags and custom fields. Reads only.

use crm_connector_sdk::prelude::*;

use crate::NAMES;
use crate::refusal::answer;

/// So many of the token's accounts are named when none is picked yet; all of them are in the picker.
const SHOWN: usize = 3;

/// Whose account the token opens: the picked one, or all that there are.
pub(crate) fn account(on: &Connection) -> Result<Account, Error> {
    let answer = answer(Call::new("accounts"))?;
    let rows = rows_of(&answer, "/accounts")?;
    let is_picked = |row: &&json::Value| on.picked("account").is_some_and(|picked| json::text(row, "/id").as_deref() == Some(picked));
    let picked = rows.iter().find(is_picked);
    let names: Vec<String> = picked.map_or(rows, std::slice::from_ref).iter().filter_map(|row| json::text(row, "/name")).collect();
    let (first, more) = names.split_at(names.len().min(SHOWN));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let lacking = match picked {
        None if rows.is_empty() => Some("an account: the token's user has none"),
        None if on.picked("account").is_some() && next(&answer).is_none() => Some("access to the picked account"),
        _ => None,
    };
    Ok(Account {
        // With several, which one is meant is the picker's matter.
        id: if let [only] = rows { json::text(only, "/id") } else { None },
        name: (!first.is_empty()).then(|| first.join(", ") + &more),
        lacking: lacking.map(str::to_owned).into_iter().collect(),
        ..Account::default()
    })
}

pub(crate) fn page(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, at, choice): (_, _, fn(&json::Value) -> Option<Choice>) = match picker {
        "account" => ("accounts", "/accounts", |row| named(row, "/url")),
        "series" => ("list_series", "/campaigns", |row| named(row, "/status")),
        "tags" => ("list_tags", "/tags", text),
        "fields" => ("list_fields", "/custom_field_identifiers", |row| text(row).filter(|choice| !NAMES.contains(&choice.id.as_str()))),
        other => return Err(error::unsupported(format!("Drip has no picker named '{other}'"))),
    };
    let answer = answer(Call::new(call).query_opt("page", cursor))?;
    Ok(Page { items: rows_of(&answer, at)?.iter().filter_map(choice).collect(), next: next(&answer) })
}

/// The rows of a listing. An answer without them is some other answer, not an empty listing.
pub(crate) fn rows_of<'a>(answer: &'a json::Value, at: &str) -> Result<&'a [json::Value], Error> {
    let rows = json::at(answer, at).and_then(json::Value::as_array);
    rows.map(Vec::as_slice).ok_or_else(|| error::retryable("no-rows", format!("the answer has no list at {at}")))
}

/// The number of the page after this one. Listings that come in one piece say nothing of pages.
pub(crate) fn next(answer: &json::Value) -> Option<String> {
    let (page, pages) = (json::number(answer, "/meta/page")?, json::number(answer, "/meta/total_pages")?);
    (page < pages).then(|| (page + 1).to_string())
}

fn named(row: &json::Value, detail: &str) -> Option<Choice> {
    let id = json::text(row, "/id")?;
    let mut choice = Choice::new(&id, json::text(row, "/name").unwrap_or_else(|| id.clone()));
    choice.detail = json::text(row, detail);
    Some(choice)
}

/// Tags and fields are their own names.
fn text(row: &json::Value) -> Option<Choice> {
    json::text(row, "").map(|name| Choice::new(&name, &name))
}
