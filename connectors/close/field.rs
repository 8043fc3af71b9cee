//! The contact field that stands in for tags, and its choices: finding it, making it, adding choices, reading it on a contact. Must not
//! write to a contact.

use crm_connector_sdk::{prelude::*, text};

use crate::refusal::{answer, refusal, rows};

/// The field's name, which is also a constant of the manifest.
const NAME: &str = "Rekomi tags";
/// The fact that holds its id.
const FACT: &str = "tag_field";
/// Ends a listing that never ends by itself; 100 rows a page.
const MAX_PAGES: u32 = 50;

/// The id of the field, such as `cf_abc`.
pub(crate) struct TagField(String);

impl TagField {
    /// As remembered; stale where it is not known yet.
    pub(crate) fn of(on: &Connection) -> Result<Self, Error> {
        Ok(Self(on.need_fact(FACT)?.to_owned()))
    }

    pub(crate) fn is(&self, id: &str) -> bool {
        self.0 == id
    }

    /// The key of the whole field in a contact.
    pub(crate) fn whole(&self) -> String {
        format!("custom.{}", self.0)
    }

    /// The key that adds (`add`) or removes (`remove`) one value.
    pub(crate) fn key(&self, how: &str) -> String {
        format!("custom.{}.{how}", self.0)
    }

    /// The values on a contact. A single one may stand there by itself.
    pub(crate) fn on(&self, person: &json::Value) -> Vec<String> {
        match person.get(self.whole()) {
            Some(json::Value::Array(values)) => values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
            Some(json::Value::String(value)) => vec![value.clone()],
            _ => Vec::new(),
        }
    }

    /// The answer to a write. A refusal that names this field means that it, or one of its choices, was deleted meanwhile.
    pub(crate) fn judged(&self, reply: Reply, names: &[String]) -> Result<json::Value, Error> {
        if reply.status() == 400 && reply.text().contains(&self.0) {
            return Err(error::stale(names.iter().map(String::as_str).chain([FACT])));
        }
        reply.ok_or(refusal)?.need_json()
    }
}

/// A tag as the field spells it.
pub(crate) fn spelt<'t>(tag: &'t String, on: &'t Connection) -> &'t str {
    on.tags.iter().find(|bound| bound.name == *tag).map_or(tag, |bound| &bound.wire)
}

/// Finds every tag among the choices; the field and what is missing among them is made, in one call.
pub(crate) fn prepare(on: &Connection, wanted: &[String], apply: bool) -> Result<Prepared, Error> {
    let mut field = ours(on)?;
    if field.is_none() && apply {
        field = Some(make(on, wanted)?);
    }
    let mut there = field.as_ref().map(options).unwrap_or_default();
    let missing: Vec<&String> = wanted.iter().filter(|name| bound(name, &there).is_none()).collect();
    if let (Some(field), true, true) = (&field, apply, !missing.is_empty()) {
        let choices: Vec<String> = there.iter().chain(missing.iter().copied()).cloned().collect();
        let id = json::text(field, "/id").unwrap_or_default();
        there = options(&answer(Call::new("add_choices").path("field", id).json(obj! { "choices": choices }))?);
    }
    let mut prepared = Prepared::default();
    match field.and_then(|field| json::text(&field, "/id")) {
        Some(id) => prepared.facts.push(Pair::new(FACT, id)),
        // Made only after the merchant's yes.
        None => prepared.to_create.push(Choice::new(FACT, format!("the contact field \"{NAME}\""))),
    }
    for name in wanted {
        match bound(name, &there) {
            Some(tag) => prepared.tags.push(tag),
            None => prepared.to_create.push(Choice::new(format!("tag:{name}"), name)),
        }
    }
    Ok(prepared)
}

/// The choices for the picker. A field that is not there yet has none.
pub(crate) fn choices(on: &Connection) -> Result<Vec<Choice>, Error> {
    Ok(ours(on)?.map(|field| options(&field)).unwrap_or_default().iter().map(|name| Choice::new(name, name)).collect())
}

/// One page of the contact fields, and where the next begins.
pub(crate) fn page(cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let skip = paging::offset(cursor)?;
    let page = answer(Call::new("fields").query("_skip", skip))?;
    let rows = rows(&page)?.to_vec();
    let more = page["has_more"] == true && !rows.is_empty();
    let next = more.then(|| (skip as usize + rows.len()).to_string());
    Ok((rows, next))
}

/// Fields that a text, a number or a date fits in.
pub(crate) fn mappable(field: &json::Value) -> Option<Choice> {
    let kind = json::text(field, "/type")?;
    let name = json::text(field, "/name")?;
    let fits = matches!(kind.as_str(), "text" | "textarea" | "number" | "date" | "datetime" | "choices") && !takes_several(field);
    fits.then(|| Some(Choice::new(json::text(field, "/id")?, name).detail(kind)))?
}

/// Our field: as remembered, else by its name.
fn ours(on: &Connection) -> Result<Option<json::Value>, Error> {
    let all = paging::collect(MAX_PAGES, page)?;
    let is = |field: &&json::Value, place: &str, what: &str| json::text(field, place).as_deref() == Some(what);
    let remembered = on.fact(FACT).and_then(|id| all.iter().find(|field| is(field, "/id", id)));
    let Some(field) = remembered.or_else(|| all.iter().find(|field| is(field, "/name", NAME))) else { return Ok(None) };
    if !is(&field, "/type", "choices") || !takes_several(field) {
        let way =
            format!("The contact field \"{NAME}\" is there, but does not take several choices. Change its type in Close, or rename it.");
        return Err(error::rejected("tags", "field-type", way));
    }
    Ok(Some(field.clone()))
}

/// Makes the field with all choices at once.
fn make(on: &Connection, wanted: &[String]) -> Result<json::Value, Error> {
    let make = || answer(Call::new("add_field").json(obj! { "choices": wanted }));
    let made = match make() {
        // Its answer was lost: look before making a second one of this name.
        Err(Error::Retryable(told)) if told.code == error::UNKNOWN_OUTCOME => match ours(on)? {
            Some(field) => field,
            None => make()?,
        },
        other => other?,
    };
    let has_id = json::text(&made, "/id").is_some();
    has_id.then_some(made).ok_or_else(|| error::retryable("no-id", "add_field: the answer names no field"))
}

fn takes_several(field: &json::Value) -> bool {
    field["accepts_multiple_values"] == true
}

fn options(field: &json::Value) -> Vec<String> {
    json::rows(field, "/choices").iter().filter_map(|choice| choice.as_str().map(str::to_owned)).collect()
}

/// A choice is its own id. An exact spelling goes before one in another case.
fn bound(name: &str, choices: &[String]) -> Option<Binding> {
    let exact = choices.iter().find(|choice| *choice == name);
    let choice = exact.or_else(|| choices.iter().find(|choice| text::lower(choice.trim()) == text::lower(name.trim())))?;
    Some(Binding { name: name.to_owned(), wire: choice.clone(), id: Some(choice.clone()) })
}
