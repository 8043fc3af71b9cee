//! The table of deliveries: everything an endpoint can answer, and what becomes of the delivery and of the endpoint. No clock, no store.

use crm_contract::webhooks::DeliveryOutcome;
use crm_store::model::{Job, JobState, JobTrouble, NewJob, Purpose};
use crm_sync::context::Config;
use crm_sync::services::webhooks::planned;
use crm_sync::worker::deliver::{Decided, Health, decide};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000_000;

fn job(burnt: u32) -> Job {
    let new = NewJob::new("dlv_1".into(), "org_1", "whe_1", Purpose::Webhook, NOW);
    let new = NewJob { dedupe: "evt_1".into(), payload: Some("{}".into()), ..new };
    Job { state: JobState::Running, burnt, attempts: burnt, ..Job::newborn(new) }
}

fn answered(status: u16, retry_after_s: Option<u32>) -> DeliveryOutcome {
    DeliveryOutcome::Answered { status, retry_after_s, body_start: String::new(), took_ms: 1 }
}

fn run(job: Job, outcome: &DeliveryOutcome) -> Decided {
    decide(job, outcome, &Config::default(), NOW, 0.0)
}

/// Outcome, state, wait in seconds where it is tried again, health.
type Row = (DeliveryOutcome, JobState, Option<u64>, Health);

#[test]
fn every_answer_has_its_state_and_wait() {
    let refused = DeliveryOutcome::Refused { why: "private".into() };
    let unanswered = DeliveryOutcome::Unanswered { why: "late".into(), took_ms: 15_000 };
    let table: Vec<Row> = vec![
        (answered(200, None), JobState::Succeeded, None, Health::Well),
        (answered(204, Some(99)), JobState::Succeeded, None, Health::Well),
        (answered(299, None), JobState::Succeeded, None, Health::Well),
        (answered(301, None), JobState::Retrying, Some(5), Health::Unwell),
        (answered(400, None), JobState::Retrying, Some(5), Health::Unwell),
        (answered(404, None), JobState::Retrying, Some(5), Health::Unwell),
        (answered(410, None), JobState::Failed, None, Health::Gone),
        (answered(429, None), JobState::Retrying, Some(5), Health::Unwell),
        (answered(429, Some(120)), JobState::Retrying, Some(120), Health::Unwell),
        (answered(503, Some(1)), JobState::Retrying, Some(5), Health::Unwell),
        (answered(503, Some(u32::MAX)), JobState::Retrying, Some(86_400), Health::Unwell),
        (answered(500, None), JobState::Retrying, Some(5), Health::Unwell),
        (refused, JobState::Retrying, Some(5), Health::Unwell),
        (unanswered, JobState::Retrying, Some(5), Health::Unwell),
    ];
    for (outcome, state, wait, health) in table {
        let decided = run(job(0), &outcome);
        assert_eq!((decided.job.state, decided.health), (state, health), "{outcome:?}");
        assert_eq!(decided.job.finished.is_none().then(|| (decided.job.due - NOW) / 1_000), wait, "{outcome:?}");
        assert_eq!((decided.job.attempts, decided.job.burnt), (1, u32::from(health == Health::Unwell)), "{outcome:?}");
        assert_eq!(decided.job.trouble.is_none(), health == Health::Well, "{outcome:?}");
    }
}

#[test]
fn the_standards_schedule_is_walked_and_its_end_is_failure() {
    let mut current = job(0);
    let mut since_start = 0;
    let mut times = vec![0];
    while current.state != JobState::Failed {
        let plan = planned(&Config::default(), &Job { state: JobState::Retrying, ..current.clone() });
        current = run(current, &answered(500, None)).job;
        assert_eq!(current.trouble, Some(JobTrouble::Host("it answered 500".into())));
        if current.state == JobState::Retrying {
            assert_eq!(plan[1] - plan[0], current.due - NOW, "what was planned is what happens");
            since_start += (current.due - NOW) / 1_000;
            times.push(since_start);
        }
    }
    let standard = ["0:00:00", "0:00:05", "0:05:05", "0:35:05", "2:35:05", "7:35:05", "17:35:05", "31:35:05", "51:35:05", "75:35:05"];
    let shown: Vec<String> = times.iter().map(|s| format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)).collect();
    assert_eq!(shown, standard);
    assert_eq!((current.attempts, planned(&Config::default(), &current)), (10, vec![]));
}

proptest! {
    #[test]
    fn a_wait_never_leaves_its_jitter_nor_undercuts_what_the_endpoint_asks(jitter in -5.0f64..5.0, burnt in 0u32..9, asked in proptest::option::of(0u32..100_000)) {
        let config = Config::default();
        let due = decide(job(burnt), &answered(503, asked), &config, NOW, jitter).job.due - NOW;
        let base = u64::from(config.webhook_schedule_s[burnt as usize + 1]) * 1_000;
        let asked = u64::from(asked.unwrap_or(0).min(86_400)) * 1_000;
        prop_assert!(due >= (base * 8 / 10).max(asked) && due <= (base * 12 / 10).max(asked));
    }
}
