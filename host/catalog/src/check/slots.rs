//! Credentials, split parts and derived parts share one space of names: what a template's `{slot}` may say. Settings share
//! it too, because the guest sees non-secret credentials among its settings.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::error::At;
use crate::model::{AuthKind, Manifest};
use crate::shape;
use crate::template;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Secret,
    /// `secret = false`.
    Open,
    /// A part of a split secret.
    Part,
    Derived,
}

pub(super) struct Slots<'m>(BTreeMap<&'m str, Slot>);

impl<'m> Slots<'m> {
    pub(super) fn of(m: &'m Manifest) -> Self {
        let mut slots = BTreeMap::new();
        for credential in &m.credentials {
            slots.insert(credential.name.as_str(), if credential.secret { Slot::Secret } else { Slot::Open });
            for part in credential.split.iter().flat_map(|s| &s.into) {
                slots.insert(part.as_str(), Slot::Part);
            }
        }
        for derived in &m.derived {
            slots.insert(derived.name.as_str(), Slot::Derived);
        }
        Self(slots)
    }

    pub(super) fn get(&self, name: &str) -> Option<Slot> {
        self.0.get(name).copied()
    }

    pub(super) fn known(&self) -> String {
        let names: Vec<&str> = self.0.keys().copied().collect();
        if names.is_empty() { "there is no [[credentials]]".into() } else { format!("allowed: {}", crate::schema::quoted(&names)) }
    }
}

pub(super) fn check(check: &mut Check<'_, '_>) {
    unique(check);
    derived(check);
    unused(check);
}

fn unique(check: &mut Check<'_, '_>) {
    let m = check.m;
    let mut all: Vec<(At, String, &str)> = Vec::new();
    for (i, c) in m.credentials.iter().enumerate() {
        let at = At::item("credentials", i, &c.name);
        all.push((at.clone(), "name".into(), &c.name));
        for (j, part) in c.split.iter().flat_map(|s| &s.into).enumerate() {
            all.push((at.child("split"), format!("into[{j}]"), part));
        }
    }
    for (i, d) in m.derived.iter().enumerate() {
        all.push((At::item("derived", i, &d.name), "name".into(), &d.name));
    }
    for (i, s) in m.settings.iter().enumerate() {
        all.push((At::item("settings", i, &s.name), "name".into(), &s.name));
    }
    let mut seen = BTreeSet::new();
    for (at, key, name) in all {
        if !shape::is_name(name) {
            check.add(&at, &key, format!("`{name}` is not {}", shape::NAME_RULE));
        } else if !seen.insert(name) {
            check.add(&at, &key, format!("`{name}` is already the name of a credential, a split or derived part, or a setting"));
        }
    }
}

fn derived(check: &mut Check<'_, '_>) {
    for (i, d) in check.m.derived.iter().enumerate() {
        let at = At::item("derived", i, &d.name);
        if !matches!(check.slots.get(&d.from), Some(Slot::Secret | Slot::Part)) {
            check.add(&at, "from", format!("`{}` is no secret credential or split part", d.from));
        }
        if let Some(problem) = shape::regex_error(&d.capture) {
            check.add(&at, "capture", problem);
        } else if let Some(problem) = shape::capture_error(&d.capture) {
            check.add(&at, "capture", problem);
        }
    }
}

/// Asking for a secret that nothing uses is asking for too much.
fn unused(check: &mut Check<'_, '_>) {
    let used = used(check.m);
    if used.iter().any(|name| check.slots.get(name).is_none()) {
        // A misspelt slot is reported as such; what it was meant to use is unknown.
        return;
    }
    for (i, c) in check.m.credentials.iter().enumerate() {
        let parts = c.split.iter().flat_map(|s| &s.into);
        let any = std::iter::once(&c.name).chain(parts).any(|name| used.contains(name.as_str()));
        if c.secret && !any {
            check.add(&At::item("credentials", i, &c.name), "", "is a secret that no [[auth]] and no [[derived]] uses: do not ask for it");
        }
    }
}

fn used(m: &Manifest) -> BTreeSet<String> {
    let mut texts: Vec<&str> = Vec::new();
    let mut bare: Vec<&str> = m.derived.iter().map(|d| d.from.as_str()).collect();
    for auth in &m.auth {
        match &auth.kind {
            AuthKind::Header { headers } => texts.extend(headers.values().map(String::as_str)),
            AuthKind::Basic { user, password } => texts.extend([user.as_str(), password.as_str()]),
            AuthKind::Bearer { token } => texts.push(token),
            AuthKind::Query { params } => texts.extend(params.values().map(String::as_str)),
            AuthKind::Body { fields } => texts.extend(fields.values().map(String::as_str)),
            AuthKind::Oauth2(o) => {
                bare.push(&o.client_id);
                bare.extend(o.client_secret.as_deref());
                bare.extend(o.refresh_token.as_deref());
                texts.extend(o.token_params.values().map(String::as_str));
            }
            AuthKind::Jwt(j) => {
                bare.push(&j.key);
                texts.extend(j.kid.as_deref());
                texts.extend(j.aud.as_deref());
            }
            AuthKind::Signature(s) => bare.extend([s.key.as_str(), s.secret.as_str()]),
        }
    }
    let braced = texts.iter().chain(&bare).flat_map(|t| template::places(t).unwrap_or_else(|_| vec![(*t).to_owned()]));
    let bare = bare.iter().filter(|t| !t.contains('{')).map(|t| (*t).to_owned());
    braced.chain(bare).collect()
}
