//! The reuse rule as a truth table: effect x recorded state x resumed x guard x after-unknown x age.

use crm_contract::ports::{ShownRequest, StepKey};
use crm_contract::types::{Response, Throttle};

use super::*;

const NOW: u64 = 1_000_000;

fn record(outcome: StepOutcome, good: bool, at: u64) -> Recall {
    let request = ShownRequest { method: "GET".into(), url: String::new(), headers: vec![], body: None };
    let key = StepKey { call: "c".into(), hash: "h".into(), occurrence: 0 };
    Recall::Record(Box::new(StepRecord { key, effect: Effect::Read, request, outcome, good, reused: false, at, took_ms: 1 }))
}

fn answered(good: bool, at: u64) -> Recall {
    record(StepOutcome::Answered(Response { status: if good { 200 } else { 500 }, ..Response::default() }), good, at)
}

fn states() -> Vec<(&'static str, Recall)> {
    let un = |u| record(StepOutcome::Unanswered(u), false, NOW);
    vec![
        ("nothing", Recall::Nothing),
        ("intent", Recall::Intent),
        ("good", answered(true, NOW - 10_000)),
        ("bad", answered(false, NOW - 10_000)),
        ("unreachable", un(Unanswered::Unreachable)),
        ("timed out", un(Unanswered::TimedOut)),
        ("too large", un(Unanswered::TooLarge)),
        ("throttled", un(Unanswered::Throttled(Throttle { after_seconds: None, limit: None }))),
        ("refused", un(Unanswered::Refused("no".into()))),
        ("unknown", un(Unanswered::UnknownOutcome)),
    ]
}

#[test]
fn the_journals_exact_rule_holds_in_every_row() {
    let mut rows = 0;
    for effect in [Effect::Read, Effect::Idempotent, Effect::Write] {
        for (state, recall) in states() {
            for bits in 0..32u32 {
                let on = |n: u32| bits >> n & 1 == 1;
                let (resumed, is_guard, after_unknown) = (on(0), on(1), on(2));
                // Ten seconds old: fresh enough for 10, not for 9, and never without the manifest's word.
                let fresh_s = [None, Some(9), Some(10), Some(3_600)][(bits >> 3) as usize];
                let c = Circumstances { effect, resumed, is_guard, after_unknown, fresh_s, now: NOW };
                let got = decide(recall.clone(), c);
                let wanted = match (effect, state) {
                    (Effect::Write, "intent" | "unknown") => "unknown",
                    (Effect::Write | Effect::Idempotent, "good") if resumed && !is_guard => "reuse",
                    (Effect::Read, "good") if !resumed && !after_unknown && !is_guard && fresh_s.is_some_and(|s| s >= 10) => "reuse",
                    _ => "send",
                };
                let got = match got {
                    Decision::Send => "send",
                    Decision::Reuse(_) => "reuse",
                    Decision::Unknown => "unknown",
                };
                assert_eq!(got, wanted, "{effect:?} {state} {c:?}");
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 960);
}

#[test]
fn a_record_from_the_future_is_not_fresh() {
    let c = Circumstances { effect: Effect::Read, resumed: false, is_guard: false, after_unknown: false, fresh_s: Some(60), now: NOW };
    assert_eq!(decide(answered(true, NOW + 1), c), Decision::Send);
}
