//! The consent rule as far as a manifest can break it: a field that is for new contacts only is never writable without a
//! look at the contact first, in no call.

use super::Check;
use crate::error::At;
use crate::model::{Alters, Call, Effect};
use crate::writes::rules_overlap;

pub(super) fn check(check: &mut Check<'_, '_>) {
    let m = check.m;
    for (i, c) in m.calls.iter().enumerate() {
        let at = At::item("calls", i, &c.name);
        guard(check, &at, c);
        new_only(check, &at, c);
        elsewhere(check, &at, c);
        never(check, &at, c);
    }
}

/// What is never sent is neither granted by name nor fixed.
fn never(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    check.distinct(at, "never", c.never.iter());
    for (i, entry) in c.never.iter().enumerate() {
        let field = format!("never[{i}]");
        if c.writes.iter().any(|w| w.eq_ignore_ascii_case(entry)) {
            check.add(at, &field, format!("`{entry}` is in `writes` too: take it out of one of them"));
        } else if !c.writes.iter().any(|w| rules_overlap(w, entry)) {
            check.add(at, &field, format!("no entry of `writes` reaches `{entry}`, so it says nothing"));
        }
        if c.fixed.keys().any(|key| rules_overlap(key, entry)) {
            check.add(at, &field, format!("`{entry}` is fixed by this call"));
        }
    }
}

fn guard(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    let m = check.m;
    let Some(name) = &c.guard else { return };
    if c.effect == Effect::Read {
        check.add(at, "guard", "has no meaning on a `read`, which changes nothing");
    }
    if !check.refers(at, "guard", name, "calls", m.calls.iter().map(|c| c.name.as_str())) {
        return;
    }
    let Some(guard) = m.call(name) else { return };
    if guard.effect != Effect::Read {
        check.add(at, "guard", format!("`{name}` is no `read`, so it cannot be a guard"));
    }
    if !c.stages.iter().all(|s| guard.stages.contains(s)) {
        check.add(at, "guard", format!("`{name}` must have every stage of this call, or it could not be asked first"));
    }
}

fn new_only(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    if c.new_only.is_empty() {
        return;
    }
    check.distinct(at, "new_only", c.new_only.iter());
    for (i, entry) in c.new_only.iter().enumerate() {
        if !c.writes.contains(entry) {
            check.add(at, &format!("new_only[{i}]"), format!("`{entry}` is no entry of `writes`"));
        }
    }
    match &c.guard {
        None => check.add(at, "guard", "is needed with `new_only`: without a look first, nobody knows who is new"),
        Some(name) => {
            if check.m.call(name).is_some_and(|g| g.found.is_none()) {
                check.add(at, "guard", format!("`{name}` needs a `found` table: when does its answer mean that there is someone?"));
            }
        }
    }
}

/// What one call may only write for new contacts, another may not write blindly.
fn elsewhere(check: &mut Check<'_, '_>, at: &At, c: &Call) {
    if c.guard.is_some() || c.effect == Effect::Read || c.alters == Some(Alters::Account) {
        return;
    }
    for other in check.m.calls.iter().filter(|o| o.name != c.name) {
        for protected in other.new_only.iter().filter(|protected| !c.never.contains(protected)) {
            for (i, entry) in c.writes.iter().enumerate().filter(|(_, w)| rules_overlap(w, protected)) {
                check.add(
                    at,
                    &format!("writes[{i}]"),
                    format!(
                        "`{entry}` reaches `{protected}`, which `{}` may write for new contacts only: name a `guard` here too",
                        other.name
                    ),
                );
            }
            for key in c.fixed.keys().filter(|k| rules_overlap(k, protected)) {
                check.add(
                    at,
                    &format!("fixed.{key}"),
                    format!("reaches `{protected}`, which `{}` may write for new contacts only: name a `guard` here too", other.name),
                );
            }
        }
    }
}
