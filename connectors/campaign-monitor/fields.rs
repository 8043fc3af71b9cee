//! The shape of custom fields: pairs of a key and a value, one pair for each ticked option. Writes nothing.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::options::{KEY, split};
use crate::pickers::listed;

/// The longest value that the vendor keeps, in characters.
const LONGEST: usize = 250;

/// A pair for each value. A key without a value could clear the field, so blanks are left out as a whole.
pub(crate) fn entries<'a>(key: &str, values: impl Iterator<Item = &'a str>) -> Vec<json::Value> {
    values.filter(|value| !value.trim().is_empty()).map(|value| obj! { "Key": key, "Value": value }).collect()
}

/// The values of one field, as a look at the subscriber shows them.
pub(crate) fn values_of(found: &json::Value, key: &str) -> Vec<String> {
    let rows = json::rows(found, "/CustomFields").iter();
    let ours = rows.filter(|row| json::text(row, "/Key").is_some_and(|theirs| same(&theirs, key)));
    ours.filter_map(|row| json::text(row, "/Value")).collect()
}

/// Keys come with brackets and without, as names with blanks and as keys without any.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let bare = |key: &str| lower(key).replace(['[', ']', ' '], "");
    bare(one) == bare(other)
}

/// The merchant's fields that differ from what is there, and what could not be written as it was.
pub(crate) fn mapped(who: &Person, found: Option<&json::Value>) -> (Vec<json::Value>, Vec<(Remark, String)>) {
    let (mut written, mut warnings) = (Vec::new(), Vec::new());
    for Field { key, value } in &who.fields {
        // The field that stands in for tags is nobody else's.
        if key.trim().is_empty() || same(key, KEY) {
            warnings.push((Remark::DroppedField, key.clone()));
            continue;
        }
        let there = found.map(|found| values_of(found, key)).unwrap_or_default();
        match value {
            // Replaced by what is sent: what is ticked goes along.
            Value::Many(options) => {
                let more: Vec<_> = options.iter().filter(|option| !option.trim().is_empty() && !there.contains(option)).collect();
                if !more.is_empty() {
                    written.extend(entries(key, there.iter().chain(more).map(String::as_str)));
                }
            }
            Value::Text(text) | Value::Number(text) => one(key, text, &there, &mut written, &mut warnings),
            Value::Truth(truth) => one(key, &truth.to_string(), &there, &mut written, &mut warnings),
            // Dates are shown with hyphens and asked for with slashes.
            Value::Date(date) => {
                let day: String = date.chars().take(10).collect();
                if there.first() != Some(&day) {
                    one(key, &day.replace('-', "/"), &there, &mut written, &mut warnings);
                }
            }
        }
    }
    (written, warnings)
}

fn one(key: &str, text: &str, there: &[String], written: &mut Vec<json::Value>, warnings: &mut Vec<(Remark, String)>) {
    let cut: String = text.chars().take(LONGEST).collect();
    if cut.trim().is_empty() || there.contains(&cut) {
        return;
    }
    if cut.len() < text.len() {
        warnings.push((Remark::Shortened, key.to_owned()));
    }
    // Several values are ticked options, which stay.
    let kept = there.iter().filter(|_| there.len() > 1).map(String::as_str);
    written.extend(entries(key, kept.chain([cut.as_str()])));
}

/// What is ticked in choices of several options that `written` does not speak of. "Any missing values will remain unchanged" is said of all
/// fields besides those, so they go along. Which ones they are, the list's fields tell; asked only when there is something to keep.
pub(crate) fn ticked_elsewhere(found: &json::Value, written: &[json::Value]) -> Result<Vec<json::Value>, Error> {
    let spoken_of = |key: &str| written.iter().any(|row| json::text(row, "/Key").is_some_and(|ours| same(&ours, key)));
    let rows = json::rows(found, "/CustomFields").iter().filter_map(|row| Some((json::text(row, "/Key")?, json::text(row, "/Value")?)));
    let rows: Vec<(String, String)> = rows.filter(|(key, _)| !spoken_of(key)).collect();
    let fields = if rows.is_empty() { Vec::new() } else { listed("fields")? };
    let several = fields.iter().filter(|field| json::text(field, "/DataType").as_deref() == Some("MultiSelectMany"));
    let keys: Vec<String> = several.filter_map(|field| json::text(field, "/Key")).collect();
    let key_of = |key: &str| keys.iter().find(|known| same(known, key));
    Ok(rows.iter().filter_map(|(key, value)| Some(entries(key_of(key)?, split(value)))).flatten().collect())
}
