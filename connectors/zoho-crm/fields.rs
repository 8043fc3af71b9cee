//! The merchant's own fields. Zoho makes their names from labels, without a mark that tells them from the vendor's: what must
//! not be written is known by name, here and in the manifest's `never`.

use crm_connector_sdk::{prelude::*, text};

use crate::labels::in_module;
use crate::refusal::answer;

/// Written from the person or by Zoho, or somebody's consent. In lower case: no spelling gets past.
const VENDORS: [&str; 32] = [
    "id",
    "email",
    "secondary_email",
    "first_name",
    "last_name",
    "full_name",
    "company",
    "email_opt_out",
    "unsubscribed_mode",
    "unsubscribed_time",
    "data_processing_basis",
    "data_processing_basis_details",
    "data_source",
    "owner",
    "layout",
    "tag",
    "territories",
    "account_name",
    "vendor_name",
    "reporting_to",
    "lead_status",
    "record_image",
    "created_by",
    "created_time",
    "modified_by",
    "modified_time",
    "last_activity_time",
    "lead_conversion_time",
    "converted_account",
    "converted_contact",
    "converted_date_time",
    "converted_deal",
];

/// What a value can be written to. The rest are links to other records, files, what Zoho works out by itself, and Date/Time: it
/// takes a date only with a time and an offset, which a day has not.
const TYPES: [&str; 14] = [
    "text",
    "textarea",
    "email",
    "phone",
    "website",
    "picklist",
    "multiselectpicklist",
    "integer",
    "bigint",
    "double",
    "currency",
    "percent",
    "boolean",
    "date",
];

pub(crate) fn choices(on: &Connection) -> Result<Page, Error> {
    match answer(in_module("list_fields", on)) {
        // Nothing else needs this scope, so its lack must not stop the syncs.
        Err(Error::Credentials(refusal)) if refusal.told.code == "OAUTH_SCOPE_MISMATCH" => {
            Err(error::unsupported("the token was made without the scope ZohoCRM.settings.fields.READ"))
        }
        other => Ok(Page { items: json::rows(&other?, "/fields").iter().filter_map(choice).collect(), next: None }),
    }
}

fn choice(row: &json::Value) -> Option<Choice> {
    let is = |at: &str| json::at(row, at).and_then(json::Value::as_bool);
    let key = json::text(row, "/api_name").filter(|key| is("/custom_field") == Some(true) && is_custom(key))?;
    let kind = json::text(row, "/data_type").unwrap_or_default();
    let writable = is("/operation_type/api_create") != Some(false) && is("/operation_type/api_update") != Some(false);
    let choice = Choice::new(&key, json::text(row, "/field_label").unwrap_or_else(|| key.clone()));
    Some(Choice { selectable: writable && TYPES.contains(&kind.as_str()), ..choice.detail(kind) })
}

/// The mapped values that may be written, by field.
pub(crate) fn mapped(who: &Person) -> impl Iterator<Item = (&str, json::Value)> {
    let own = who.fields.iter().filter(|field| is_custom(&field.key));
    own.map(|field| (field.key.as_str(), body::Json::into_json(&field.value)))
}

/// What was mapped to a field of the vendor's, which stays as it is.
pub(crate) fn dropped(who: &Person) -> impl Iterator<Item = &str> {
    who.fields.iter().map(|field| field.key.as_str()).filter(|key| !is_custom(key))
}

fn is_custom(key: &str) -> bool {
    let key = text::lower(key);
    // `__s` ends what Zoho adds to a module, `$` begins what is about the record itself.
    !(key.starts_with('$') || key.ends_with("__s") || VENDORS.contains(&key.as_str()))
}
