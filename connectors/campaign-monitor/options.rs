//! The custom field that stands in for tags: found or made in the picked list, with an option for each tag. Touches no subscriber.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::fields::{same, values_of};
use crate::refusal::{code, refusal};

/// The field's key where none is remembered: its name, Rekomi tags, as the vendor makes keys of names.
pub(crate) const KEY: &str = "[Rekomitags]";
/// The code of the refusal to make a field whose name there is.
const EXISTS: i64 = 255;

/// Finds the field and an option for each tag; with `apply` makes what is missing.
pub(crate) fn prepare(tags: &[String], apply: bool) -> Result<Prepared, Error> {
    let mut field = find()?;
    if field.is_none() && apply && !tags.is_empty() {
        let reply = Call::new("make_field").json(obj! { "Options": tags }).send()?;
        if code(&reply) != Some(EXISTS) {
            let made = reply.ok_or(refusal)?.need_json()?;
            let key = json::text(&made, "").unwrap_or_else(|| KEY.to_owned());
            return Ok(bound(&obj! { "Key": key, "FieldOptions": tags }, tags).0);
        }
        // Somebody else has made it this moment.
        field = find()?;
    }
    let Some(field) = field else {
        let field = Choice::new("field:Rekomi tags", "the list's custom field \"Rekomi tags\"");
        let to_create = std::iter::once(field).chain(tags.iter().map(named)).collect();
        return Ok(Prepared { to_create, ..Prepared::default() });
    };
    let (mut prepared, missing) = bound(&field, tags);
    if !apply {
        prepared.to_create = missing.iter().map(named).collect();
    } else if !missing.is_empty() {
        let key = json::text(&field, "/Key").unwrap_or_else(|| KEY.to_owned());
        Call::new("add_options").path("field", key).json(obj! { "Options": &missing }).send()?.ok_or(refusal)?;
        prepared.tags.extend(missing.into_iter().map(|tag| Binding { name: tag.clone(), wire: tag, id: None }));
    }
    Ok(prepared)
}

/// The field, unless the list has none of this name.
fn find() -> Result<Option<json::Value>, Error> {
    let rows = Call::new("fields").send()?.ok_or(refusal)?.need_json()?;
    let rows = rows.as_array().ok_or_else(|| error::retryable("no-rows", "fields: the answer is no list"))?;
    let is_ours = |row: &&json::Value| json::first_text(row, &["/Key", "/FieldName"]).is_some_and(|key| same(&key, KEY));
    let Some(field) = rows.iter().find(is_ours) else { return Ok(None) };
    match json::text(field, "/DataType").as_deref() {
        Some("MultiSelectMany") => Ok(Some(field.clone())),
        other => {
            let kind = other.unwrap_or("unknown");
            Err(error::permanent("field-type", format!("the list has a field Rekomi tags of the type {kind}: rename or delete it")))
        }
    }
}

/// The tags that have an option, and those that have none.
fn bound(field: &json::Value, tags: &[String]) -> (Prepared, Vec<String>) {
    let options: Vec<String> = json::rows(field, "/FieldOptions").iter().filter_map(|option| json::text(option, "")).collect();
    let (mut prepared, mut missing) = (Prepared::default(), Vec::new());
    prepared.facts.extend(json::text(field, "/Key").map(|key| Pair::new("tags_key", key)));
    for tag in tags {
        let same_case = options.iter().find(|option| *option == tag);
        match same_case.or_else(|| options.iter().find(|option| lower(option) == lower(tag))) {
            Some(wire) => prepared.tags.push(Binding { name: tag.clone(), wire: wire.clone(), id: None }),
            None => missing.push(tag.clone()),
        }
    }
    (prepared, missing)
}

fn named(tag: &String) -> Choice {
    Choice::new(format!("tag:{tag}"), tag)
}

/// How the list spells this tag.
pub(crate) fn spelt<'a>(tag: &str, on: &'a Connection) -> Option<&'a str> {
    on.tags.iter().find(|bound| bound.name == tag).map(|bound| bound.wire.as_str())
}

pub(crate) fn key_of_tags(on: &Connection) -> &str {
    on.fact("tags_key").unwrap_or(KEY)
}

/// Which options a subscriber has ticked: one row for each, or all in one with bars between them.
pub(crate) fn ticked(found: &json::Value, key: &str) -> Vec<String> {
    let values = values_of(found, key);
    values.iter().flat_map(|value| split(value)).map(str::to_owned).collect()
}

pub(crate) fn split(value: &str) -> impl Iterator<Item = &str> {
    value.split("||").map(str::trim).filter(|option| !option.is_empty())
}

/// Whether an option is among these; should the vendor change its case, it is the same option.
pub(crate) fn holds(options: &[String], option: &str) -> bool {
    options.iter().any(|there| lower(there) == lower(option))
}
