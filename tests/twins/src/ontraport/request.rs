//! Takes a request apart: JSON or form body, comma lists, paging. What cannot be read becomes [`Asked::Refused`] with
//! the status the vendor gives.

use std::collections::HashMap;

use http::HeaderMap;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::account::Fields;
use super::at;
use crate::core::Reply;

/// Most rows of one page; a larger `range` is cut to it without a word.
const PAGE: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    pub(crate) start: usize,
    pub(crate) range: usize,
}

/// A request taken apart.
pub struct Request(pub(super) Asked);

pub(crate) enum Asked {
    Save { fields: Fields, ignore_blanks: bool },
    Insert(Fields),
    Update { id: u64, fields: Fields },
    TagByName { ids: Vec<u64>, names: Vec<String>, attach: bool },
    TagById { ids: Vec<u64>, tags: Vec<u64>, attach: bool },
    Holders { tag: TagRef, paging: Paging },
    Info,
    Meta,
    Tags { name: Option<String>, paging: Paging },
    NewTag(String),
    ByEmail { email: String, all: bool },
    Contact(u64),
    Contacts { email: Option<String>, paging: Paging },
    Sequences,
    Campaigns,
    Refused(Reply),
}

pub(crate) enum TagRef {
    Name(String),
    Id(u64),
}

/// The contact that a request is about.
pub(crate) enum Whom<'a> {
    Email(&'a str),
    Id(u64),
    Nobody,
}

impl Asked {
    pub(crate) fn contact(&self) -> Whom<'_> {
        match self {
            Self::Save { fields, .. } | Self::Insert(fields) => fields.email.as_deref().map_or(Whom::Nobody, Whom::Email),
            Self::TagByName { ids, .. } | Self::TagById { ids, .. } => ids.first().map_or(Whom::Nobody, |id| Whom::Id(*id)),
            Self::ByEmail { email, .. } => Whom::Email(email),
            Self::Contact(id) | Self::Update { id, .. } => Whom::Id(*id),
            _ => Whom::Nobody,
        }
    }
}

pub(crate) fn read(route: usize, query: &str, headers: &HeaderMap, body: &[u8]) -> Asked {
    try_read(route, query, headers, body).unwrap_or_else(Asked::Refused)
}

fn try_read(route: usize, query: &str, headers: &HeaderMap, body: &[u8]) -> Result<Asked, Reply> {
    let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let from_query = |name: &str| query.get(name).map(String::as_str);
    let paging = || -> Result<Paging, Reply> {
        let number = |name: &str, default: usize| from_query(name).map_or(Ok(default), |v| v.parse().map_err(|_| malformed()));
        Ok(Paging { start: number("start", 0)?, range: number("range", PAGE)?.min(PAGE) })
    };
    Ok(match route {
        at::SAVE | at::INSERT => {
            let mut body = contact_body(headers, body)?;
            let ignore_blanks = body.remove("ignore_blanks").is_some_and(|v| truthy(&v));
            let fields = fields(body)?;
            if route == at::SAVE { Asked::Save { fields, ignore_blanks } } else { Asked::Insert(fields) }
        }
        at::UPDATE => {
            let mut body = contact_body(headers, body)?;
            let id = body.remove("id").and_then(|v| scalar(&v)).and_then(|v| v.parse().ok()).ok_or_else(malformed)?;
            Asked::Update { id, fields: fields(body)? }
        }
        at::ATTACH_NAMES | at::DETACH_NAMES => {
            let attach = route == at::ATTACH_NAMES;
            let body = contact_body(headers, body)?;
            let names = texts(body.get(if attach { "add_names" } else { "remove_names" }));
            Asked::TagByName { ids: numbers(body.get("ids"))?, names, attach }
        }
        at::ATTACH_IDS | at::DETACH_IDS => {
            let attach = route == at::ATTACH_IDS;
            let body = contact_body(headers, body)?;
            let tags = numbers(body.get(if attach { "add_list" } else { "remove_list" }))?;
            Asked::TagById { ids: numbers(body.get("ids"))?, tags, attach }
        }
        at::HOLDERS => {
            let tag = match (from_query("tag_name"), from_query("tag_id")) {
                (Some(name), _) => TagRef::Name(name.to_owned()),
                (None, Some(id)) => TagRef::Id(id.parse().map_err(|_| malformed())?),
                (None, None) => return Err(malformed()),
            };
            Asked::Holders { tag, paging: paging()? }
        }
        at::INFO => object(from_query("objectID")).map(|()| Asked::Info)?,
        at::OBJECT_META => object(from_query("objectID")).map(|()| Asked::Meta)?,
        at::CONTACT_META => Asked::Meta,
        at::TAGS => Asked::Tags { name: condition(from_query("condition"), "tag_name")?, paging: paging()? },
        at::NEW_TAG => {
            let mut body = read_body(headers, body)?;
            match body.remove("tag_name") {
                Some(Value::String(name)) if !name.trim().is_empty() => Asked::NewTag(name),
                _ => return Err(Reply::text(422, "tag_name is required.")),
            }
        }
        at::BY_EMAIL => {
            object(from_query("objectID"))?;
            let email = from_query("email").unwrap_or_default().to_owned();
            Asked::ByEmail { email, all: from_query("all").is_some_and(|v| v == "1" || v == "true") }
        }
        at::CONTACT => Asked::Contact(from_query("id").and_then(|v| v.parse().ok()).ok_or_else(malformed)?),
        at::CONTACTS => Asked::Contacts { email: condition(from_query("condition"), "email")?, paging: paging()? },
        at::SEQUENCES => Asked::Sequences,
        at::CAMPAIGNS => Asked::Campaigns,
        _ => return Err(malformed()),
    })
}

