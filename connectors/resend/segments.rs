//! Segments, which stand in for tags, and contact properties: read to the last page, and made where one is missing. Touches no contact.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

/// The largest page that the vendor gives.
const PAGE: u32 = 100;

/// Every segment of the account.
pub(crate) fn all() -> Result<Vec<Binding>, Error> {
    let rows = paging::collect(50, |after| page(Call::new("segments"), after))?;
    Ok(rows.iter().filter_map(bound).collect())
}

/// The segment of this tag.
pub(crate) fn create(tag: &str) -> Result<Binding, Error> {
    let made = answer(Call::new("create_segment").json(obj! { "name": tag }))?;
    let id = json::text(&made, "/id").ok_or_else(|| error::retryable("no-id", "create_segment: the answer names no segment"))?;
    Ok(Binding { name: tag.to_owned(), wire: tag.to_owned(), id: Some(id) })
}

/// The rows of one page, and where the next begins: after the last one of this.
pub(crate) fn page(call: Call, after: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let page = answer(call.query("limit", PAGE).query_opt("after", after))?;
    let rows = json::rows(&page, "/data").to_vec();
    let more = json::at(&page, "/has_more") == Some(&json::Value::Bool(true));
    let next = rows.last().filter(|_| more).and_then(|last| json::text(last, "/id"));
    Ok((rows, next))
}

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, choice): (_, fn(&json::Value) -> Option<Choice>) = match picker {
        "segment" => ("segments", |row| Some(Choice::new(json::text(row, "/id")?, json::text(row, "/name")?))),
        "fields" => ("properties", |row| {
            let key = json::text(row, "/key")?;
            Some(Choice::new(&key, &key).detail(json::text(row, "/type").unwrap_or_default()))
        }),
        other => return Err(error::unsupported(format!("Resend has no picker named '{other}'"))),
    };
    let (rows, next) = page(Call::new(call), cursor)?;
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
}

fn bound(row: &json::Value) -> Option<Binding> {
    let name = json::text(row, "/name")?;
    Some(Binding { name: name.clone(), wire: name, id: json::text(row, "/id") })
}
