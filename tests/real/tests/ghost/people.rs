//! The hundred people of the run: who they are, what the site has of them already, and what must be there in the end.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context as _, Result};
use crm_real_tests::ghost::{Member, Owner};
use serde_json::{Value, json};

pub(crate) const HOW_MANY: usize = 100;
/// The newsletter that people who sign up get, and the one that the merchant picks.
pub(crate) const SIGN_UP: &str = "Acme Weekly";
pub(crate) const PICKED: &str = "Partners";
/// More labels than one page of the picker.
const MANY: usize = 105;

/// One affiliate.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) full: Option<&'static str>,
    /// What the site has of this person before the first sync.
    pub(crate) before: Option<Before>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    email: String,
    name: &'static str,
    labels: Vec<String>,
    newsletters: Vec<&'static str>,
}

/// What must be there at the end: name, labels in small letters, newsletters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) name: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) newsletters: Vec<String>,
    pub(crate) known: bool,
}

fn person(n: usize) -> Person {
    let email = format!("person{n}@example.com");
    let known = |labels: &[&str], newsletters: &[&'static str]| {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Some(Before { email: email.clone(), name: "Old Name", labels, newsletters: newsletters.to_vec() })
    };
    let many = (0..MANY).map(|label| format!("Label {label:03}")).collect();
    let (full, before) = match n {
        0 => (Some("Ann Lee"), known(&[], &[SIGN_UP]).map(|before| Before { labels: many, ..before })),
        // With labels and a name of their own, one label in the merchant's spelling.
        1..15 => (Some("Ann Lee"), known(&["VIP", "summer", "Été"], &[SIGN_UP])),
        // They left.
        15..25 => (Some("Ben Gone"), known(&["Former"], &[])),
        // They read the other newsletter only.
        25..30 => (Some("Cy Other"), known(&[], &[SIGN_UP])),
        30..35 => (Some("Dee Named"), known(&["VIP"], &[PICKED]).map(|before| Before { name: "", ..before })),
        // The site spells the address in another way; some of them left.
        35..38 => (Some("Eve Case"), known(&["VIP"], &[PICKED]).map(|before| Before { email: format!("Person{n}@Example.com"), ..before })),
        38..40 => (Some("Eve Case"), known(&["VIP"], &[]).map(|before| Before { email: format!("PERSON{n}@example.com"), ..before })),
        45..50 => (None, None),
        50..55 => (Some("Zoë Ångström-Łukasiewicz"), None),
        55..60 => (Some("李 小龍 🦊"), None),
        _ => (Some("Finn New"), None),
    };
    let email = match n {
        40..45 => format!("Ann.Lee+Shop{n}@Example.com"),
        60..62 => format!("o'brien{n}@example.com"),
        // One address begins like another's.
        62 => "jo_x@example.co".to_owned(),
        63 => "jo_x@example.com".to_owned(),
        64 => "joyx@example.com".to_owned(),
        _ => email,
    };
    Person { email, full, before }
}

pub(crate) fn people() -> Vec<Person> {
    (0..HOW_MANY).map(person).collect()
}

/// Puts into the site whom it has before the first sync.
pub(crate) fn seed(owner: &Owner, newsletters: &HashMap<&str, String>) -> Result<()> {
    for before in people().iter().filter_map(|person| person.before.as_ref()) {
        let mut member = json!({ "email": before.email, "name": before.name });
        member["labels"] = before.labels.iter().map(|name| json!({ "name": name })).collect();
        let ids = before.newsletters.iter().map(|name| newsletters.get(name).with_context(|| format!("no newsletter {name}")));
        member["newsletters"] = Value::Array(ids.map(|id| id.map(|id| json!({ "id": id }))).collect::<Result<_>>()?);
        owner.add_member(member)?;
    }
    Ok(())
}

/// What must be there once `tags` were set, by address in small letters.
pub(crate) fn wanted(tags: &[&str]) -> HashMap<String, Want> {
    let want = |person: &Person| {
        let before = person.before.clone().unwrap_or_default();
        let newsletters = if person.before.is_some() { before.newsletters } else { vec![PICKED] };
        let name = if before.name.is_empty() { person.full.unwrap_or_default() } else { before.name };
        Want {
            // What is no name is left out of it for every vendor.
            name: name.trim_end_matches([' ', '🦊']).to_owned(),
            labels: before.labels.iter().map(String::as_str).chain(tags.iter().copied()).map(str::to_lowercase).collect(),
            newsletters: newsletters.iter().map(|name| (*name).to_owned()).collect(),
            known: person.before.is_some(),
        }
    };
    people().iter().map(|person| (person.email.to_lowercase(), want(person))).collect()
}

/// What differs between what the site has and what it should have.
pub(crate) fn differences(members: &[Member], want: &HashMap<String, Want>) -> Vec<String> {
    let mut wrong = Vec::new();
    if members.len() != want.len() {
        wrong.push(format!("{} members instead of {}", members.len(), want.len()));
    }
    let mut seen = BTreeSet::new();
    for member in members {
        let email = member.email.to_lowercase();
        if !seen.insert(email.clone()) {
            wrong.push(format!("{} is there twice", member.email));
        }
        let Some(want) = want.get(&email) else {
            wrong.push(format!("{} is nobody's address", member.email));
            continue;
        };
        let labels: BTreeSet<String> = member.labels.iter().map(|label| label.to_lowercase()).collect();
        if labels.len() != member.labels.len() {
            wrong.push(format!("{email} has a label twice: {:?}", member.labels));
        }
        let got = Want { name: member.name.clone(), labels, newsletters: member.newsletters.clone(), known: want.known };
        if got != *want {
            wrong.push(format!("{email} is {got:?} instead of {want:?}"));
        }
    }
    wrong.extend(want.keys().filter(|email| !seen.contains(*email)).map(|email| format!("{email} is missing")));
    wrong
}
