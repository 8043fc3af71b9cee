//! Who and what a run was about, and the invented things that stand in for it: the same one for the same one, everywhere. Knows no vendor: it
//! goes by what the input names, by the shape of addresses, and by what keys are called.

use std::collections::{BTreeMap, BTreeSet};

use crm_catalog::model::Manifest;
use md5::{Digest, Md5};
use regex::Regex;
use serde_json::Value;

use super::{Heard, Taken, stand_ins};
use crate::fixture::GivenResponse;
use crate::record::keys::{Kind, kind};

/// Shorter ids name nobody, and stand for statuses and kinds as often; the contact's own id is replaced whatever its length.
const SHORT_ID: usize = 4;
/// Shorter ones are replaced as whole values only, never inside a text.
const INSIDE: usize = 6;

#[derive(Default)]
pub(super) struct Identities {
    /// Lower-case address -> invented one.
    emails: BTreeMap<String, String>,
    firsts: BTreeMap<String, String>,
    lasts: BTreeMap<String, String>,
    companies: BTreeMap<String, String>,
    /// As text, whether the vendor writes it as text or number.
    ids: BTreeMap<String, String>,
    /// Texts that are replaced wherever they stand: settings of the account, hashes of addresses.
    texts: BTreeMap<String, String>,
    /// Never replaced: tags and what else the run was told to use by name.
    kept: BTreeSet<String>,
    taken_ids: BTreeSet<String>,
    pub(super) remarks: Vec<String>,
}

impl Identities {
    pub(super) fn learn(&mut self, taken: &Taken, heard: &[Heard], manifest: &Manifest) {
        for place in ["/job/set", "/job/clear", "/job/all", "/tags"] {
            let names = taken.input.pointer(place).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            self.kept.extend(names.map(str::to_owned));
        }
        for person in ["/job/who", "/who"].iter().filter_map(|place| taken.input.pointer(place)) {
            self.person(person);
        }
        self.settings(&taken.input, manifest);
        for place in ["/known/contact_id", "/ok/id", "/ok/known/contact_id"] {
            self.id(taken.answer.pointer(place), 0);
        }
        for place in ["/job/known/contact_id", "/known/contact_id"] {
            self.id(taken.input.pointer(place), 0);
        }
        for place in ["/on", "/job/on"].iter().filter_map(|place| taken.input.pointer(place)) {
            for list in ["picked", "facts"] {
                for pair in place.get(list).and_then(Value::as_array).into_iter().flatten() {
                    self.id(pair.get("value"), SHORT_ID);
                }
            }
        }
        self.emails_in(&taken.input.to_string());
        for one in heard {
            let Ok(given) = &one.answer else { continue };
            self.emails_in(&given.body.to_string());
            self.value(&given.body, &taken.function, "", false);
        }
        let hashes: Vec<(String, String)> = self.emails.iter().map(|(real, invented)| (hash(real), hash(invented))).collect();
        self.texts.extend(hashes);
    }

    fn person(&mut self, person: &Value) {
        let text = |key: &str| person.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        for email in [text("email"), text("previous_email")].into_iter().flatten() {
            self.emails_in(email);
            self.misspelt(email);
        }
        let full: Vec<&str> = text("full").unwrap_or_default().split_whitespace().collect();
        // The pair of names that stands first is the person's, however the connector splits theirs.
        if let Some(first) = text("first").or_else(|| full.first().copied()) {
            self.name(first, Kind::First);
        }
        if let Some(last) = text("last") {
            self.name(last, Kind::Last);
        }
        for word in full.iter().skip(1) {
            self.name(word, Kind::Last);
        }
        if let Some(company) = text("company") {
            self.name(company, Kind::Company);
        }
    }

    /// A setting that was a field of the connect form says whose account it was: its placeholder stands in, where it fits.
    fn settings(&mut self, input: &Value, manifest: &Manifest) {
        for list in ["/on/settings", "/job/on/settings"].iter().filter_map(|place| input.pointer(place)?.as_array()) {
            for pair in list {
                let (Some(key), Some(value)) = (pair["key"].as_str(), pair["value"].as_str()) else { continue };
                let Some(field) = manifest.credential(key).filter(|field| !field.secret) else { continue };
                let fits = |text: &str| field.pattern.as_ref().is_none_or(|pattern| Regex::new(pattern).is_ok_and(|p| p.is_match(text)));
                let shaped = stand_ins::id(value, 0).filter(|text| fits(text));
                match Some(field.placeholder.clone()).filter(|text| !text.is_empty() && fits(text)).or(shaped) {
                    Some(invented) => drop(self.texts.insert(value.to_owned(), invented)),
                    None => self.remarks.push(format!(
                        "the setting {key:?} is written as it was: give it a `placeholder` that fits its `pattern`, or replace it by hand"
                    )),
                }
            }
        }
    }

