//! Where tags are kept: among Pipedrive's labels of people, or in a field of our own. Both are options with ids, and both are lists that
//! a write replaces as a whole. Must not write to a person.

use crm_connector_sdk::prelude::*;

use crate::refusal::answer;

/// The vendor's code of the label field.
const LABELS: &str = "label_ids";
/// The field of our own; its name is a constant of the manifest.
const OWN: &str = "Rekomi tags";
/// The fact that holds its code.
const FACT: &str = "tag_field";

pub(crate) enum Carrier {
    Labels,
    Own(String),
}

impl Carrier {
    /// As the merchant set it; stale where our field is not known yet.
    pub(crate) fn of(on: &Connection) -> Result<Self, Error> {
        if is_own(on) { Ok(Self::Own(on.need_fact(FACT)?.to_owned())) } else { Ok(Self::Labels) }
    }

    fn code(&self) -> &str {
        match self {
            Self::Labels => LABELS,
            Self::Own(code) => code,
        }
    }

    /// Where the list stands in a person.
    fn place(&self) -> String {
        match self {
            Self::Labels => format!("/{LABELS}"),
            Self::Own(code) => format!("/custom_fields/{code}"),
        }
    }

    pub(crate) fn is(&self, key: &str) -> bool {
        self.code() == key
    }

    /// The option ids on a person, or in the answer to a write.
    pub(crate) fn on(&self, person: &json::Value) -> Vec<String> {
        json::rows(person, &self.place()).iter().filter_map(|id| json::text(&obj! { "id": id }, "/id")).collect()
    }

    /// Puts the whole list of ids into a person's body. Ids are numbers on the wire. Clearing is `[]` for labels and null for a field,
    /// which refuses an empty list.
    pub(crate) fn put(&self, body: &mut json::Value, ids: &[String]) {
        let ids: Vec<json::Value> = ids.iter().filter_map(|id| id.parse::<u64>().ok()).map(json::Value::from).collect();
        match self {
            Self::Labels => body[LABELS] = json::Value::Array(ids),
            Self::Own(code) if ids.is_empty() => body["custom_fields"][code] = json::Value::Null,
            Self::Own(code) => body["custom_fields"][code] = json::Value::Array(ids),
        }
    }

    /// A refusal that names this field means that an option, or the field of our own, was deleted meanwhile.
    pub(crate) fn judge(&self, error: Error, names: &[String]) -> Error {
        match (error, self) {
            (Error::Rejected(refused), _) if !refused.told.text.contains(self.code()) => Error::Rejected(refused),
            (Error::Rejected(_), Self::Labels) => error::stale(names),
            (Error::Rejected(_), Self::Own(_)) => error::stale(names.iter().map(String::as_str).chain([FACT])),
            (other, _) => other,
        }
    }

    /// The answer to a write shows what was taken. An option that is not among it does not exist any more.
    pub(crate) fn need_all(&self, saved: &json::Value, names: &[String], wanted: &[String]) -> Result<(), Error> {
        if json::at(saved, &self.place()).is_none() {
            return Ok(());
        }
        let there = self.on(saved);
        let gone: Vec<&String> = names.iter().zip(wanted).filter(|(_, id)| !there.contains(id)).map(|(name, _)| name).collect();
        if gone.is_empty() { Ok(()) } else { Err(error::stale(gone)) }
    }
}

fn is_own(on: &Connection) -> bool {
    on.setting("tags_in") == Some("own-field")
}

/// The options of the carrier, for the picker. A field of our own that is not there yet has none.
pub(crate) fn choices(on: &Connection) -> Result<Vec<Choice>, Error> {
    let Ok(carrier) = Carrier::of(on) else { return Ok(Vec::new()) };
    let choice = |tag: Binding| Choice::new(tag.id.unwrap_or_default(), tag.wire);
    Ok(read(carrier.code())?.into_iter().map(choice).collect())
}

