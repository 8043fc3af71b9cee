//! What the merchant picks from: clients, lists, tags and custom fields. Reads only; each listing comes in one piece.

use crm_connector_sdk::prelude::*;

use crate::fields::same;
use crate::options::KEY;
use crate::refusal::refusal;

/// So many of the key's clients are named when none is picked yet; all of them are in the picker.
const SHOWN: usize = 3;

/// Whose account the key opens: the picked client, or all that there are.
pub(crate) fn account(on: &Connection) -> Result<Account, Error> {
    let rows = listed("clients")?;
    let is_picked = |row: &&json::Value| on.picked("client").is_some_and(|picked| json::text(row, "/ClientID").as_deref() == Some(picked));
    let picked = rows.iter().find(is_picked);
    let names: Vec<String> = picked.map_or(&rows[..], std::slice::from_ref).iter().filter_map(|row| json::text(row, "/Name")).collect();
    let (first, more) = names.split_at(names.len().min(SHOWN));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let lacking = match picked {
        None if rows.is_empty() => Some("a client: the account has none"),
        None if on.picked("client").is_some() => Some("access to the picked client"),
        _ => None,
    };
    Ok(Account {
        // An account has no id of its own; with several clients, which one is meant is the picker's matter.
        id: if let [only] = &rows[..] { json::text(only, "/ClientID") } else { None },
        name: (!first.is_empty()).then(|| first.join(", ") + &more),
        lacking: lacking.map(str::to_owned).into_iter().collect(),
        ..Account::default()
    })
}

pub(crate) fn page(picker: &str) -> Result<Page, Error> {
    let items = match picker {
        "client" => listed("clients")?.iter().filter_map(|row| named(row, "/ClientID", "/Name")).collect(),
        "list" => listed("lists")?.iter().filter_map(|row| named(row, "/ListID", "/Name")).collect(),
        "tags" => {
            let fields = listed("fields")?;
            let options = fields.iter().filter(|row| is_tags(row)).flat_map(|row| json::rows(row, "/FieldOptions"));
            options.filter_map(|option| json::text(option, "")).map(|tag| Choice::new(&tag, &tag)).collect()
        }
        "fields" => {
            let fields = listed("fields")?;
            let others = fields.iter().filter(|row| !is_tags(row));
            let choice = |row| {
                let mut choice = named(row, "/Key", "/FieldName")?;
                choice.detail = json::text(row, "/DataType");
                Some(choice)
            };
            others.filter_map(choice).collect()
        }
        other => return Err(error::unsupported(format!("Campaign Monitor has no picker named '{other}'"))),
    };
    Ok(Page { items, next: None })
}

fn is_tags(row: &json::Value) -> bool {
    json::text(row, "/Key").is_some_and(|key| same(&key, KEY))
}

fn named(row: &json::Value, id: &str, name: &str) -> Option<Choice> {
    let id = json::text(row, id)?;
    Some(Choice::new(&id, json::text(row, name).unwrap_or_else(|| id.clone())))
}

/// A listing. Another answer is asked for again, not taken for an empty one.
pub(crate) fn listed(call: &str) -> Result<Vec<json::Value>, Error> {
    match Call::new(call).send()?.ok_or(refusal)?.need_json()? {
        json::Value::Array(rows) => Ok(rows),
        _ => Err(error::retryable("no-rows", format!("{call}: the answer is no list"))),
    }
}
