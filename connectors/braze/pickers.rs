//! What the merchant picks from: custom attributes, fifty at a time. Reads only.

use crm_connector_sdk::prelude::*;

use crate::profile::is_custom;
use crate::refusal::refusal;

pub(crate) fn attributes(cursor: Option<&str>) -> Result<Page, Error> {
    let reply = Call::new("attributes").query_opt("cursor", cursor).send()?.ok_or(refusal)?;
    let next = reply.header("link").and_then(next);
    let page = reply.need_json()?;
    let Some(rows) = json::at(&page, "/attributes").and_then(json::Value::as_array) else {
        return Err(error::retryable("no-attributes", "attributes: the answer has no attributes"));
    };
    let choice = |row: &json::Value| {
        let name = json::text(row, "/name").filter(|name| is_custom(name))?;
        let kind = json::text(row, "/data_type").unwrap_or_default();
        // To one that is blocked nothing can be written; an object takes no single value.
        let fits = json::text(row, "/status").is_none_or(|status| status == "Active") && !kind.starts_with("Object");
        fits.then(|| Choice::new(&name, &name).detail(kind))
    };
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
}

/// The cursor of the next page: `</custom_attributes?cursor=...>; rel="next"`. The address itself is never followed.
fn next(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\"") || part.contains("rel=next"))?;
    let (_, after) = next.split_once("cursor=")?;
    let cursor = after.split(['>', '&']).next()?;
    // Base64, whose padding and signs are encoded in an address.
    let plain = ["%3D", "%3d", "%2B", "%2b", "%2F", "%2f"].iter().zip(["=", "=", "+", "+", "/", "/"]);
    let cursor = plain.fold(cursor.to_owned(), |text, (code, sign)| text.replace(code, sign));
    (!cursor.is_empty()).then_some(cursor)
}