    /// Learns from an answer. `near` = the object also holds an e-mail, so that its `name` is somebody's.
    fn value(&mut self, value: &Value, function: &str, key: &str, near: bool) {
        match value {
            Value::Object(map) => {
                let near = map.keys().any(|key| kind(key) == Kind::Email);
                for (key, value) in map {
                    self.value(value, function, key, near);
                }
            }
            Value::Array(list) => list.iter().for_each(|item| self.value(item, function, key, near)),
            Value::String(text) => match kind(key) {
                Kind::Id => self.id(Some(value), SHORT_ID),
                Kind::Name if near || function == "verify" => self.name(text, Kind::Company),
                Kind::Full => text.split_whitespace().enumerate().for_each(|(at, word)| {
                    self.name(word, if at == 0 { Kind::First } else { Kind::Last });
                }),
                other @ (Kind::First | Kind::Last | Kind::Company) => self.name(text, other),
                _ => {}
            },
            Value::Number(_) if kind(key) == Kind::Id => self.id(Some(value), SHORT_ID),
            _ => {}
        }
    }

    /// What was typed for an address and is none stands for its person all the same.
    fn misspelt(&mut self, email: &str) {
        if email.is_empty() || !addresses(email).is_empty() {
            return;
        }
        let invented = stand_ins::misspelt(email);
        for real in [email.to_owned(), email.to_lowercase(), email.replace('@', "%40")] {
            self.texts.insert(real.clone(), if real.contains("%40") { invented.replace('@', "%40") } else { invented.clone() });
        }
    }

    fn name(&mut self, real: &str, of: Kind) {
        let real = real.trim();
        if real.is_empty() || self.kept.contains(real) || real.contains('@') {
            return;
        }
        let known = self.firsts.contains_key(real) || self.lasts.contains_key(real) || self.companies.contains_key(real);
        if known {
            return;
        }
        let (map, invent): (_, fn(usize) -> String) = match of {
            Kind::First => (&mut self.firsts, stand_ins::first),
            Kind::Last => (&mut self.lasts, stand_ins::last),
            _ => (&mut self.companies, stand_ins::company),
        };
        let number = map.len();
        map.insert(real.to_owned(), invent(number));
    }

