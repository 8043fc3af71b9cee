//! The manifest in a merchant's words: what the "What syncs" page shows. Only says what the manifest says; formats nothing
//! as HTML.

use serde::Serialize;

use crate::model::{Call, Effect, Endpoint, Manifest, Stage};

/// Everything that a connector does to a merchant's account, call by call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhatSyncs {
    /// What an approval sends, in the manifest's order.
    pub sync: Vec<CallView>,
    /// What taking tags off sends; empty when the connector cannot.
    pub untag: Vec<CallView>,
    /// What is created once in the account, with consent.
    pub prepare: Vec<CallView>,
    /// Hosts that are ever contacted, as the manifest declares them.
    pub hosts: Vec<String>,
    /// Person data used besides the e-mail.
    pub person: Vec<String>,
    /// What stands in for tags, where the vendor has none.
    pub tags: String,
}

/// One declared call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallView {
    pub name: String,
    pub doc: String,
    /// The vendor's page about it, or empty.
    pub source: String,
    pub method: &'static str,
    /// Endpoint and path, with their places open.
    pub url: String,
    /// Body fields that may be written, in plain words.
    pub fields: Vec<String>,
    /// Fields that only a new contact gets.
    pub new_only: Vec<String>,
    /// Constants that are always sent: field and value.
    pub constants: Vec<(String, String)>,
    /// Changes nothing.
    pub read: bool,
    pub starts_automations: bool,
    /// The call that looks at the contact first.
    pub guard: Option<String>,
}

/// What the "What syncs" page shows.
pub fn what_syncs(manifest: &Manifest) -> WhatSyncs {
    let of = |stage: Stage| manifest.calls.iter().filter(|c| c.stages.contains(&stage)).map(|c| view(manifest, c)).collect();
    WhatSyncs {
        sync: of(Stage::Sync),
        untag: of(Stage::Untag),
        prepare: of(Stage::Prepare),
        hosts: hosts(manifest),
        person: manifest.supports.person.clone(),
        tags: manifest.tags.doc.clone(),
    }
}

/// Every host that the manifest lets its calls reach: exact ones, patterns, or the words for any public host.
pub fn hosts(manifest: &Manifest) -> Vec<String> {
    let mut all: Vec<String> = manifest.endpoints.iter().flat_map(hosts_of).collect();
    all.sort();
    all.dedup();
    all
}

fn hosts_of(e: &Endpoint) -> Vec<String> {
    if e.public_host {
        return vec!["the public host that the merchant types".into()];
    }
    if !e.allow.is_empty() {
        return e.allow.clone();
    }
    let urls: Vec<String> = match e.choices.is_empty() {
        true => vec![e.url.clone()],
        false => e.choices.values().map(|host| e.url.replace("{choice}", host)).collect(),
    };
    urls.iter().map(|url| host_and_port(url)).collect()
}

fn host_and_port(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}

fn view(manifest: &Manifest, c: &Call) -> CallView {
    let endpoint = manifest.endpoint(&c.endpoint).map_or("", |e| e.url.as_str());
    CallView {
        name: c.name.clone(),
        doc: c.doc.clone(),
        source: c.source.clone(),
        method: c.method.as_str(),
        url: format!("{endpoint}{}", c.path),
        fields: c.writes.iter().map(|w| field(manifest, w)).collect(),
        new_only: c.new_only.iter().map(|w| field(manifest, w)).collect(),
        constants: c.fixed.iter().map(|(k, v)| (field(manifest, k), v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect(),
        read: c.effect == Effect::Read,
        starts_automations: c.starts_automations,
        guard: c.guard.clone(),
    }
}

/// A field of `writes` or `fixed` in plain words: `/contact/email` -> `contact.email`.
pub fn field(manifest: &Manifest, entry: &str) -> String {
    let entry = entry.strip_prefix("form:").unwrap_or(entry).replacen("#/", ".", 1);
    let steps = entry.trim_start_matches('/').split('/').map(|step| step_words(manifest, step));
    steps.collect::<Vec<_>>().join(".").replace("~1", "/").replace("~0", "~")
}

fn step_words(manifest: &Manifest, step: &str) -> String {
    let mut words = match step {
        "**" => return "(anything)".into(),
        "*" => return "(each)".into(),
        _ => step.to_owned(),
    };
    for setting in &manifest.settings {
        words = words.replace(&format!("{{setting:{}}}", setting.name), &format!("({})", setting.label));
    }
    while let Some((open, close)) = words.find("{fact:").and_then(|open| Some((open, open + words.get(open..)?.find('}')?))) {
        let name = words.get(open + 6..close).unwrap_or_default().to_owned();
        words.replace_range(open..=close, &format!("(the account's {name})"));
    }
    match (words.strip_suffix('*'), words.strip_suffix('#')) {
        (Some(stem), _) => format!("{stem}..."),
        (_, Some(stem)) => format!("{stem}(number)"),
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        crate::parse(include_str!("../tests/good/full.toml"), "full.toml").unwrap()
    }

    #[test]
    fn the_page_names_every_sync_call_with_its_fields() {
        let page = what_syncs(&manifest());
        let save = page.sync.iter().find(|c| c.name == "save").unwrap();
        assert_eq!(save.method, "POST");
        assert_eq!(save.url, "https://{choice}/v2/contacts/{picked:list}");
        assert!(save.fields.contains(&"contact.email".to_owned()));
        assert!(save.fields.contains(&"contact.fields.(Tag field)".to_owned()));
        assert_eq!(save.new_only, ["contact.status"]);
        assert_eq!(save.constants, [("contact.source".to_owned(), "affiliates".to_owned())]);
        assert_eq!(page.untag.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["find", "untag"]);
        assert!(page.sync.iter().any(|c| c.read && c.name == "find"));
    }

    #[test]
    fn hosts_are_shown_as_declared() {
        assert_eq!(
            hosts(&manifest()),
            ["*.acme.example", "api.acme.example", "api.acme.example:8443", "eu.acme.example", "login.acme.example", "us.acme.example"]
        );
    }

    #[test]
    fn fields_are_put_into_plain_words() {
        let m = manifest();
        let cases = [
            ("/email", "email"),
            ("/contact/f#", "contact.f(number)"),
            ("/contact/f*", "contact.f..."),
            ("/tags/*/name", "tags.(each).name"),
            ("/vars/**", "vars.(anything)"),
            ("form:json#/vars/*", "json.vars.(each)"),
            ("/f/{fact:tag_id}", "f.(the account's tag_id)"),
            ("/a~1b", "a/b"),
        ];
        for (entry, words) in cases {
            assert_eq!(field(&m, entry), words);
        }
    }
}
