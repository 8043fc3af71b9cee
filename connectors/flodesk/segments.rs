//! Segments, which stand for tags here: the pickers, finding and making them by name. Touches no subscriber.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

/// The vendor's largest page, as the manifest asks for it.
const PER_PAGE: usize = 100;
/// Ends a listing that never ends by itself.
const MAX_PAGES: u32 = 50;

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, id, name) = match picker {
        "segment" | "tags" => ("segments", "/id", "/name"),
        "fields" => ("custom_fields", "/key", "/label"),
        other => return Err(error::unsupported(format!("Flodesk has no picker named '{other}'"))),
    };
    let (rows, next) = page(call, cursor)?;
    let choice = |row: &json::Value| {
        let choice = Choice::new(json::text(row, id)?, json::text(row, name)?);
        // Two segments may have one name: how many are in them tells them apart.
        let people = json::number(row, "/total_active_subscribers").map(|people| format!("{people} active subscribers"));
        Some(people.into_iter().fold(choice, Choice::detail))
    };
    Ok(Page { items: rows.iter().filter(|row| can_be_joined(row)).filter_map(choice).collect(), next })
}

/// A segment for each tag: found by name, else made.
pub(crate) fn prepare(tags: &[String], remembered: &[Binding], apply: bool) -> Result<Prepared, Error> {
    let mut colors = None;
    tags::resolve(tags, remembered, apply, all, |name| {
        if colors.is_none() {
            colors = Some(answer(Call::new("colors"))?);
        }
        let color = colors.as_ref().and_then(|colors| json::text(colors, "/0"));
        let made = answer(Call::new("create_segment").json(obj! { "name": name, "color": color }))?;
        bound(&made).ok_or_else(|| error::retryable("no-id", "create_segment: the answer names no segment"))
    })
}

/// The rows of a listing. Anything else is no empty listing.
pub(crate) fn rows(page: &json::Value) -> Result<&[json::Value], Error> {
    json::at(page, "/data").and_then(json::Value::as_array).map(Vec::as_slice).ok_or_else(|| error::retryable("no-data", "no list came"))
}

/// Every segment that can be joined, the oldest first: of two with one name the first that was made is taken, today and tomorrow.
fn all() -> Result<Vec<Binding>, Error> {
    let mut segments = paging::collect(MAX_PAGES, |cursor| page("segments", cursor))?;
    segments.retain(can_be_joined);
    segments.sort_by_key(|segment| json::text(segment, "/created_at"));
    Ok(segments.iter().filter_map(bound).collect())
}

fn page(call: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let number = paging::offset(cursor)?.max(1);
    let page = answer(Call::new(call).query("page", number))?;
    let rows = rows(&page)?.to_vec();
    let pages = json::number(&page, "/meta/total_pages");
    // An empty page is the last, whatever the vendor counts.
    let more = !rows.is_empty() && pages.map_or(rows.len() >= PER_PAGE, |pages| i64::from(number) < pages);
    Ok((rows, more.then(|| (number + 1).to_string())))
}

/// Flodesk computes who is in a dynamic segment.
fn can_be_joined(segment: &json::Value) -> bool {
    segment["segment_type"] != "dynamic"
}

fn bound(segment: &json::Value) -> Option<Binding> {
    let name = json::text(segment, "/name")?;
    Some(Binding { wire: name.clone(), name, id: Some(json::text(segment, "/id")?) })
}
