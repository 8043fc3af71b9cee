//! The lists of an account and what belongs to one: tags and fields. The pickers and the preparation; touches no contact.

use crm_connector_sdk::prelude::*;

use crate::refusal::{answer, refusal};

/// Ends a listing that never ends by itself; 100 rows a page.
const MAX_PAGES: u32 = 50;
/// The fields that EmailOctopus gives to every list for names; a merchant may have removed them. With our names of the facts.
pub(crate) const NAMES: [(&str, &str); 2] = [("first", "FirstName"), ("last", "LastName")];

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, id, name, detail) = match picker {
        "list" => ("lists", "/id", "/name", ""),
        "tags" => ("tags", "/tag", "/tag", ""),
        "fields" => return fields(),
        other => return Err(error::unsupported(format!("EmailOctopus has no picker named '{other}'"))),
    };
    let (rows, next) = page(call, cursor)?;
    Ok(Page { items: rows.iter().filter_map(|row| choice(row, id, name, detail)).collect(), next })
}

/// The tags, made where they are missing, and which of the fields for names the list has. All of it belongs to one list, which is noted.
pub(crate) fn prepare(list: &str, on: &Connection, tags: &[String], apply: bool) -> Result<Prepared, Error> {
    let fields = answer(Call::new("list"))?;
    let remembered = if on.fact("list") == Some(list) { on.tags.as_slice() } else { &[] };
    let all = || {
        Ok(paging::collect(MAX_PAGES, |cursor| page("tags", cursor))?.iter().filter_map(|row| json::text(row, "/tag")).map(bound).collect())
    };
    let mut prepared = tags::resolve(tags, remembered, apply, all, |name| {
        let reply = Call::new("create_tag").json(obj! { "tag": name }).send()?;
        // Somebody else made it meanwhile.
        if reply.status() != 409 {
            reply.ok_or(refusal)?;
        }
        Ok(bound(name.to_owned()))
    })?;
    let has = |tag: &str| json::rows(&fields, "/fields").iter().any(|field| field["tag"] == tag);
    prepared.facts.push(Pair::new("list", list));
    prepared.facts.extend(NAMES.iter().filter(|(_, tag)| has(tag)).map(|(fact, tag)| Pair::new(*fact, *tag)));
    Ok(prepared)
}

/// Fields that a merchant may map. Names are written from the person.
fn fields() -> Result<Page, Error> {
    let list = answer(Call::new("list"))?;
    let rows = json::rows(&list, "/fields").iter().filter(|row| NAMES.iter().all(|(_, tag)| row["tag"] != *tag));
    Ok(Page { items: rows.filter_map(|row| choice(row, "/tag", "/label", "/type")).collect(), next: None })
}

fn choice(row: &json::Value, id: &str, name: &str, detail: &str) -> Option<Choice> {
    let choice = Choice::new(json::text(row, id)?, json::text(row, name)?);
    Some(json::text(row, detail).into_iter().fold(choice, Choice::detail))
}

/// The cursor is opaque; the address beside it is not followed.
fn page(call: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let page = answer(Call::new(call).query_opt("starting_after", cursor))?;
    let rows = page["data"].as_array().ok_or_else(|| error::retryable("no-data", format!("{call}: the answer holds no list")))?;
    Ok((rows.clone(), json::text(&page, "/paging/next/starting_after")))
}

/// A tag has no id but its name.
fn bound(wire: String) -> Binding {
    Binding { name: wire.clone(), id: Some(wire.clone()), wire }
}
