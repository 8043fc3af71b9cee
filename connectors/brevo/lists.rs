//! Lists: which there are, and who may be put on one. Sends nothing that changes a contact.

use crm_connector_sdk::{memo, prelude::*};

use crate::refusal::answer;
use crate::standing;

/// The largest page that the vendor gives; the manifest asks for it.
const PAGE: usize = 50;

pub(crate) fn page(cursor: Option<&str>) -> Result<Page, Error> {
    let start = paging::offset(cursor)?;
    let reply = answer(Call::new("lists").query("offset", start))?;
    let choice = |row| Some(Choice::new(json::text(row, "/id")?, json::text(row, "/name")?));
    // An account without lists has no such key.
    let rows = json::rows(&reply, "/lists");
    let end = i64::from(start) + rows.len() as i64;
    // The total decides; without one, whether the page is full.
    let more = json::number(&reply, "/count").map_or(rows.len() >= PAGE, |count| end < count);
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next: (more && !rows.is_empty()).then(|| end.to_string()) })
}

/// Nobody is put on a list who left it, who is blocklisted, or whom the merchant took off it after we had put them on.
pub(crate) fn may_join(contact: &json::Value, list: u64, known: &Known) -> bool {
    let joined = json::text(&memo::read(known), "/joined").is_some_and(|joined| joined == list.to_string());
    standing(contact, list) == Standing::Normal && !holds(contact, "/listIds", list) && !joined
}

pub(crate) fn holds(contact: &json::Value, lists: &str, list: u64) -> bool {
    json::rows(contact, lists).iter().any(|id| json::text(id, "").is_some_and(|id| id == list.to_string()))
}