fn malformed() -> Reply {
    Reply::text(400, "The request is malformed.")
}

/// Only object type 0, contacts, exists here.
fn object(id: Option<&str>) -> Result<(), Reply> {
    match id {
        Some("0") => Ok(()),
        Some(_) => Err(Reply::text(404, "No such object type.")),
        None => Err(malformed()),
    }
}

fn read_body(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Reply> {
    let kind = headers.get(http::header::CONTENT_TYPE).map(|v| v.as_bytes()).unwrap_or_default();
    if kind.starts_with(b"application/x-www-form-urlencoded") {
        return Ok(form_urlencoded::parse(body).map(|(k, v)| (k.into_owned(), Value::String(v.into_owned()))).collect());
    }
    serde_json::from_slice(body).map_err(|_| malformed())
}

fn contact_body(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Reply> {
    let mut body = read_body(headers, body)?;
    let id = body.remove("objectID").and_then(|v| scalar(&v));
    object(id.as_deref())?;
    Ok(body)
}

fn fields(body: Map<String, Value>) -> Result<Fields, Reply> {
    let mut fields = Fields::default();
    for (name, value) in body {
        // Lists and objects have no meaning here.
        let value = scalar(&value).ok_or_else(malformed)?;
        if name == "email" { fields.email = Some(value) } else { fields.others.push((name, value)) }
    }
    match fields.email.as_deref().map(str::trim) {
        Some("") => fields.email = None,
        Some(email) if !is_email(email) => return Err(Reply::text(422, "The email is invalid.")),
        _ => {}
    }
    Ok(fields)
}

fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || c.is_control() || ",;<>()\"".contains(c);
    !local.is_empty()
        && !email.contains(odd)
        && !domain.contains('@')
        && domain.contains('.')
        && domain.split('.').all(|part| !part.is_empty())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(yes) => Some(if *yes { "1" } else { "0" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn truthy(value: &Value) -> bool {
    scalar(value).is_some_and(|v| !matches!(v.as_str(), "" | "0" | "false"))
}

/// A list of texts; a single text counts as a comma list.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(scalar).filter(|v| !v.is_empty()).collect(),
        Some(other) => scalar(other).unwrap_or_default().split(',').map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect(),
        None => Vec::new(),
    }
}

/// Ids come as numbers or as text; at least one is wanted.
fn numbers(value: Option<&Value>) -> Result<Vec<u64>, Reply> {
    let ids: Vec<u64> = texts(value).iter().map(|v| v.parse().map_err(|_| malformed())).collect::<Result<_, _>>()?;
    if ids.is_empty() { Err(malformed()) } else { Ok(ids) }
}

/// The one condition the twin understands: `field = value`.
fn condition(text: Option<&str>, field: &str) -> Result<Option<String>, Reply> {
    let Some(text) = text else { return Ok(None) };
    let rows: Value = serde_json::from_str(text).map_err(|_| malformed())?;
    let row = &rows[0];
    if row["field"]["field"] == field && row["op"] == "=" {
        return Ok(row["value"]["value"].as_str().map(str::to_owned));
    }
    Err(malformed())
}
