//! Contact properties: the ones that stand in for tags, and the merchant's own. Touches no contact.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::refusal::answer;

/// Every property of ours begins so, and so does the name of the system tag.
const OURS: &str = "rekomi";

/// They identify a contact, say what they agreed to, or are written from elsewhere: no mapping may reach them.
const PROTECTED: [&str; 12] = [
    "id",
    "email",
    "firstname",
    "lastname",
    "source",
    "subscribed",
    "usergroup",
    "userid",
    "mailinglists",
    "optinstatus",
    "createdat",
    "notes",
];

pub(crate) fn is_protected(key: &str) -> bool {
    let key = lower(key);
    PROTECTED.contains(&key.as_str()) || key.starts_with(OURS)
}

/// The property of a tag, in camelCase: `rekomiAffiliate` for "Rekomi affiliate", `rekomiTagSpringSale` for "Spring sale". Where more than
/// blanks, hyphens and underscores is lost, a checksum keeps two tags apart.
pub(crate) fn of_tag(tag: &str) -> String {
    let (head, rest) = tag.split_once(' ').unwrap_or(("", tag));
    // No other tag may end up with the property of one of ours.
    let is_ours = head.eq_ignore_ascii_case(OURS) && !lower(rest.trim_start()).starts_with("tag");
    let (prefix, words) = if is_ours { (OURS.to_owned(), rest) } else { (format!("{OURS}Tag"), tag) };
    let (mut name, mut begins, mut lost) = (prefix.clone(), true, false);
    for sign in words.chars() {
        if sign.is_ascii_alphanumeric() {
            name.push(if begins { sign.to_ascii_uppercase() } else { sign.to_ascii_lowercase() });
        }
        begins = !sign.is_ascii_alphanumeric();
        lost |= begins && !matches!(sign, ' ' | '-' | '_');
    }
    if lost || name == prefix { format!("{name}X{:08x}", checksum(&lower(tag))) } else { name }
}

/// FNV-1a.
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Finds the property of each tag; with `apply` makes those that are missing, else names them.
pub(crate) fn prepare(on: &Connection, tags: &[String], apply: bool) -> Result<Prepared, Error> {
    let mut prepared = Prepared::default();
    let mut listed: Option<Vec<json::Value>> = None;
    for tag in tags {
        let bound = Binding { name: tag.clone(), wire: of_tag(tag), id: None };
        if on.tags.contains(&bound) {
            prepared.tags.push(bound);
            continue;
        }
        let all = match &listed {
            Some(all) => all,
            None => listed.insert(all()?),
        };
        match kind(all, &bound.wire).as_deref() {
            Some("boolean") => prepared.tags.push(bound),
            Some(other) => {
                let text = format!("a property {} is there with another type, {other}: it cannot stand for the tag", bound.wire);
                return Err(error::permanent("property", text));
            }
            None if !apply => {
                prepared.to_create.push(Choice::new(format!("property:{}", bound.wire), format!("the contact property {}", bound.wire)))
            }
            None => {
                create(&bound.wire)?;
                prepared.tags.push(bound);
            }
        }
    }
    Ok(prepared)
}

fn create(name: &str) -> Result<(), Error> {
    match answer(Call::new("create_property").json(obj! { "name": name })) {
        // Perhaps somebody was faster: what counts is that it is there.
        Err(Error::Rejected(rejection)) => match kind(&all()?, name).as_deref() {
            Some("boolean") => Ok(()),
            _ => Err(Error::Rejected(rejection)),
        },
        made => made.map(drop),
    }
}

fn all() -> Result<Vec<json::Value>, Error> {
    listed(answer(Call::new("properties"))?)
}

fn kind(all: &[json::Value], name: &str) -> Option<String> {
    all.iter().find(|row| json::text(row, "/key").as_deref() == Some(name)).map(|row| json::text(row, "/type").unwrap_or_default())
}

/// Lists are bare: something else is none of the vendor's answers.
pub(crate) fn listed(answer: json::Value) -> Result<Vec<json::Value>, Error> {
    match answer {
        json::Value::Array(rows) => Ok(rows),
        _ => Err(error::retryable("no-list", "the answer is no list")),
    }
}

/// Both pickers come in one piece.
pub(crate) fn choices(picker: &str) -> Result<Page, Error> {
    let items = match picker {
        "list" => {
            let choice = |row: &json::Value| {
                let choice = Choice::new(json::text(row, "/id")?, json::text(row, "/name")?);
                Some(Choice { detail: json::text(row, "/description"), ..choice })
            };
            listed(answer(Call::new("lists"))?)?.iter().filter_map(choice).collect()
        }
        "fields" => {
            let choice = |row: &json::Value| {
                let key = json::text(row, "/key").filter(|key| !is_protected(key))?;
                Some(
                    Choice::new(&key, json::text(row, "/label").unwrap_or(key.clone()))
                        .detail(json::text(row, "/type").unwrap_or_default()),
                )
            };
            all()?.iter().filter_map(choice).collect()
        }
        other => return Err(error::unsupported(format!("Loops has no picker named '{other}'"))),
    };
    Ok(Page { items, next: None })
}

#[cfg(test)]
mod tests {
    use super::of_tag;

    #[test]
    fn a_property_is_named_after_its_tag_and_other_tags_get_another() {
        for (tag, name) in [
            ("Rekomi affiliate", "rekomiAffiliate"),
            ("affiliate", "rekomiTagAffiliate"),
            ("Rekomi tag affiliate", "rekomiTagRekomiTagAffiliate"),
            ("Spring sale 2026", "rekomiTagSpringSale2026"),
            ("VIP-gold_tier", "rekomiTagVipGoldTier"),
            ("C++", "rekomiTagCX4c21a3f0"),
            ("C", "rekomiTagC"),
        ] {
            assert_eq!(of_tag(tag), name);
        }
        assert_ne!(of_tag("名簿"), of_tag("партнёр"));
    }
}