    fn id(&mut self, value: Option<&Value>, least: usize) {
        let text = match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
            _ => return,
        };
        let worth = text.chars().count() >= least && text.bytes().any(|b| b.is_ascii_digit()) && !text.contains(char::is_whitespace);
        if !worth || text.contains('@') || self.ids.contains_key(&text) || self.kept.contains(&text) {
            return;
        }
        let invented = (0..).map_while(|number| stand_ins::id(&text, number)).find(|id| !self.taken_ids.contains(id));
        if let Some(invented) = invented {
            self.taken_ids.insert(invented.clone());
            self.ids.insert(text, invented);
        }
    }

    fn emails_in(&mut self, text: &str) {
        for address in addresses(text) {
            let real = address.to_lowercase();
            if !self.emails.contains_key(&real) {
                let number = self.emails.len();
                self.emails.insert(real, stand_ins::email(number));
            }
        }
    }

    /// The input with invented identities.
    pub(super) fn input(&self, input: &Value) -> Value {
        let mut input = self.replaced(input, "", "", false);
        for place in ["/job/who", "/who"] {
            let Some(Value::Object(who)) = input.pointer_mut(place) else { continue };
            for (key, value) in who.iter_mut() {
                let Value::String(text) = value else { continue };
                *text = match key.as_str() {
                    "full" => self.words(text),
                    "first" => self.firsts.get(text.trim()).cloned().unwrap_or_else(|| text.clone()),
                    "last" => self.lasts.get(text.trim()).cloned().unwrap_or_else(|| text.clone()),
                    "company" => self.companies.get(text.trim()).cloned().unwrap_or_else(|| text.clone()),
                    _ => continue,
                };
            }
        }
        input
    }

    /// An answer with invented identities.
    pub(super) fn heard(&self, heard: Heard, function: &str) -> Heard {
        let answer = heard.answer.map(|given| GivenResponse {
            status: given.status,
            headers: given.headers.into_iter().map(|(name, value)| (name, self.text(&value))).collect(),
            body: self.replaced(&given.body, function, "", false),
        });
        Heard { call: heard.call, answer }
    }

    fn replaced(&self, value: &Value, function: &str, key: &str, near: bool) -> Value {
        match value {
            Value::Object(map) => {
                let near = map.keys().any(|key| kind(key) == Kind::Email);
                // Some vendors use ids and addresses as keys.
                let inside = map.iter().map(|(key, value)| (self.text(key), self.replaced(value, function, key, near)));
                Value::Object(inside.collect())
            }
            Value::Array(list) => Value::Array(list.iter().map(|item| self.replaced(item, function, key, near)).collect()),
            Value::String(text) if self.kept.contains(text) => value.clone(),
            Value::String(text) => Value::String(self.string(text, function, key, near)),
            Value::Number(number) => match self.ids.get(&number.to_string()) {
                Some(id) if kind(key) == Kind::Id || id.len() >= SHORT_ID => id.parse::<u64>().map_or_else(|_| value.clone(), Value::from),
                _ => value.clone(),
            },
            other => other.clone(),
        }
    }

    fn string(&self, text: &str, function: &str, key: &str, near: bool) -> String {
        if let Some(invented) = self.texts.get(text).or_else(|| self.ids.get(text)) {
            return invented.clone();
        }
        let trimmed = text.trim();
        let named = match kind(key) {
            Kind::First => self.firsts.get(trimmed).or_else(|| self.lasts.get(trimmed)),
            Kind::Last => self.lasts.get(trimmed).or_else(|| self.firsts.get(trimmed)),
            Kind::Company => self.companies.get(trimmed),
            Kind::Name if near || function == "verify" => self.companies.get(trimmed),
            Kind::Full => return self.words(text),
            Kind::Phone if text.bytes().any(|b| b.is_ascii_digit()) => return "+15550100".to_owned(),
            Kind::Place if !trimmed.is_empty() && !trimmed.contains('@') => return "Example".to_owned(),
            Kind::Ip if trimmed.contains(['.', ':']) => return "192.0.2.1".to_owned(),
            Kind::Born if !trimmed.is_empty() => return "2000-01-01".to_owned(),
            _ => None,
        };
        named.cloned().unwrap_or_else(|| self.text(text))
    }

    /// A full name, word by word.
    fn words(&self, text: &str) -> String {
        let word = |word: &str| self.firsts.get(word).or_else(|| self.lasts.get(word)).cloned().unwrap_or_else(|| word.to_owned());
        text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
    }

    /// Addresses, hashes, settings, long ids and names inside a longer text.
    fn text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for (real, invented) in &self.texts {
            out = out.replace(real.as_str(), invented);
        }
        for address in addresses(&out) {
            if let Some(invented) = self.emails.get(&address.to_lowercase()) {
                out = out.replace(&address, invented);
            }
        }
        // `%40` in links.
        for (real, invented) in &self.emails {
            out = out.replace(&real.replace('@', "%40"), &invented.replace('@', "%40"));
        }
        for (real, invented) in self.ids.iter().filter(|(real, _)| real.len() >= INSIDE) {
            out = bounded(&out, real, invented);
        }
        for (real, invented) in self.firsts.iter().chain(&self.lasts).filter(|(real, _)| real.chars().count() > 2) {
            out = bounded(&out, real, invented);
        }
        out
    }

    /// An address of a real person that is still there.
    pub(super) fn left_over(&self, text: &str) -> Option<String> {
        addresses(text).into_iter().find(|address| {
            let host = address.rsplit('@').next().unwrap_or_default().to_lowercase();
            !matches!(host.as_str(), "example.com" | "example.org" | "example.net") && !host.ends_with(".example")
        })
    }
}

/// `real` replaced where it is no part of a longer word.
fn bounded(text: &str, real: &str, invented: &str) -> String {
    let part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut out = String::new();
    let mut from = 0;
    for (at, _) in text.match_indices(real) {
        let end = at + real.len();
        if at < from || part(text[..at].chars().next_back()) || part(text[end..].chars().next()) {
            continue;
        }
        out.push_str(&text[from..at]);
        out.push_str(invented);
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

/// E-mail addresses in a text, as they are written.
fn addresses(text: &str) -> Vec<String> {
    let Ok(address) = Regex::new(r#"[^\s@<>"',;:()\[\]{}/\\=&?]+@[^\s@<>"',;:()\[\]{}/\\=&?]+\.[\p{L}\p{N}-]{2,}"#) else {
        return Vec::new();
    };
    let mut found: Vec<String> = address.find_iter(text).map(|found| found.as_str().to_owned()).collect();
    // Longer ones first: one address may end in another.
    found.sort_by_key(|address| std::cmp::Reverse(address.len()));
    found.dedup();
    found
}

fn hash(email: &str) -> String {
    hex::encode(Md5::digest(email.as_bytes()))
}

#[cfg(test)]
#[path = "identities_tests.rs"]
mod tests;
