//! The retry truth table: every way an attempt can end, and what becomes of its job. No clock, no store, no guest.

use crm_catalog::model::LaterRule;
use crm_contract::ports::GuestFault;
use crm_contract::types::{Change, Ending, Error, Later, Refusal, Rejection, Standing, Success, Throttle, Told, Trouble};
use crm_store::model::{Job, JobState, NewJob, Purpose};
use crm_sync::context::Config;
use crm_sync::worker::decide::{Decision, End, Park, decide};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000_000;

fn config() -> Config {
    Config { retry_schedule_s: vec![5, 15, 60], jitter_percent: 20, max_faults: 3, ..Config::default() }
}

fn job() -> Job {
    let new = NewJob::new("job_1".into(), "org_1", "con_1", Purpose::Sync, NOW);
    Job { state: JobState::Running, attempts: 1, ..Job::newborn(NewJob { campaign: "cmp_1".into(), affiliate: "aff_1".into(), ..new }) }
}

fn told() -> Told {
    Told { code: "500".into(), text: "server error".into() }
}

fn failed(error: Error) -> End {
    End::Ended(Ending::Failed(error))
}

fn throttled(after_seconds: Option<u32>) -> End {
    failed(Error::RateLimited(Throttle { after_seconds, limit: Some("day".into()) }))
}

fn run(job: Job, end: End) -> Decision {
    decide(job, end, None, &config(), NOW, 0.0)
}

