//! What the merchant picks from: lists, and the picked list's custom fields. Reads only.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

/// Lists on one page of the picker.
const PAGE: u32 = 100;

pub(crate) fn page(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    match picker {
        "list" => {
            let page = paging::offset(cursor)?.max(1);
            let reply = answer(Call::new("list_lists").path("page", page).path("size", PAGE))?;
            let items = json::rows(&reply, "/MailingLists").iter().filter_map(list).collect();
            let more = json::number(&reply, "/Paging/TotalPageCount").is_some_and(|pages| i64::from(page) < pages);
            Ok(Page { items, next: more.then(|| (page + 1).to_string()) })
        }
        "fields" => {
            let reply = answer(Call::new("list_details"))?;
            // By name, not by id: members' values are written and read by name.
            let field = |row: &json::Value| json::text(row, "/Name").map(|name| Choice::new(&name, &name));
            Ok(Page { items: json::rows(&reply, "/CustomFieldsDefinition").iter().filter_map(field).collect(), next: None })
        }
        other => Err(error::unsupported(format!("Moosend has no picker named '{other}'"))),
    }
}

/// A list that can be picked. Lists with own fields for the parts of a name bring the fields' names with them.
fn list(row: &json::Value) -> Option<Choice> {
    // 3 = deleted.
    let id = json::text(row, "/ID").filter(|_| json::number(row, "/Status") != Some(3))?;
    let mut choice = Choice::new(id, json::text(row, "/Name")?);
    for (fact, plain) in [("first_field", "firstname"), ("last_field", "lastname")] {
        let names = json::rows(row, "/CustomFieldsDefinition").iter().filter_map(|field| json::text(field, "/Name"));
        let is_it = |name: &String| name.to_ascii_lowercase().replace([' ', '_', '-'], "") == plain;
        choice.facts.extend(names.filter(is_it).take(1).map(|name| Pair::new(fact, name)));
    }
    Some(json::number(row, "/ActiveMemberCount").into_iter().fold(choice, |choice, n| choice.detail(format!("{n} active members"))))
}