/// Finds every tag among the options, and creates those that are missing.
pub(crate) fn prepare(on: &Connection, wanted: &[String], apply: bool) -> Result<Prepared, Error> {
    let code = match (is_own(on), apply) {
        (false, _) => LABELS.to_owned(),
        (true, true) => own_field(on)?.map_or_else(|| make_field(on, wanted), Ok)?,
        (true, false) => match own_field(on)? {
            Some(code) => code,
            None => return everything(wanted),
        },
    };
    let create = |name: &str| add(&code, name).map_err(|why| if is_own(on) { why } else { no_new_label(name, why) });
    let mut prepared = tags::resolve(wanted, &on.tags, apply, || read(&code), create)?;
    if is_own(on) {
        prepared.facts.push(Pair::new(FACT, code));
    }
    Ok(prepared)
}

/// What a first time would create: the field, which takes the merchant's yes, and all its options.
fn everything(wanted: &[String]) -> Result<Prepared, Error> {
    let mut missing = tags::resolve(wanted, &[], false, || Ok(Vec::new()), |_| Err(error::stale([FACT])))?;
    missing.to_create.insert(0, Choice::new(FACT, format!("the person field \"{OWN}\"")));
    Ok(missing)
}

/// Creates the field of our own, with all options at once, and gives its code.
fn make_field(on: &Connection, wanted: &[String]) -> Result<String, Error> {
    let options: Vec<json::Value> = wanted.iter().map(|name| obj! { "label": name }).collect();
    let make = || answer(Call::new("add_field").json(obj! { "options": &options }));
    let made = match make() {
        // Its answer was lost: look before making a second one of this name.
        Err(Error::Retryable(told)) if told.code == error::UNKNOWN_OUTCOME => match own_field(on)? {
            Some(code) => return Ok(code),
            None => make()?,
        },
        other => other?,
    };
    json::text(&made, "/data/field_code").ok_or_else(|| error::retryable("no-id", "add_field: the answer names no field"))
}

/// The code of our field: as remembered, else by its name among all fields.
fn own_field(on: &Connection) -> Result<Option<String>, Error> {
    if let Some(code) = on.fact(FACT) {
        return Ok(Some(code.to_owned()));
    }
    let fields = paging::collect(20, fields)?;
    let ours = |field: &&json::Value| {
        json::text(field, "/field_name").as_deref() == Some(OWN) && json::text(field, "/field_type").as_deref() == Some("set")
    };
    Ok(fields.iter().find(ours).and_then(|field| json::text(field, "/field_code")))
}

/// One page of the person fields, and the cursor of the next.
pub(crate) fn fields(cursor: Option<&str>) -> Result<(Vec<json::Value>, Option<String>), Error> {
    let reply = answer(Call::new("fields").query_opt("cursor", cursor))?;
    Ok((json::rows(&reply, "/data").to_vec(), json::text(&reply, "/additional_data/next_cursor")))
}

fn read(code: &str) -> Result<Vec<Binding>, Error> {
    let reply = answer(Call::new("field").path("field", code))?;
    Ok(json::rows(&reply, "/data/options").iter().filter_map(option).collect())
}

fn add(code: &str, name: &str) -> Result<Binding, Error> {
    let reply = answer(Call::new("add_label").path("field", code).json(json::Value::from(vec![obj! { "label": name }])))?;
    let made = json::rows(&reply, "/data").iter().find_map(option);
    made.ok_or_else(|| error::retryable("no-id", "add_label: the answer names no option"))
}

/// The options call is described for fields that the merchant made. Should it not take labels, the merchant has two ways out.
fn no_new_label(name: &str, why: Error) -> Error {
    let ways = format!("create the label '{name}' in Pipedrive yourself, or keep tags in a field of their own");
    match why {
        Error::Rejected(refused) => error::rejected("tags", refused.told.code, format!("{ways}: {}", refused.told.text)),
        Error::Stale(_) => error::rejected("tags", 404, format!("{ways}: Pipedrive does not find its label field")),
        other => other,
    }
}

fn option(row: &json::Value) -> Option<Binding> {
    let label = json::text(row, "/label")?;
    Some(Binding { name: label.clone(), wire: label, id: Some(json::text(row, "/id")?) })
}
