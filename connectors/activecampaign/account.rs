//! What the account holds, page by page: lists, tags and fields for the pickers, and what hangs on a contact. Reads only.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;
use crate::tag_ids::is_contact_tag;

/// The largest page that the vendor allows; unasked it gives 20.
const PAGE: u32 = 100;
/// Ends a listing that never ends by itself.
pub(crate) const MAX_PAGES: u32 = 100;

/// One page of a picker.
pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, rows, name) = match picker {
        "list" => ("list_lists", "/lists", "/name"),
        "tags" => ("list_tags", "/tags", "/tag"),
        "fields" => ("list_fields", "/fields", "/title"),
        other => return Err(error::unsupported(format!("ActiveCampaign has no picker named '{other}'"))),
    };
    let (rows, next) = page(Call::new(call), rows, cursor)?;
    let choice = |row: &json::Value| {
        let choice = Choice::new(json::text(row, "/id")?, json::text(row, name)?);
        // Only fields have a type.
        Some(json::text(row, "/type").into_iter().fold(choice, Choice::detail))
    };
    Ok(Page { items: rows.iter().filter(|row| picker != "tags" || is_contact_tag(row)).filter_map(choice).collect(), next })
}

/// The contact's id by e-mail.
pub(crate) fn find(email: &str) -> Result<Option<String>, Error> {
    Ok(page(Call::new("find").query("email", email), "/contacts", None)?.0.first().and_then(|row| json::text(row, "/id")))
}

/// One page of rows and the next cursor. An answer without the rows is no empty page: it could hide that someone opted out.
pub(crate) fn page(call: Call, rows: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let start = paging::offset(cursor)?;
    let body = answer(call.query("limit", PAGE).query("offset", start))?;
    let found = json::at(&body, rows).and_then(json::Value::as_array);
    let found = found.ok_or_else(|| error::retryable("no-rows", format!("the answer has no {rows}")))?;
    // The total decides, so that a vendor who gives fewer at once than was asked for is read to the end all the same.
    let end = start.saturating_add(found.len() as u32);
    let more = json::number(&body, "/meta/total").map_or(found.len() >= PAGE as usize, |total| total > i64::from(end));
    let next = (more && !found.is_empty()).then(|| end.to_string());
    Ok((found.clone(), next))
}

/// Everything of one kind that hangs on a contact; `None` when there is no such contact.
pub(crate) fn of_contact(call: &str, id: &str, rows: &str) -> Result<Option<Vec<json::Value>>, Error> {
    let mut last = None;
    let all = paging::collect(MAX_PAGES, |cursor| {
        let (more, next) = page(Call::new(call).path("id", id), rows, cursor)?;
        // That these two listings come in pages is not documented: should they come whole each time, the first time was enough.
        let again = !more.is_empty() && last.replace(more.clone()).is_some_and(|before| before == more);
        Ok(if again { (Vec::new(), None) } else { (more, next) })
    });
    match all {
        Err(Error::DestinationMissing(_)) => Ok(None),
        read => read.map(Some),
    }
}
