//! What the account holds and the merchant picks from: tags and custom fields. Makes tags, nothing else.

use crm_connector_sdk::prelude::*;

use crate::refusal::judged;

/// Ends a listing that never ends by itself; 1000 rows a page.
const MAX_PAGES: u32 = 50;

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    match picker {
        "tags" => {
            let (rows, next) = page(cursor)?;
            let choice = |row: &json::Value| {
                let choice = Choice::new(json::text(row, "/id")?, json::text(row, "/name")?);
                Some(json::text(row, "/category/name").into_iter().fold(choice, Choice::detail))
            };
            Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
        }
        "fields" => {
            let model = judged(Call::new("model").send()?)?.need_json()?;
            let choice = |row: &json::Value| {
                let choice = Choice::new(json::text(row, "/id")?, json::text(row, "/label")?);
                Some(json::text(row, "/field_type").into_iter().fold(choice, Choice::detail))
            };
            Ok(Page { items: json::rows(&model, "/custom_fields").iter().filter_map(choice).collect(), next: None })
        }
        other => Err(error::unsupported(format!("Keap has no picker named '{other}'"))),
    }
}

/// Every tag of the account.
pub(crate) fn account_tags() -> Result<Vec<Binding>, Error> {
    Ok(paging::collect(MAX_PAGES, page)?.iter().filter_map(bound).collect())
}

/// Makes a tag. A name that is taken sends the resolver to look again.
pub(crate) fn create_tag(name: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_tag").json(obj! { "name": name }).send()?;
    let taken = reply.status() == 409 || (reply.status() == 400 && reply.text().to_ascii_lowercase().contains("exist"));
    if taken {
        return Err(error::retryable(error::UNKNOWN_OUTCOME, status::words(&reply)));
    }
    let made = judged(reply)?.need_json()?;
    // Answers may name the id alone.
    let id = json::text(&made, "/id").ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))?;
    Ok(Binding { name: name.to_owned(), wire: json::text(&made, "/name").unwrap_or_else(|| name.to_owned()), id: Some(id) })
}

fn bound(tag: &json::Value) -> Option<Binding> {
    let name = json::text(tag, "/name")?;
    Some(Binding { wire: name.clone(), name, id: Some(json::text(tag, "/id")?) })
}

fn page(cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let body = judged(Call::new("list_tags").query_opt("page_token", cursor).send()?)?.need_json()?;
    let rows = json::at(&body, "/tags").and_then(json::Value::as_array);
    let rows = rows.cloned().ok_or_else(|| error::retryable("no-rows", "list_tags: the answer has no tags"))?;
    // Some listings of this vendor name a next page after the last one; an empty page ends it.
    let next = json::text(&body, "/next_page_token").filter(|_| !rows.is_empty());
    Ok((rows, next))
}
