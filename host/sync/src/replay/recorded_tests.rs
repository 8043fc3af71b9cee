//! A run is read from its line as it was written, and is put together from an attempt and its steps.

use crm_contract::ports::{StepKey, StepRecord};
use crm_contract::types::{Job, Throttle};
use crm_store::model::Asked;
use proptest::prelude::*;

use super::super::sample::{recorded, request};
use super::*;

fn record(call: &str, body: &[u8]) -> StepRecord {
    StepRecord {
        key: StepKey { call: call.into(), hash: "h".into(), occurrence: 0 },
        effect: crm_catalog::model::Effect::Write,
        request: request("/contacts", "{}"),
        outcome: StepOutcome::Answered(Response { status: 200, headers: Vec::new(), body: body.to_vec() }),
        good: true,
        reused: false,
        at: 5,
        took_ms: 1,
    }
}

fn done(attempt: u32, number: u32, call: &str) -> Step {
    Step { attempt, number, kept: KeptStep::Done(record(call, b"ok")) }
}

fn attempt(asked: Option<Asked>) -> Attempt {
    let Recorded { sync, connector, version, digest, outcome, .. } = recorded(Vec::new());
    let asked = asked.map(Box::new);
    Attempt { job: sync, number: 2, connector, version, digest, started: 5, ended: 6, outcome, log: Vec::new(), asked }
}

fn asked() -> Asked {
    Asked::new(Invocation::UntagContact { job: Job::default() })
}

#[test]
fn only_the_steps_of_the_attempt_count_and_what_left_none_stands_where_it_was() {
    let throttled = Unanswered::Throttled(Throttle::default());
    let unkept = vec![
        Unkept { after: 0, call: "find".into(), why: Unanswered::UnknownOutcome },
        Unkept { after: 2, call: "tag".into(), why: throttled.clone() },
    ];
    let steps = [done(2, 2, "save"), done(1, 1, "earlier"), done(2, 1, "look")];
    let run = Recorded::of("org_1", "con_1", attempt(Some(Asked { unkept, ..asked() })), &steps).expect("it is recorded");
    let calls: Vec<&str> = run.exchanges.iter().map(|exchange| exchange.call.as_str()).collect();
    assert_eq!(calls, ["find", "look", "save", "tag"]);
    assert_eq!(run.exchanges[3].outcome, StepOutcome::Unanswered(throttled));
    assert_eq!(run.stage(), Stage::Untag);
}

#[test]
fn an_announced_write_is_an_unknown_outcome_unless_its_answer_was_kept_beside_it() {
    let StepRecord { key, request, .. } = record("save", b"");
    let steps = [Step { attempt: 2, number: 1, kept: KeptStep::Intent { key, request, at: 5 } }];
    let run = Recorded::of("org_1", "con_1", attempt(Some(asked())), &steps).expect("it is recorded");
    assert_eq!(run.exchanges[0].outcome, StepOutcome::Unanswered(Unanswered::UnknownOutcome));
    let answer = Response { status: 200, headers: Vec::new(), body: b"garbage".to_vec() };
    let asked = Asked { unusable: Some(answer.clone()), ..asked() };
    let run = Recorded::of("org_1", "con_1", attempt(Some(asked)), &steps).expect("it is recorded");
    assert_eq!(run.exchanges[0].outcome, StepOutcome::Answered(answer));
}

#[test]
fn an_attempt_without_arguments_is_no_recorded_run() {
    assert_eq!(Recorded::of("org_1", "con_1", attempt(None), &[done(2, 1, "save")]), None);
}

#[test]
fn a_line_that_is_no_run_is_named() {
    let good = recorded(Vec::new()).line().expect("it is written");
    let error = read_lines(&format!("{good}\n\n{{}}\n")).expect_err("the third line is none");
    assert_eq!(error.line, 3);
}

proptest! {
    #[test]
    fn a_run_is_read_as_it_was_written(bodies in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40), "(base64:)?[ -~]{0,20}"), 0..6)) {
        let kept = bodies.into_iter().map(|(bytes, raw, text)| Exchange::of(&KeptStep::Done(record("save", if bytes { &raw } else { text.as_bytes() }))));
        let throttled = Exchange::turned_away(Unkept { after: 0, call: "tag".into(), why: Unanswered::Throttled(Throttle::default()) });
        let run = recorded(kept.chain([throttled]).collect());
        let line = run.line().expect("it is written");
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(read_lines(&line).expect("it is read"), vec![run]);
    }
}
