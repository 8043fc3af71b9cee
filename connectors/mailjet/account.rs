//! The account: whose it is and in which region, its lists and its contact properties. Makes lists, touches no contact.

use crm_connector_sdk::{prelude::*, text};

use crate::refusal::{answer, judged, rows};

/// Rows of a page: ten unless it is said, at most 1,000. Few accounts have more lists than these.
const PAGE: u32 = 100;
/// Ends a listing that never ends by itself.
const MAX_PAGES: u32 = 100;

/// Whose keys these are, and where. Only where both regions refuse them are they wrong.
pub(crate) fn verify() -> Result<Account, Error> {
    let mut trouble = None;
    for region in ["eu", "us"] {
        match answer(Call::new(format!("profile@{region}"))) {
            Ok(profile) => {
                // A key that only sends e-mails may see whose it is, and no list.
                answer(Call::new(format!("lists@{region}")).query("Limit", 1))?;
                let said = |what: &str| json::text(&profile, &format!("/Data/0/{what}"));
                let person = [said("Firstname"), said("Lastname")].into_iter().flatten().collect::<Vec<_>>().join(" ");
                let name = said("CompanyName").or(Some(person).filter(|name| !name.is_empty()));
                let id = said("ID").map(|id| format!("{region}-{id}"));
                return Ok(Account { id, name, choice: Some(region.to_owned()), ..Account::default() });
            }
            Err(throttled @ Error::RateLimited(_)) => return Err(throttled),
            // What may pass by itself outweighs a refusal by the other host.
            Err(Error::Credentials(refused)) => trouble = trouble.or(Some(Error::Credentials(refused))),
            Err(other) => trouble = trouble.filter(|first| !matches!(first, Error::Credentials(_))).or(Some(other)),
        }
    }
    Err(trouble.unwrap_or_else(|| error::retryable("region", "no region answered")))
}

pub(crate) fn choices(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    match picker {
        "list" | "tags" => {
            let (lists, next) = lists(cursor)?;
            Ok(Page { items: lists.into_iter().filter_map(|list| Some(Choice::new(list.id?, list.name))).collect(), next })
        }
        "fields" => {
            let (rows, next) = page("properties", cursor)?;
            let property = |row: &json::Value| {
                let choice = Choice::new(json::text(row, "/Name")?, json::text(row, "/Name")?);
                Some(json::text(row, "/Datatype").into_iter().fold(choice, Choice::detail))
            };
            // Historic data belongs to events, and cannot be written with the contact.
            let is_static = |row: &&json::Value| json::text(row, "/NameSpace").is_none_or(|space| space == "static");
            Ok(Page { items: rows.iter().filter(is_static).filter_map(property).collect(), next })
        }
        other => Err(error::unsupported(format!("Mailjet has no picker named '{other}'"))),
    }
}

/// Every list of the account.
pub(crate) fn all_lists() -> Result<Vec<Binding>, Error> {
    paging::collect(MAX_PAGES, lists)
}

/// Makes the list of a tag. Should the name be taken, somebody was faster, and their list is ours.
pub(crate) fn create_list(tag: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_list").json(obj! { "Name": tag }).send()?;
    if reply.status() == 400 && reply.text().contains("already exists") {
        let same = |list: &Binding| text::lower(&list.wire) == text::lower(tag);
        if let Some(list) = all_lists()?.into_iter().find(same) {
            return Ok(list);
        }
    }
    let made = judged(reply)?;
    rows(&made)?.iter().find_map(bound).ok_or_else(|| error::retryable("no-id", "create_list: the answer names no list"))
}

/// Where the account keeps first and last names, as facts. Every account begins with `firstname` and `name`, but `name` is a last name
/// only beside a first one, and only where nothing says so better.
pub(crate) fn name_properties() -> Result<Vec<Pair>, Error> {
    let all = paging::collect(MAX_PAGES, |cursor| page("properties", cursor))?;
    let texts: Vec<String> = all
        .iter()
        .filter(|row| json::text(row, "/Datatype").as_deref() == Some("str"))
        .filter_map(|row| json::text(row, "/Name"))
        .collect();
    let pick = |names: &[&str]| names.iter().find_map(|name| texts.iter().find(|text| text::lower(text) == *name));
    let first = pick(&["firstname", "first_name"]);
    let last = pick(&["lastname", "last_name"]).or_else(|| first.and_then(|_| pick(&["name"])));
    let facts = [("first", first), ("last", last)];
    Ok(facts.into_iter().filter_map(|(fact, property)| Some(Pair::new(fact, property?))).collect())
}

fn lists(cursor: Option<&str>) -> Result<(Vec<Binding>, Option<String>), Error> {
    let (rows, next) = page("lists", cursor)?;
    Ok((rows.iter().filter_map(bound).collect(), next))
}

fn bound(list: &json::Value) -> Option<Binding> {
    let name = json::text(list, "/Name")?;
    let binding = Binding { wire: name.clone(), name, id: Some(json::text(list, "/ID")?) };
    (json::at(list, "/IsDeleted") != Some(&json::Value::Bool(true))).then_some(binding)
}

/// Deleted rows count for the page's length, or the listing would end early.
fn page(call: &str, cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let start = paging::offset(cursor)?;
    let page = answer(Call::new(call).query("Limit", PAGE).query("Offset", start))?;
    let rows = rows(&page)?;
    Ok((rows.to_vec(), paging::next_offset(start, rows.len(), PAGE)))
}
