//! The contacts of a twin whose vendor keeps one contact an e-mail: fields, tags, lists, consent, and the counters a run is
//! judged by. What a vendor's API does with them is the vendor's module's to say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

/// Whether someone gets mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// Nobody has said anything.
    #[default]
    Unset,
    Pending,
    Subscribed,
    /// Left, or was suppressed.
    OptedOut,
}

/// One contact.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// From 1, in the order in which contacts were made.
    pub number: u64,
    pub email: String,
    pub fields: BTreeMap<String, Value>,
    pub tags: BTreeSet<String>,
    /// By list id.
    pub lists: BTreeMap<String, Consent>,
    /// For the account as a whole.
    pub consent: Consent,
}

impl Person {
    /// A field's text; empty when there is none.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Opted out anywhere.
    pub fn opted_out(&self) -> bool {
        self.consent == Consent::OptedOut || self.lists.values().any(|consent| *consent == Consent::OptedOut)
    }
}

/// All contacts of an account.
#[derive(Default)]
pub struct People {
    all: Vec<Option<Person>>,
    by_email: HashMap<String, Vec<usize>>,
    resubscribed: u64,
    wiped: u64,
    /// Names of lists by id, and of tags by id, in the order in which they were made.
    pub lists: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    duplicate_tags: u64,
}

/// An address as vendors compare it.
pub fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// What every vendor here would refuse as an address.
pub fn plausible(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || c.is_control() || ",;<>()\"".contains(c);
    !local.is_empty()
        && !email.contains(odd)
        && !domain.contains('@')
        && domain.contains('.')
        && domain.split('.').all(|part| !part.is_empty())
}

impl People {
    pub fn find(&self, email: &str) -> Option<&Person> {
        let at = *self.by_email.get(&normal(email))?.first()?;
        self.all.get(at)?.as_ref()
    }

    pub fn find_mut(&mut self, email: &str) -> Option<&mut Person> {
        let at = *self.by_email.get(&normal(email))?.first()?;
        self.all.get_mut(at)?.as_mut()
    }

    pub fn number(&self, number: u64) -> Option<&Person> {
        self.all.get(usize::try_from(number.checked_sub(1)?).ok()?)?.as_ref()
    }

    pub fn number_mut(&mut self, number: u64) -> Option<&mut Person> {
        self.all.get_mut(usize::try_from(number.checked_sub(1)?).ok()?)?.as_mut()
    }

    /// A new contact, whether there is one of this e-mail or not: a vendor that refuses that looks first.
    pub fn create(&mut self, email: &str) -> &mut Person {
        let at = self.all.len();
        self.by_email.entry(normal(email)).or_default().push(at);
        self.all.push(None);
        self.all[at].insert(Person { number: at as u64 + 1, email: email.trim().to_owned(), ..Person::default() })
    }

    pub fn all(&self) -> impl Iterator<Item = &Person> {
        self.all.iter().flatten()
    }

    /// Writes a field. A blank over something is counted: no sync may do that.
    pub fn write(&mut self, email: &str, field: &str, value: Value) {
        let blank = |value: &Value| value.is_null() || value.as_str() == Some("");
        let Some(person) = self.find_mut(email) else { return };
        let wipes = blank(&value) && person.fields.get(field).is_some_and(|before| !blank(before));
        person.fields.insert(field.to_owned(), value);
        self.wiped += u64::from(wipes);
    }

    /// Sets consent, for a list or for the account. Taking an opt-out back is counted: no sync may do that.
    pub fn consent(&mut self, email: &str, list: Option<&str>, consent: Consent) {
        let Some(person) = self.find_mut(email) else { return };
        let before = match list {
            Some(list) => person.lists.insert(list.to_owned(), consent).unwrap_or_default(),
            None => std::mem::replace(&mut person.consent, consent),
        };
        self.resubscribed += u64::from(before == Consent::OptedOut && consent != Consent::OptedOut);
    }

    /// The tag's id; made when missing. Names are compared without case.
    pub fn tag_id(&self, name: &str) -> Option<&String> {
        self.tags.iter().find(|(_, held)| held.eq_ignore_ascii_case(name)).map(|(id, _)| id)
    }

    /// Makes a tag in any case; a second one of the same name is counted.
    pub fn make_tag(&mut self, id: String, name: &str) {
        self.duplicate_tags += u64::from(self.tag_id(name).is_some());
        self.tags.insert(id, name.to_owned());
    }

    /// The person leaves everything. `false` = no such contact.
    pub fn opt_out(&mut self, email: &str) -> bool {
        let Some(person) = self.find_mut(email) else { return false };
        person.consent = Consent::OptedOut;
        person.lists.values_mut().for_each(|consent| *consent = Consent::OptedOut);
        true
    }

    /// The merchant deletes the contact. `false` = no such contact.
    pub fn remove(&mut self, email: &str) -> bool {
        let places = self.by_email.remove(&normal(email)).unwrap_or_default();
        for at in &places {
            self.all[*at] = None;
        }
        !places.is_empty()
    }

    pub fn counters(&self) -> Map<String, Value> {
        let duplicates: usize = self.by_email.values().map(|places| places.len().saturating_sub(1)).sum();
        let mut counters = Map::new();
        for (name, count) in [
            ("contacts", self.all().count() as u64),
            ("duplicates", duplicates as u64),
            ("resubscribed", self.resubscribed),
            ("wiped_fields", self.wiped),
            ("tags", self.tags.len() as u64),
            ("duplicate_tags", self.duplicate_tags),
        ] {
            counters.insert(name.to_owned(), json!(count));
        }
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_is_judged_by_is_counted() {
        let mut people = People::default();
        people.create("Ann@example.com");
        people.write("ann@example.com", "name", json!("Ann"));
        people.write("ann@example.com", "name", json!(""));
        people.opt_out("ANN@example.com");
        people.consent("ann@example.com", None, Consent::Subscribed);
        people.create("ann@example.com");
        let counters = people.counters();
        for (name, count) in [("duplicates", 1), ("resubscribed", 1), ("wiped_fields", 1), ("contacts", 2)] {
            assert_eq!(counters[name], json!(count), "{name}");
        }
    }
}
