//! What a new version of a connector may do that the old one could not, in words: shown before an upgrade is let in. Text
//! that only explains (docs, labels, setup) is no change of power and is left out.

mod calls;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::describe;
use crate::model::{Limit, Manifest};

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The connector may do, see or ask for more. Needs a yes.
    Wider,
    /// The connector may do less.
    Narrower,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub direction: Direction,
    /// What it is about, such as `calls (save)`.
    pub about: String,
    /// One sentence.
    pub words: String,
}

/// Whether any change needs a yes.
pub fn widens(changes: &[Change]) -> bool {
    changes.iter().any(|c| c.direction == Direction::Wider)
}

/// All differences in power between two versions; those that widen first.
pub fn diff(old: &Manifest, new: &Manifest) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    endpoints(&mut changes, old, new);
    credentials(&mut changes, old, new);
    auth(&mut changes, old, new);
    limits(&mut changes, old, new);
    calls::diff(&mut changes, old, new);
    effort(&mut changes, old, new);
    let mut all = changes.0;
    all.sort_by_key(|c| c.direction == Direction::Narrower);
    all
}

struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, direction: Direction, about: &str, words: String) {
        self.0.push(Change { direction, about: about.to_owned(), words });
    }

    fn wider(&mut self, about: &str, words: impl Into<String>) {
        self.push(Direction::Wider, about, words.into());
    }

    fn narrower(&mut self, about: &str, words: impl Into<String>) {
        self.push(Direction::Narrower, about, words.into());
    }

    /// More of a set is wider; `more` is for a set whose members restrain.
    fn set<T: Ord + std::fmt::Display>(
        &mut self,
        about: &str,
        old: BTreeSet<T>,
        new: BTreeSet<T>,
        more: Direction,
        may: &str,
        may_not: &str,
    ) {
        let less = if more == Direction::Wider { Direction::Narrower } else { Direction::Wider };
        for item in new.difference(&old) {
            self.push(more, about, format!("{may} `{item}`"));
        }
        for item in old.difference(&new) {
            self.push(less, about, format!("{may_not} `{item}`"));
        }
    }

    /// A larger number is wider.
    fn number(&mut self, about: &str, what: &str, old: u64, new: u64) {
        if old != new {
            let direction = if new > old { Direction::Wider } else { Direction::Narrower };
            self.push(direction, about, format!("{what}: {new} instead of {old}"));
        }
    }
}

fn texts<'a>(items: impl IntoIterator<Item = &'a String>) -> BTreeSet<&'a str> {
    items.into_iter().map(String::as_str).collect()
}

fn endpoints(changes: &mut Changes, old: &Manifest, new: &Manifest) {
    let (a, b) = (describe::hosts(old), describe::hosts(new));
    changes.set("endpoints", texts(&a), texts(&b), Direction::Wider, "may now send to", "no longer sends to");
    for e in &new.endpoints {
        let Some(before) = old.endpoint(&e.name) else { continue };
        let about = format!("endpoints ({})", e.name);
        if (&before.url, &before.choices, &before.choose) != (&e.url, &e.choices, &e.choose) {
            changes.wider(&about, format!("sends to `{}` instead of `{}`, or chooses it otherwise", e.url, before.url));
        }
        if before.auth != e.auth {
            let name = |a: &Option<String>| a.clone().unwrap_or_else(|| "nothing".into());
            changes.wider(&about, format!("is authenticated by `{}` instead of `{}`", name(&e.auth), name(&before.auth)));
        }
        match (before.keep_path, e.keep_path) {
            (false, true) => changes.wider(&about, "keeps the path that the merchant typed"),
            (true, false) => changes.narrower(&about, "no longer keeps the path that the merchant typed"),
            _ => {}
        }
        if before.headers != e.headers {
            changes.wider(&about, "sends other constant headers");
        }
    }
}

