//! What the merchant picks from: campaigns, and the picked object's own fields. Reads only.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

pub(crate) fn page(picker: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let (call, place, [id, name, detail]) = match (picker, cursor) {
        ("campaign", None) => (Call::new("list_campaigns"), "/records", ["/Id", "/Name", "/Status"]),
        ("campaign", Some(cursor)) => (Call::new("more_campaigns").path("cursor", cursor), "/records", ["/Id", "/Name", "/Status"]),
        ("fields", _) => (Call::new("describe"), "/fields", ["/name", "/label", "/type"]),
        (other, _) => return Err(error::unsupported(format!("Salesforce has no picker named '{other}'"))),
    };
    let reply = answer(call)?;
    let writable = |row: &&json::Value| json::at(row, "/updateable").and_then(json::Value::as_bool).unwrap_or(true);
    let choice = |row: &json::Value| {
        let id = json::text(row, id).filter(|id| picker != "fields" || id.ends_with("__c"))?;
        Some(json::text(row, detail).into_iter().fold(Choice::new(id, json::text(row, name)?), Choice::detail))
    };
    let next = json::text(&reply, "/nextRecordsUrl").and_then(|url| url.rsplit('/').next().map(str::to_owned));
    Ok(Page { items: json::rows(&reply, place).iter().filter(writable).filter_map(choice).collect(), next })
}
