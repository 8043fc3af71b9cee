//! Checks of what merchants see: identity, credential fields, settings, pickers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, circle};
use crate::error::At;
use crate::model::{Credential, Picker, Setting, SettingKind, Stage};
use crate::schema::quoted;
use crate::shape;

pub(super) fn check(check: &mut Check<'_, '_>) {
    identity(check);
    let m = check.m;
    for (i, c) in m.credentials.iter().enumerate() {
        credential(check, &At::item("credentials", i, &c.name), c);
    }
    for (i, s) in m.settings.iter().enumerate() {
        setting(check, &At::item("settings", i, &s.name), s);
    }
    let needs = m.settings.iter().map(|s| (s.name.as_str(), s.when.keys().map(String::as_str).collect())).collect();
    no_circle(check, "settings", "when", &needs);
    check.names("pickers", m.pickers.iter().map(|p| p.name.as_str()));
    for (i, p) in m.pickers.iter().enumerate() {
        picker(check, &At::item("pickers", i, &p.name), p);
    }
    let needs = m.pickers.iter().map(|p| (p.name.as_str(), p.depends_on.iter().map(String::as_str).collect())).collect();
    no_circle(check, "pickers", "depends_on", &needs);
}

fn no_circle(check: &mut Check<'_, '_>, list: &str, key: &str, needs: &BTreeMap<&str, Vec<&str>>) {
    if let Some(name) = circle(needs) {
        let index = match list {
            "pickers" => check.m.pickers.iter().position(|p| p.name == name),
            _ => check.m.settings.iter().position(|s| s.name == name),
        };
        check.add(&At::item(list, index.unwrap_or_default(), name), key, "goes round in a circle");
    }
}

fn identity(check: &mut Check<'_, '_>) {
    let at = At::table("connector");
    let c = &check.m.connector;
    if !shape::is_slug(&c.slug) {
        check.add(
            &at,
            "slug",
            format!("`{}` is no slug: lower-case letters and digits in words joined by `-`, at most 40 characters", c.slug),
        );
    }
    if !shape::is_version(&c.version) {
        check.add(&at, "version", format!("`{}` is no version: three numbers such as `1.0.2`, optionally `-pre.1`", c.version));
    }
    if !shape::is_https_link(&c.docs) {
        check.add(&at, "docs", "must be an `https://` address");
    }
    check.line(&at, "name", &c.name, 60);
    check.line(&at, "category", &c.category, 40);
    check.line(&at, "pitch", &c.pitch, 160);
    for (i, author) in c.authors.iter().enumerate() {
        check.line(&at, &format!("authors[{i}]"), author, 120);
    }
}

fn credential(check: &mut Check<'_, '_>, at: &At, c: &Credential) {
    check.line(at, "label", &c.label, 60);
    check.words(at, "help", &c.help, 600);
    if let Some(pattern) = &c.pattern {
        check.regex(at, "pattern", pattern, true);
    }
    if let Some(missing) = &c.missing {
        check.words(at, "missing", missing, 300);
    }
    for (i, mode) in c.modes.iter().enumerate() {
        let modes = check.m.auth.iter().map(|a| a.mode.as_str());
        if !modes.clone().any(|m| m == mode) {
            let known: BTreeSet<&str> = modes.filter(|m| !m.is_empty()).collect();
            let known: Vec<&str> = known.into_iter().collect();
            check.add(at, &format!("modes[{i}]"), format!("`{mode}` is the mode of no [[auth]]; allowed: {}", quoted(&known)));
        }
    }
    check.distinct(at, "modes", c.modes.iter());
    for (i, hint) in c.hints.iter().enumerate() {
        let at = At::item(at.child("hints").path(), i, &c.name);
        check.regex(&at, "match", &hint.matches, false);
        check.words(&at, "say", &hint.say, 300);
    }
    for (i, step) in c.tidy.iter().enumerate() {
        let good = matches!(step.as_str(), "trim" | "lower") || step.strip_prefix("strip:").is_some_and(|s| !s.is_empty());
        if !good {
            check.add(at, &format!("tidy[{i}]"), format!("`{step}` is not known; allowed: `trim`, `lower`, `strip:SUFFIX`"));
        }
    }
    if let Some(split) = &c.split {
        let at = at.child("split");
        if split.on.is_empty() {
            check.add(&at, "on", "must not be empty");
        }
        if split.into.len() < 2 {
            check.add(&at, "into", "must name two parts or more");
        }
        if !c.secret {
            check.add(&at, "", "only a secret can be split; remove `secret = false`");
        }
    }
}