fn credentials(changes: &mut Changes, old: &Manifest, new: &Manifest) {
    let names = |m: &Manifest| -> BTreeSet<String> { m.credentials.iter().map(|c| c.name.clone()).collect() };
    changes.set("credentials", names(old), names(new), Direction::Wider, "asks for", "no longer asks for");
    for c in &new.credentials {
        let Some(before) = old.credential(&c.name) else { continue };
        let about = format!("credentials ({})", c.name);
        match (before.secret, c.secret) {
            (true, false) => changes.wider(&about, "is no longer secret: the connector's code sees it"),
            (false, true) => changes.narrower(&about, "is now secret: the connector's code no longer sees it"),
            _ => {}
        }
        if before.pattern != c.pattern {
            changes.wider(&about, "accepts other values");
        }
    }
    for d in &new.derived {
        if old.derived.iter().all(|before| before != d) {
            changes.wider(&format!("derived ({})", d.name), format!("takes a part out of the secret `{}`: {}", d.from, d.capture));
        }
    }
    for d in old.derived.iter().filter(|d| new.derived.iter().all(|after| after.name != d.name)) {
        changes.narrower(&format!("derived ({})", d.name), "is no longer taken out of the secret");
    }
}

fn auth(changes: &mut Changes, old: &Manifest, new: &Manifest) {
    let key = |a: &crate::model::Auth| if a.mode.is_empty() { a.name.clone() } else { format!("{}, mode {}", a.name, a.mode) };
    for a in &new.auth {
        let about = format!("auth ({})", key(a));
        match old.auth.iter().find(|b| key(b) == key(a)) {
            None => changes.wider(&about, "is a further way to authenticate"),
            Some(before) if before != a => changes.wider(&about, "authenticates differently"),
            Some(_) => {}
        }
    }
    for a in old.auth.iter().filter(|a| new.auth.iter().all(|b| key(b) != key(a))) {
        changes.narrower(&format!("auth ({})", key(a)), "is no longer a way to authenticate");
    }
}

fn limits(changes: &mut Changes, old: &Manifest, new: &Manifest) {
    for l in &new.limits {
        let about = format!("limits ({})", l.name);
        match old.limit(&l.name) {
            None => changes.narrower(&about, "is a further limit"),
            Some(before) => limit(changes, &about, before, l),
        }
    }
    for l in old.limits.iter().filter(|l| new.limit(&l.name).is_none()) {
        changes.wider(&format!("limits ({})", l.name), "no longer limits anything");
    }
}

fn limit(changes: &mut Changes, about: &str, old: &Limit, new: &Limit) {
    let rate = |l: &Limit| (u128::from(l.requests.unwrap_or(u64::MAX)), u128::from(l.per_s.unwrap_or(1)));
    let ((a, per_a), (b, per_b)) = (rate(old), rate(new));
    let words = |l: &Limit| match (l.requests, l.per_s) {
        (Some(n), Some(s)) => format!("{n} in {s} s"),
        _ => "no rate".into(),
    };
    if (a, per_a) != (b, per_b) {
        // Cross-multiplied: a higher rate is wider, and so is a larger burst at the same rate.
        let direction = if (b * per_a, b) > (a * per_b, a) { Direction::Wider } else { Direction::Narrower };
        changes.push(direction, about, format!("{} instead of {}", words(new), words(old)));
    }
    let at_once = |l: &Limit| l.concurrency.map_or(u64::MAX, u64::from);
    match (old.concurrency, new.concurrency) {
        (Some(n), None) => changes.wider(about, format!("no longer at most {n} at once")),
        (None, Some(n)) => changes.narrower(about, format!("at most {n} at once")),
        _ => changes.number(about, "at once", at_once(old), at_once(new)),
    }
    if (old.scope, old.counts, old.reset) != (new.scope, new.counts, new.reset) {
        changes.wider(about, "counts differently");
    }
}

fn effort(changes: &mut Changes, old: &Manifest, new: &Manifest) {
    changes.set(
        "supports",
        texts(&old.supports.person),
        texts(&new.supports.person),
        Direction::Wider,
        "now uses the person's",
        "no longer uses the person's",
    );
    let functions = |m: &Manifest| -> BTreeSet<&'static str> {
        let s = &m.supports;
        [("prepare", s.prepare), ("untag-contact", s.untag), ("lookup-contact", s.lookup)]
            .into_iter()
            .filter(|(_, on)| *on)
            .map(|(n, _)| n)
            .collect()
    };
    changes.set("supports", functions(old), functions(new), Direction::Wider, "may now be asked to", "is no longer asked to");
    changes.number("sync", "calls for a new contact", old.sync.new.into(), new.sync.new.into());
    changes.number("sync", "calls for an existing contact", old.sync.existing.into(), new.sync.existing.into());
    changes.number("sync", "jobs of one connection at once", old.sync.concurrency.into(), new.sync.concurrency.into());
}

#[cfg(test)]
mod tests;
