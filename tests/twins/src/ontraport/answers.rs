//! What the vendor answers: the two shapes of `saveorupdate`, ids as strings, prose where no one should parse it.

use serde_json::{Map, Value, json};

use super::ACCOUNT_ID;
use super::account::{Account, CUSTOM_FIELDS, Changed, Contact, FIELDS, Saved};
use super::request::{Asked, Paging, TagRef};
use crate::core::Reply;

pub(crate) fn answer(account: &mut Account, asked: Asked) -> Reply {
    match asked {
        Asked::Refused(reply) => reply,
        Asked::Save { fields, ignore_blanks } => match account.save(fields, ignore_blanks) {
            Saved::Created(id) => found(account.contact(id).map(row)),
            Saved::Updated { id, changed } => attrs(id, changed),
        },
        Asked::Update { id, fields } => match account.change(id, fields) {
            Changed::Done(changed) => attrs(id, changed),
            Changed::Absent => absent(),
            // The documents do not say; e-mail is the unique field, so the harsher reading is a refusal.
            Changed::Taken => Reply::text(422, "Another contact has this email."),
        },
        Asked::Insert(fields) => {
            let id = account.insert(fields);
            found(account.contact(id).map(row))
        }
        Asked::TagByName { ids, names, attach } => {
            if !some_exist(account, &ids) {
                return absent();
            }
            // Unknown names are created when attached, passed over when detached.
            let tags: Vec<u64> =
                names.iter().filter_map(|name| if attach { Some(account.tag_named(name)) } else { account.tag_id(name) }).collect();
            account.tag(&ids, &tags, attach);
            good(&json!("The tags are now processed."))
        }
        Asked::TagById { ids, tags, attach } => {
            if !some_exist(account, &ids) || tags.iter().any(|tag| account.tag_name(*tag).is_none()) {
                return absent();
            }
            account.tag(&ids, &tags, attach);
            good(&json!("The tags are now processed."))
        }
        Asked::Holders { tag, paging } => {
            let id = match &tag {
                TagRef::Name(name) => account.tag_id(name),
                TagRef::Id(id) => account.tag_name(*id).map(|_| *id),
            };
            let Some(id) = id else { return absent() };
            page(account.contacts().filter(|c| c.tags.contains(&id)).map(row), paging)
        }
        Asked::Info => {
            let count = account.contacts().count().to_string();
            good(&json!({ "listFields": ["fn", "email", "date"], "listFieldSettings": [], "count": count }))
        }
        Asked::Meta => good(&json!({ "0": { "name": "Contact", "fields": field_list() } })),
        Asked::Tags { name, paging } => {
            let rows = account.tags().iter().filter(|tag| name.as_ref().is_none_or(|wanted| *wanted == tag.name));
            page(rows.map(|tag| json!({ "tag_id": tag.id.to_string(), "tag_name": tag.name, "object_type_id": "0" })), paging)
        }
        Asked::NewTag(name) => {
            let id = account.new_tag(&name);
            good(&json!({ "tag_id": id.to_string(), "tag_name": name, "object_type_id": "0" }))
        }
        Asked::ByEmail { email, all } => match account.ids_of(&email) {
            [] => absent(),
            ids if all => good(&json!({ "ids": ids.iter().map(u64::to_string).collect::<Vec<_>>() })),
            [first, ..] => good(&json!({ "id": first.to_string() })),
        },
        Asked::Contact(id) => found(account.contact(id).map(row)),
        Asked::Contacts { email, paging } => {
            let ids = email.map(|email| account.ids_of(&email).to_vec());
            page(account.contacts().filter(|c| ids.as_ref().is_none_or(|ids| ids.contains(&c.id))).map(row), paging)
        }
        Asked::Sequences => good(&json!([{ "drip_id": "1", "name": "Welcome" }, { "drip_id": "2", "name": "Day 30 offer" }])),
        Asked::Campaigns => good(&json!([{ "id": "1", "name": "Course launch" }])),
    }
}

fn attrs(id: u64, changed: Vec<(String, String)>) -> Reply {
    let mut attrs: Map<String, Value> = changed.into_iter().map(|(k, v)| (k, Value::String(v))).collect();
    attrs.insert("id".into(), json!(id.to_string()));
    good(&json!({ "attrs": attrs }))
}

fn some_exist(account: &Account, ids: &[u64]) -> bool {
    ids.iter().any(|id| account.contact(*id).is_some())
}

fn good(data: &Value) -> Reply {
    Reply::json(200, json!({ "code": 0, "data": data, "account_id": ACCOUNT_ID }).to_string().into_bytes())
}

fn found(data: Option<Value>) -> Reply {
    data.map_or_else(absent, |data| good(&data))
}

fn absent() -> Reply {
    Reply::text(404, "Object not found.")
}

fn page(rows: impl Iterator<Item = Value>, paging: Paging) -> Reply {
    good(&Value::Array(rows.skip(paging.start).take(paging.range).collect()))
}

/// A contact as the vendor shows it. `contact_cat` holds the tag ids in the form that lists have.
fn row(contact: &Contact) -> Value {
    let mut row: Map<String, Value> = Map::new();
    row.insert("id".into(), json!(contact.id.to_string()));
    row.insert("owner".into(), json!("1"));
    row.insert("email".into(), json!(contact.email));
    for (name, value) in &contact.fields {
        row.insert(name.clone(), json!(value));
    }
    let tags: String = contact.tags.iter().map(|id| format!("*/*{id}")).collect();
    row.insert("contact_cat".into(), json!(if tags.is_empty() { tags } else { format!("{tags}*/*") }));
    Value::Object(row)
}

fn field_list() -> Map<String, Value> {
    let field = |(name, alias): &(&str, &str), kind: &str| ((*name).to_owned(), json!({ "alias": alias, "type": kind }));
    let mut fields: Map<String, Value> = Map::new();
    fields.insert("email".into(), json!({ "alias": "Email", "type": "email" }));
    fields.extend(FIELDS.iter().map(|f| field(f, "text")));
    fields.extend(CUSTOM_FIELDS.iter().map(|f| field(f, "text")));
    fields
}
