//! The property that stands in for tags: its options, made where they are missing, and which of them a contact has ticked. Touches no
//! contact.

use crm_connector_sdk::prelude::*;

use crate::refusal::{answer, unless_404};

/// HubSpot has no tags on contacts: this property, a list of checkboxes, stands in for them.
pub(crate) const TAGS: &str = "rekomi_tags";

/// Finds an option for each tag; with `apply` makes those that are missing, and the property itself.
pub(crate) fn prepare(tags: &[String], apply: bool) -> Result<Prepared, Error> {
    let property = unless_404(Call::new("property"))?;
    let mut options = property.as_ref().map(|property| json::rows(property, "/options").to_vec()).unwrap_or_default();
    let (mut prepared, missing) = bound(&options, tags);
    if !apply || (missing.is_empty() && property.is_some()) {
        let made = property.is_none().then(|| Choice::new(format!("property:{TAGS}"), "the contact property \"Rekomi tags\""));
        prepared.to_create = made.into_iter().chain(missing.iter().map(|tag| Choice::new(format!("tag:{tag}"), *tag))).collect();
        return Ok(prepared);
    }
    // The options are replaced whole: those that are there go along.
    for tag in missing {
        options.push(obj! { "label": tag, "value": tag, "displayOrder": options.len(), "hidden": false });
    }
    let call = Call::new(if property.is_some() { "add_options" } else { "make_property" });
    let made = answer(call.json(obj! { "options": options }))?;
    Ok(bound(json::rows(&made, "/options"), tags).0)
}

/// Which tags have an option, by its value or its label, and which have none.
fn bound<'a>(options: &[json::Value], tags: &'a [String]) -> (Prepared, Vec<&'a str>) {
    let (mut prepared, mut missing) = (Prepared::default(), Vec::new());
    for tag in tags {
        let option = options.iter().find(|row| row["value"] == **tag).or_else(|| options.iter().find(|row| row["label"] == **tag));
        match option.and_then(|row| json::text(row, "/value")) {
            Some(value) => prepared.tags.push(Binding { name: tag.clone(), wire: value, id: None }),
            None => missing.push(tag.as_str()),
        }
    }
    (prepared, missing)
}

/// How HubSpot spells this tag: the value of its option.
pub(crate) fn spelt<'a>(tag: &str, on: &'a Connection) -> Option<&'a str> {
    on.tags.iter().find(|bound| bound.name == tag).map(|bound| bound.wire.as_str())
}

/// What is ticked in a property with checkboxes.
pub(crate) fn ticked(contact: &json::Value, key: &str) -> Vec<String> {
    let ticked = json::text(&contact["properties"], key).unwrap_or_default();
    ticked.split(';').filter(|option| !option.is_empty()).map(str::to_owned).collect()
}