fn setting(check: &mut Check<'_, '_>, at: &At, s: &Setting) {
    check.line(at, "label", &s.label, 80);
    match s.kind {
        SettingKind::Choice => {
            if s.choices.is_empty() {
                check.add(at, "choices", "a setting of kind `choice` needs choices");
            }
            check.distinct(at, "choices", s.choices.iter());
        }
        _ if !s.choices.is_empty() => check.add(at, "choices", "only a setting of kind `choice` has choices"),
        SettingKind::Picker => {
            check.refers(at, "name", &s.name, "pickers", check.m.pickers.iter().map(|p| p.name.as_str()));
        }
        _ => {}
    }
    if let Some(pattern) = &s.pattern {
        check.regex(at, "pattern", pattern, true);
        if s.kind != SettingKind::Text {
            check.add(at, "pattern", "only a setting of kind `text` has a pattern");
        }
    }
    if let Some(problem) = s.default.as_deref().and_then(|d| unacceptable(s, d)) {
        check.add(at, "default", problem);
    }
    if let Some(text) = &s.consent_text {
        check.words(at, "consent_text", text, 600);
    }
    for (name, value) in &s.when {
        let key = format!("when.{name}");
        if check.refers(at, &key, name, "settings", check.m.settings.iter().map(|s| s.name.as_str()))
            && let Some(other) = check.m.settings.iter().find(|o| &o.name == name)
            && let Some(problem) = unacceptable(other, value)
        {
            check.add(at, &key, problem);
        }
    }
}

/// Why a setting could never have this value.
fn unacceptable(s: &Setting, value: &str) -> Option<String> {
    match s.kind {
        SettingKind::Bool if !matches!(value, "true" | "false") => Some("must be `true` or `false` (in quotes)".into()),
        SettingKind::Choice if !s.choices.iter().any(|c| c == value) => {
            let choices: Vec<&str> = s.choices.iter().map(String::as_str).collect();
            Some(format!("`{value}` is none of the choices; allowed: {}", quoted(&choices)))
        }
        SettingKind::Text => {
            let pattern = s.pattern.as_deref().and_then(|p| regex::Regex::new(p).ok());
            pattern.is_some_and(|p| !p.is_match(value)).then(|| format!("`{value}` does not match `pattern`"))
        }
        _ => None,
    }
}

fn picker(check: &mut Check<'_, '_>, at: &At, p: &Picker) {
    check.line(at, "label", &p.label, 80);
    if let Some(on) = &p.depends_on {
        check.refers(at, "depends_on", on, "pickers", check.m.pickers.iter().map(|p| p.name.as_str()));
    }
    for (i, choice) in p.r#static.iter().enumerate() {
        let at = At::item(at.child("static").path(), i, &choice.name);
        check.line(&at, "id", &choice.id, 200);
        check.line(&at, "name", &choice.name, 200);
    }
    check.distinct(at, "static", p.r#static.iter().map(|c| c.id.as_str()));
    if p.typed && (!p.r#static.is_empty() || p.searchable) {
        check.add(at, "typed", "a typed id is neither picked from `static` nor `searchable`");
    }
    if p.r#static.is_empty() && !p.typed && !check.m.calls.iter().any(|c| c.stages.contains(&Stage::Pick)) {
        check.add(at, "", "is filled by the vendor, but no call has the stage `pick`");
    }
}
