//! Differences between the calls of two versions.

use std::collections::BTreeSet;

use super::{Changes, Direction, texts};
use crate::model::{Call, Effect, Manifest, Stage};

pub(super) fn diff(changes: &mut Changes, old: &Manifest, new: &Manifest) {
    for c in &new.calls {
        let about = format!("calls ({})", c.name);
        match old.call(&c.name) {
            None => changes.wider(&about, format!("is a further call: {} {}", c.method.as_str(), c.path)),
            Some(before) => call(changes, &about, before, c),
        }
    }
    for c in old.calls.iter().filter(|c| new.call(&c.name).is_none()) {
        changes.narrower(&format!("calls ({})", c.name), format!("is no longer made: {} {}", c.method.as_str(), c.path));
    }
}

fn call(changes: &mut Changes, about: &str, old: &Call, new: &Call) {
    if (old.method, &old.path, &old.endpoint) != (new.method, &new.path, &new.endpoint) {
        let shown = |c: &Call| format!("{} {} at `{}`", c.method.as_str(), c.path, c.endpoint);
        changes.wider(about, format!("is now {} instead of {}", shown(new), shown(old)));
    }
    let rank = |e: Effect| match e {
        Effect::Read => 0,
        Effect::Idempotent => 1,
        Effect::Write => 2,
    };
    if old.effect != new.effect {
        let direction = if rank(new.effect) > rank(old.effect) { Direction::Wider } else { Direction::Narrower };
        changes.push(direction, about, format!("has the effect {:?} instead of {:?}", new.effect, old.effect).to_lowercase());
    }
    if (old.body, &old.content_type) != (new.body, &new.content_type) {
        changes.wider(about, "sends another kind of body");
    }
    may(changes, about, old, new);
    restraints(changes, about, old, new);
    changes.number(about, "seconds for an answer", old.timeout_s.unwrap_or(20).into(), new.timeout_s.unwrap_or(20).into());
    changes.number(about, "KiB of answer", old.max_kib.unwrap_or(1024).into(), new.max_kib.unwrap_or(1024).into());
    changes.number(about, "seconds for which an answer is reused", old.fresh_s.unwrap_or(0).into(), new.fresh_s.unwrap_or(0).into());
    match (old.starts_automations, new.starts_automations) {
        (false, true) => changes.wider(about, "may now start automations"),
        (true, false) => changes.narrower(about, "no longer starts automations"),
        _ => {}
    }
}

/// Sets of which more is wider.
fn may(changes: &mut Changes, about: &str, old: &Call, new: &Call) {
    let stages = |c: &Call| -> BTreeSet<&'static str> { c.stages.iter().map(|s| stage(*s)).collect() };
    changes.set(about, stages(old), stages(new), Direction::Wider, "may now be made in the stage", "is no longer made in the stage");
    let lists: [(&[String], &[String], &str, &str); 5] = [
        (&old.writes, &new.writes, "may now write", "no longer writes"),
        (&old.query, &new.query, "may now ask with", "no longer asks with"),
        (&old.headers, &new.headers, "may now set the header", "no longer sets the header"),
        (&old.read_headers, &new.read_headers, "may now read the header", "no longer reads the header"),
        (&old.slash_in, &new.slash_in, "may now put slashes into", "no longer puts slashes into"),
    ];
    for (old, new, may, may_not) in lists {
        changes.set(about, texts(old), texts(new), Direction::Wider, may, may_not);
    }
    let ok = |c: &Call| c.ok.iter().copied().collect::<BTreeSet<_>>();
    changes.set(about, ok(old), ok(new), Direction::Wider, "now counts as good the status", "no longer counts as good the status");
}

/// What restrains: less of it is wider, and another of it is wider too.
fn restraints(changes: &mut Changes, about: &str, old: &Call, new: &Call) {
    let lists: [(&[String], &[String], &str, &str); 4] = [
        (&old.never, &new.never, "never writes", "may now write"),
        (&old.new_only, &new.new_only, "writes for new contacts only", "now writes for contacts who are there as well"),
        (&old.redact, &new.redact, "blanks in the journal", "no longer blanks in the journal"),
        (&old.limits, &new.limits, "draws on the limit", "no longer draws on the limit"),
    ];
    for (old, new, more, less) in lists {
        changes.set(about, texts(old), texts(new), Direction::Narrower, more, less);
    }
    let constants = |c: &Call| -> BTreeSet<String> {
        let query = c.fixed_query.iter().map(|(k, v)| format!("{k}={v}"));
        c.fixed.iter().map(|(k, v)| format!("{k} = {v}")).chain(query).collect()
    };
    changes.set(about, constants(old), constants(new), Direction::Narrower, "always sends", "no longer always sends");
    match (&old.guard, &new.guard) {
        (Some(guard), None) => changes.wider(about, format!("no longer looks with `{guard}` first")),
        (None, Some(guard)) => changes.narrower(about, format!("looks with `{guard}` first")),
        (Some(a), Some(b)) if a != b => changes.wider(about, format!("looks with `{b}` first instead of `{a}`")),
        _ => {}
    }
    if old.found != new.found {
        changes.wider(about, "decides otherwise whether someone is there");
    }
    if old.exclusive.is_some() && old.exclusive != new.exclusive {
        changes.wider(about, "is no longer made one at a time as before");
    }
    if old.cost > new.cost {
        changes.wider(about, format!("counts as {} instead of {} at limits of cost", new.cost, old.cost));
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Verify => "verify",
        Stage::Pick => "pick",
        Stage::Prepare => "prepare",
        Stage::Sync => "sync",
        Stage::Untag => "untag",
        Stage::Lookup => "lookup",
    }
}
