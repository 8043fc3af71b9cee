//! The checks that look across keys and tables. Each submodule holds one part of the file; all of them report into the
//! same [`Report`] and none stops at its first finding.

mod auth;
mod body;
mod calls;
mod consent;
mod endpoints;
mod form;
mod limits;
mod rules;
mod slots;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{At, Report};
use crate::model::Manifest;
use crate::parse::ParseOptions;
use crate::schema::quoted;
use crate::shape;
use slots::Slots;

/// Most entries of one list of tables: more is a mistake or an attack.
const MAX_ITEMS: usize = 128;

/// What every check needs.
pub(crate) struct Check<'m, 'r> {
    m: &'m Manifest,
    dev: bool,
    slots: Slots<'m>,
    report: &'r mut Report,
}

pub(crate) fn all(manifest: &Manifest, options: ParseOptions, report: &mut Report) {
    let mut check = Check { m: manifest, dev: options.dev, slots: Slots::of(manifest), report };
    check.sizes();
    form::check(&mut check);
    slots::check(&mut check);
    auth::check(&mut check);
    endpoints::check(&mut check);
    limits::check(&mut check);
    calls::check(&mut check);
    body::check(&mut check);
    consent::check(&mut check);
    rules::check(&mut check);
}

impl<'m> Check<'m, '_> {
    fn sizes(&mut self) {
        let m = self.m;
        let sizes = [
            ("credentials", m.credentials.len()),
            ("settings", m.settings.len()),
            ("pickers", m.pickers.len()),
            ("derived", m.derived.len()),
            ("auth", m.auth.len()),
            ("endpoints", m.endpoints.len()),
            ("limits", m.limits.len()),
            ("calls", m.calls.len()),
            ("differences", m.differences.len()),
            ("witnesses", m.witnesses.len()),
        ];
        for (name, len) in sizes {
            if len > MAX_ITEMS {
                self.add(&At::root(), name, format!("has {len} entries; at most {MAX_ITEMS} are allowed"));
            }
        }
        for (name, empty) in [("endpoints", m.endpoints.is_empty()), ("calls", m.calls.is_empty())] {
            if empty && !self.report.was_reported(&At::root(), "") {
                self.add(&At::root(), name, "needs at least one entry");
            }
        }
    }

    fn add(&mut self, at: &At, key: &str, problem: impl Into<String>) {
        self.report.add(at, key, problem);
    }

    /// A required text that must say something.
    fn words(&mut self, at: &At, key: &str, text: &str, max: usize) {
        if shape::is_blank(text) {
            self.add(at, key, "must say something");
        } else if text.chars().count() > max {
            self.add(at, key, format!("is longer than {max} characters"));
        }
    }

    /// As [`Self::words`], on one line.
    fn line(&mut self, at: &At, key: &str, text: &str, max: usize) {
        self.words(at, key, text, max);
        if text.contains('\n') {
            self.add(at, key, "must stay on one line");
        }
    }

    /// Well-formed names, each once.
    fn names<'n>(&mut self, list: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        for (i, name) in names.enumerate() {
            let at = At::item(list, i, name);
            if !shape::is_name(name) {
                self.add(&at, "name", format!("`{name}` is not {}", shape::NAME_RULE));
            } else if !seen.insert(name) {
                self.add(&at, "name", format!("`{name}` is taken by an earlier entry of [[{list}]]"));
            }
        }
    }

    /// A list without repeats.
    fn distinct<T: Ord + std::fmt::Display>(&mut self, at: &At, key: &str, items: impl Iterator<Item = T>) {
        let mut seen = BTreeSet::new();
        for (i, item) in items.enumerate() {
            if seen.contains(&item) {
                self.add(at, &format!("{key}[{i}]"), format!("`{item}` is there twice"));
            }
            seen.insert(item);
        }
    }

    fn regex(&mut self, at: &At, key: &str, pattern: &str, anchored: bool) {
        if let Some(problem) = shape::regex_error(pattern) {
            self.add(at, key, problem);
        } else if anchored && !shape::is_anchored(pattern) {
            self.add(at, key, "must be anchored at both ends, `^...$` (with alternatives: `^(a|b)$`)");
        }
    }

    /// A reference to a name of another table.
    fn refers<'n>(&mut self, at: &At, key: &str, name: &str, table: &str, mut known: impl Iterator<Item = &'n str> + Clone) -> bool {
        let found = known.clone().any(|k| k == name);
        if !found {
            let names: Vec<&str> = known.by_ref().filter(|k| !k.is_empty()).collect();
            let allowed = if names.is_empty() { format!("there is no [[{table}]]") } else { format!("allowed: {}", quoted(&names)) };
            self.add(at, key, format!("`{name}` is no entry of [[{table}]]; {allowed}"));
        }
        found
    }
}

/// One node of a circle in "a needs b", if there is any.
fn circle<'n>(needs: &BTreeMap<&'n str, Vec<&'n str>>) -> Option<&'n str> {
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    loop {
        let next =
            needs.iter().find(|(name, on)| !settled.contains(**name) && on.iter().all(|o| settled.contains(o) || !needs.contains_key(o)));
        match next {
            Some((name, _)) => {
                settled.insert(name);
            }
            None => return needs.keys().find(|name| !settled.contains(**name)).copied(),
        }
    }
}
