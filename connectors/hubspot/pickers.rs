//! What the merchant picks from: static lists and contact properties. Reads only.

use crm_connector_sdk::prelude::*;

use crate::is_field;
use crate::refusal::answer;

pub(crate) fn choices(picker: &str, search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
    let choice = |row: &json::Value, id: &str, name: &str, detail: &str| {
        let id = json::text(row, id)?;
        let choice = Choice::new(&id, json::text(row, name).unwrap_or_else(|| id.clone()));
        Some(json::text(row, detail).into_iter().fold(choice, Choice::detail))
    };
    match picker {
        "list" => {
            let page = answer(Call::new("lists").json(obj! { "offset": paging::offset(cursor)?, "query": search.map(str::to_owned) }))?;
            let items = json::rows(&page, "/lists").iter().filter_map(|row| choice(row, "/listId", "/name", "/processingType"));
            let next = json::text(&page, "/offset").filter(|next| page["hasMore"] == true && Some(next.as_str()) != cursor);
            Ok(Page { items: items.collect(), next })
        }
        "fields" => {
            let all = answer(Call::new("properties"))?;
            let open = |row: &&json::Value| row["hidden"] != true && row["modificationMetadata"]["readOnlyValue"] != true;
            let items = json::rows(&all, "/results").iter().filter(open).filter_map(|row| choice(row, "/name", "/label", "/fieldType"));
            Ok(Page { items: items.filter(|field| is_field(&field.id)).collect(), next: None })
        }
        other => Err(error::unsupported(format!("HubSpot has no picker named '{other}'"))),
    }
}
