//! Checks of what holds for the connector as a whole: tags, waiting, support, setup page, waivers, differences, witnesses.

use super::Check;
use crate::error::At;
use crate::model::{Effect, Stage, TagModel};
use crate::scenarios::{SCENARIOS, applies, scenario_named};
use crate::schema::quoted;
use crate::tags::{SYSTEM_TAG, TagRules};

pub(super) fn check(check: &mut Check<'_, '_>) {
    tags(check);
    if let Some(later) = &check.m.later
        && !(later.first_s <= later.max_s && later.max_s <= later.give_up_s)
    {
        check.add(&At::table("later"), "", "must rise: first_s <= max_s <= give_up_s");
    }
    support(check);
    setup(check);
    waived(check);
    for (i, d) in check.m.differences.iter().enumerate() {
        let at = At::item("differences", i, "");
        for (key, text) in [("brief", &d.brief), ("vendor", &d.vendor), ("followed", &d.followed), ("source", &d.source)] {
            check.words(&at, key, text, 600);
        }
    }
    witnesses(check);
}

fn witnesses(check: &mut Check<'_, '_>) {
    let m = check.m;
    let calls = m.calls.iter().map(|c| c.name.as_str());
    for (i, w) in m.witnesses.iter().enumerate() {
        let at = At::item("witnesses", i, &w.name);
        check.line(&at, "name", &w.name, 200);
        if w.calls.is_empty() {
            check.add(&at, "calls", "needs at least one call");
        }
        check.distinct(&at, "calls", w.calls.iter());
        for (j, name) in w.calls.iter().enumerate() {
            check.refers(&at, &format!("calls[{j}]"), name, "calls", calls.clone());
        }
        for (place, why) in &w.explained {
            let key = format!("explained.{place}");
            check.words(&at, &key, why, 600);
            match place.split_once(": ") {
                Some((call, place)) if !crate::shape::is_blank(place) => {
                    check.refers(&at, &key, call, "calls", calls.clone());
                }
                _ => check.add(&at, &key, "is not of the form `CALL: WHERE`, such as `save: body /skip`"),
            }
        }
    }
}

fn tags(check: &mut Check<'_, '_>) {
    let t = &check.m.tags;
    let at = At::table("tags");
    match t.scope.as_deref() {
        None | Some("account") => {}
        Some(scope) => match scope.strip_prefix("picker:") {
            Some(name) => {
                check.refers(&at, "scope", name, "pickers", check.m.pickers.iter().map(|p| p.name.as_str()));
            }
            None => check.add(&at, "scope", format!("`{scope}` is not known; allowed: `account`, `picker:NAME`")),
        },
    }
    let string = t.model == TagModel::String;
    if string != t.separator.as_ref().is_some_and(|s| !s.is_empty()) {
        check.add(&at, "separator", "belongs to model = \"string\", and to no other");
    }
    let stands_in = matches!(t.model, TagModel::List | TagModel::Options | TagModel::Boolean | TagModel::String);
    if stands_in && crate::shape::is_blank(&t.doc) {
        check.add(&at, "doc", "must say what stands in for tags");
    }
    if t.model != TagModel::None
        && let Err(problem) = TagRules::of(t).wire(SYSTEM_TAG)
    {
        check.add(&at, "", format!("would refuse the system tag `{SYSTEM_TAG}`: {problem}"));
    }
}

fn support(check: &mut Check<'_, '_>) {
    let m = check.m;
    let at = At::table("supports");
    let has = |stage: Stage| m.calls.iter().any(|c| c.stages.contains(&stage));
    for (key, on, stage) in [
        ("prepare", m.supports.prepare, Stage::Prepare),
        ("untag", m.supports.untag, Stage::Untag),
        ("lookup", m.supports.lookup, Stage::Lookup),
    ] {
        if on && !has(stage) {
            check.add(&at, key, format!("no call has the stage `{key}`"));
        }
    }
    check.distinct(&at, "person", m.supports.person.iter());
    if !m.calls.is_empty() && !check.report.any_broken("calls[") {
        if !has(Stage::Verify) {
            check.add(&At::root(), "calls", "no call has the stage `verify`: credentials could not be tested");
        }
        if !m.calls.iter().any(|c| c.stages.contains(&Stage::Sync) && c.effect != Effect::Read) {
            check.add(&At::root(), "calls", "no call of the stage `sync` writes anything");
        }
    }
}

fn setup(check: &mut Check<'_, '_>) {
    let s = &check.m.setup;
    let at = At::table("setup");
    if s.key_location.is_empty() {
        check.add(&at, "key_location", "needs at least one step");
    }
    for (i, step) in s.key_location.iter().enumerate() {
        check.words(&at, &format!("key_location[{i}]"), step, 400);
    }
    check.words(&at, "disconnect", &s.disconnect, 1000);
    for (i, t) in s.troubleshooting.iter().enumerate() {
        let at = At::item("setup.troubleshooting", i, "");
        for (key, text) in [("symptom", &t.symptom), ("cause", &t.cause), ("fix", &t.fix)] {
            check.words(&at, key, text, 600);
        }
    }
}

fn waived(check: &mut Check<'_, '_>) {
    let at = At::table("waived");
    for (name, reason) in &check.m.waived {
        match scenario_named(name) {
            None => {
                let known: Vec<&str> = SCENARIOS.iter().map(|s| s.name).collect();
                check.add(&at, name, format!("`{name}` is no scenario; allowed: {}", quoted(&known)));
            }
            Some(s) if !applies(check.m, s.asked) => check.add(&at, name, "is not asked of this connector: remove the waiver"),
            Some(_) => check.words(&at, name, reason, 600),
        }
    }
}
