//! A gate holds no value and nobody's name, and stays small.

use super::super::parts::Part;
use super::super::sample::{recorded, request};
use super::*;

fn replayed(calls: Vec<Compared>) -> Replayed {
    Replayed { calls, ended: "done, created".into(), ends: "done, created".into(), fault: None, log: Vec::new(), report: None }
}

fn changed(call: &str, ats: Vec<At>) -> Compared {
    let part = |at| Part { at, before: Some("SECRETIVE".into()), after: None };
    Compared { call: call.into(), verdict: Verdict::Changed { parts: ats.into_iter().map(part).collect() }, moved: false }
}

fn tallied(runs: impl IntoIterator<Item = Replayed>) -> Gate {
    let mut tally = Tally::default();
    for run in runs {
        tally.add(&recorded(Vec::new()), &run);
    }
    tally.gate()
}

#[test]
fn places_are_counted_by_syncs_and_the_most_frequent_come_first() {
    let tags = || changed("tag", vec![At::Body("/tags/0".into()), At::Body("/tags/0".into())]);
    let new = Compared { call: "find".into(), verdict: Verdict::New { request: request("/find", "{}") }, moved: false };
    let same = Compared { call: "save".into(), verdict: Verdict::Same, moved: false };
    let gate = tallied([replayed(vec![tags()]), replayed(vec![same]), replayed(vec![tags(), new])]);
    assert_eq!((gate.replayed, gate.same, gate.is_clear()), (3, 1, false));
    let place = |call: &str, what: &str, syncs| Place { call: call.into(), what: what.into(), syncs };
    assert_eq!(gate.places, [place("tag", "body at /tags/0", 2), place("find", "new call", 1)]);
    assert_eq!(gate.different[1].words, "tag: body at /tags/0; find: new call");
}

#[test]
fn names_of_people_are_blanked_in_places_and_no_value_is_kept() {
    let ats = vec![
        At::Body("/members/ann@example.com/al/total".into()),
        At::Query("mrs quincey".into(), String::new()),
        At::Form("f[15551234567]".into(), "/x".into()),
        At::Header("x-tag".into()),
        At::Body("/contacts/c7".into()),
    ];
    let refused = Compared { call: "tag".into(), verdict: Verdict::Refused { why: "SECRETIVE".into() }, moved: true };
    let gate = tallied([replayed(vec![changed("save", ats), refused])]);
    let text = serde_json::to_string(&gate).expect("it is written");
    for word in ["SECRETIVE", "ann@", "\"al\"", "/al/", "quincey", "1555", "c7"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    for place in ["body at /members/…/…/total", "query `…`", "form `…`/x", "header `x-tag`", "not allowed", "order"] {
        assert!(text.contains(place), "{place} not in {text}");
    }
}

#[test]
fn an_end_that_differs_is_told_and_makes_no_sync_differ() {
    let gate = tallied([Replayed { ends: "failed, permanent".into(), ..replayed(Vec::new()) }]);
    assert!(gate.is_clear() && gate.ended_otherwise == 1);
    assert_eq!(gate.places[0].what, "ends `failed, permanent` instead of `done, created`");
    let stopped = tallied([Replayed { fault: Some(GuestFault::Trapped("at 0x123".into())), ..replayed(Vec::new()) }]);
    assert!(!stopped.is_clear());
    assert_eq!(stopped.different[0].words, "the connector is stopped: trapped");
}

#[test]
fn the_largest_gate_fits_into_a_record_beside_other_things() {
    let long = |n: usize| format!("{n}{}", "ü".repeat(500));
    let runs = (0..300).map(|n| {
        let ats = (0..40).map(|k| At::Body(format!("/{}", long(n * 40 + k)))).collect();
        replayed(vec![changed(&long(n), ats)])
    });
    let gate = tallied(runs);
    let bytes = serde_json::to_string(&gate).expect("it is written").len();
    assert!(bytes < 7 * 1024, "{bytes}");
    assert_eq!((gate.places.len(), gate.different.len()), (PLACES, SYNCS));
}