/// Name, end, state, wait in ms (`None` = finished), attempts burnt, faults.
type Row = (&'static str, End, JobState, Option<u64>, u32, u32);

#[test]
fn every_ending_has_its_state_wait_and_price() {
    let credentials = Error::Credentials(Refusal { trouble: Trouble::Invalid, told: told() });
    let rejected = Error::Rejected(Rejection { field: "email".into(), told: told() });
    let done = End::Ended(Ending::Done(Success { change: Change::Created, standing: Standing::KeptOptedOut, warnings: vec![] }));
    let later = End::Ended(Ending::Later(Later { after_seconds: 30, resume: "r".into() }));
    let table: Vec<Row> = vec![
        ("done", done, JobState::Succeeded, None, 0, 0),
        ("retryable", failed(Error::Retryable(told())), JobState::Retrying, Some(5_000), 1, 0),
        ("rate limited, told", throttled(Some(37)), JobState::Retrying, Some(37_000), 0, 0),
        ("rate limited, not told", throttled(None), JobState::Retrying, Some(60_000), 0, 0),
        ("rate limited, absurd", throttled(Some(u32::MAX)), JobState::Retrying, Some(86_400_000), 0, 0),
        ("rate limited, zero", throttled(Some(0)), JobState::Retrying, Some(1_000), 0, 0),
        ("credentials", failed(credentials), JobState::Parked, Some(0), 0, 0),
        ("rejected", failed(rejected), JobState::Failed, None, 0, 0),
        ("destination missing", failed(Error::DestinationMissing(told())), JobState::Failed, None, 0, 0),
        ("unsupported", failed(Error::Unsupported(told())), JobState::Failed, None, 0, 0),
        ("permanent", failed(Error::Permanent(told())), JobState::Failed, None, 0, 0),
        ("stale, first time", failed(Error::Stale(vec!["tag:x".into()])), JobState::Retrying, Some(0), 0, 0),
        ("later", later, JobState::Waiting, Some(30_000), 0, 0),
        ("trap", End::Fault(GuestFault::Trapped("x".into())), JobState::Retrying, Some(5_000), 1, 1),
        ("out of cpu", End::Fault(GuestFault::OutOfCpu { limit_ms: 1 }), JobState::Retrying, Some(5_000), 1, 1),
        ("no slot", End::Fault(GuestFault::Busy), JobState::Retrying, Some(250), 0, 0),
        ("not loaded", End::Fault(GuestFault::NotLoaded("d".into())), JobState::Retrying, Some(30_000), 0, 0),
        ("host", End::Host("x".into()), JobState::Retrying, Some(30_000), 0, 0),
        ("disconnected", End::Gone, JobState::Cancelled, None, 0, 0),
    ];
    for (name, end, state, wait, burnt, faults) in table {
        let decided = run(job(), end).job;
        assert_eq!(decided.state, state, "{name}: state");
        assert_eq!(decided.finished.is_none().then(|| decided.due - NOW), wait, "{name}: wait");
        assert_eq!((decided.burnt, decided.faults), (burnt, faults), "{name}: burnt, faults");
    }
}

#[test]
fn the_schedule_is_walked_and_its_end_is_failure() {
    let mut current = job();
    for wait in [5_000, 15_000, 60_000] {
        current = run(current, failed(Error::Retryable(told()))).job;
        assert_eq!((current.state, current.due - NOW), (JobState::Retrying, wait));
    }
    assert_eq!(run(current, failed(Error::Retryable(told()))).job.state, JobState::Failed);
}

#[test]
fn three_faults_are_poison_whatever_the_schedule_says() {
    let mut current = job();
    for _ in 0..2 {
        current = run(current, End::Fault(GuestFault::Trapped("x".into()))).job;
        assert_eq!(current.state, JobState::Retrying);
    }
    assert_eq!(run(current, End::Fault(GuestFault::OutOfMemory { limit_bytes: 1 })).job.state, JobState::Failed);
}

#[test]
fn stale_facts_are_prepared_again_once_and_then_fail() {
    let first = run(job(), failed(Error::Stale(vec!["a".into()])));
    assert_eq!(first.stale, Some(vec!["a".to_owned()]));
    let second = run(first.job, failed(Error::Stale(vec!["a".into()])));
    assert_eq!((second.stale, second.job.state), (None, JobState::Failed));
}

#[test]
fn credentials_trouble_parks_with_the_vendors_words() {
    let end = failed(Error::Credentials(Refusal { trouble: Trouble::Expired, told: told() }));
    assert_eq!(run(job(), end).park, Some(Park::Credentials("server error".into())));
}

#[test]
fn what_needs_the_merchants_yes_parks_and_burns_nothing() {
    let decided = run(job(), End::NeedsConsent(vec!["property Rekomi tags".into()]));
    let Some(Park::Preparation(text)) = decided.park else { panic!("not parked") };
    assert!(text.contains("property Rekomi tags"), "{text}");
    assert_eq!((decided.job.state, decided.job.burnt), (JobState::Parked, 0));
}

#[test]
fn waiting_is_clamped_by_the_manifest_and_given_up_in_time() {
    let rule = LaterRule { first_s: 10, max_s: 60, give_up_s: 100 };
    let ask = |s| End::Ended(Ending::Later(Later { after_seconds: s, resume: "r".into() }));
    let short = decide(job(), ask(1), Some(&rule), &config(), NOW, 0.0).job;
    assert_eq!(short.due - NOW, 10_000);
    let long = decide(short.clone(), ask(3600), Some(&rule), &config(), NOW + 1_000, 0.0).job;
    assert_eq!(long.due - NOW, 61_000);
    let over = decide(long, ask(10), Some(&rule), &config(), NOW + 100_000, 0.0).job;
    assert_eq!(over.state, JobState::Failed);
}

proptest! {
    #[test]
    fn a_wait_never_leaves_its_jitter_and_never_lies_in_the_past(jitter in -5.0f64..5.0, burnt in 0u32..3) {
        let decided = decide(Job { burnt, ..job() }, failed(Error::Retryable(told())), None, &config(), NOW, jitter).job;
        let base = u64::from(config().retry_schedule_s[burnt as usize]) * 1000;
        prop_assert!(decided.due >= NOW + base * 8 / 10 && decided.due <= NOW + base * 12 / 10);
    }

    #[test]
    fn retry_after_is_never_undercut(seconds in 1u32..86_400) {
        prop_assert_eq!(run(job(), throttled(Some(seconds))).job.due, NOW + u64::from(seconds) * 1000);
    }
}
