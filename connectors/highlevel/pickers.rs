//! What the merchant picks from: tags, workflows and custom fields, each answered in one piece. Reads only.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

pub(crate) fn page(on: &Connection, picker: &str) -> Result<Page, Error> {
    let items = match picker {
        "tags" => rows(Call::new("tags"), "/tags", named)?,
        "fields" => rows(Call::new("fields"), "/customFields", field)?,
        "workflow" => rows(Call::new("workflows").query_opt("locationId", on.setting("location_id")), "/workflows", workflow)?,
        other => return Err(error::unsupported(format!("HighLevel has no picker named '{other}'"))),
    };
    Ok(Page { items, next: None })
}

fn rows(call: Call, at: &str, choice: impl Fn(&json::Value) -> Option<Choice>) -> Result<Vec<Choice>, Error> {
    Ok(json::rows(&answer(call)?, at).iter().filter_map(choice).collect())
}

fn named(row: &json::Value) -> Option<Choice> {
    Some(Choice::new(json::text(row, "/id")?, json::text(row, "/name")?))
}

/// A draft takes nobody in.
fn workflow(row: &json::Value) -> Option<Choice> {
    let status = json::text(row, "/status").unwrap_or_default();
    Some(Choice { selectable: status == "published", ..named(row)?.detail(status) })
}

/// Files, signatures and lists of boxes are no plain values.
fn field(row: &json::Value) -> Option<Choice> {
    let kind = json::text(row, "/dataType").unwrap_or_default();
    let is_plain = !matches!(kind.as_str(), "FILE_UPLOAD" | "SIGNATURE" | "TEXTBOX_LIST");
    Some(Choice { selectable: is_plain, ..named(row)?.detail(kind) })
}
