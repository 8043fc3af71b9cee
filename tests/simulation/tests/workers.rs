//! The workers under random faults, crashes, throttles and slow vendors, in virtual time. A failing run prints its seed;
//! `CRM_SEEDS` sets how many seeds are run.

use std::collections::HashMap;
use std::time::Duration;

use crm_simulation::world::ORGANIZATION;
use crm_simulation::{Behaviour, World};
use crm_store::model::{JobFilter, JobState};
use crm_sync::domain::ConnectionState;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

const HOUR: Duration = Duration::from_secs(3600);

fn seeds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the length of a test run is its caller's choice")]
    std::env::var("CRM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("builds").block_on(future)
}

fn faulty() -> Behaviour {
    Behaviour { failing: 0.1, cutting: 0.05, garbling: 0.05, latency: Duration::from_millis(120), ..Behaviour::default() }
}

/// 3 connections with 30 contacts each and two crashes. Answers what went wrong, if anything.
async fn stormy(seed: u64, behaviour: Behaviour) -> Result<(), String> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut world = World::new(seed, behaviour);
    let lanes = ["con_a", "con_b", "con_c"];
    for lane in lanes {
        world.connect(lane).await;
        let jobs = (0..30).map(|n| world.job(lane, "cmp_1", &format!("a{n}@example.com"))).collect();
        world.enqueue(jobs).await;
    }
    let workers = world.context.config.workers;
    for _ in 0..2 {
        world.start();
        tokio::time::sleep(Duration::from_millis(rng.random_range(1..3_000))).await;
        world.crash().await;
    }
    world.start();
    let counts = world.settle(None, Duration::from_secs(900)).await;
    if counts.succeeded != 90 {
        return Err(format!("seed {seed}: {counts:?}"));
    }
    if let Some(lane) = lanes.iter().find(|lane| world.vendor.tagged(lane) != 30) {
        return Err(format!("seed {seed}: {lane} has {} tagged contacts", world.vendor.tagged(lane)));
    }
    if world.vendor.overlaps() > 0 {
        return Err(format!("seed {seed}: {} times two runs worked on one contact", world.vendor.overlaps()));
    }
    // A crash may hit between an answer and its record: once per run in flight.
    if world.vendor.resent() > 2 * workers {
        return Err(format!("seed {seed}: {} finished calls were sent again", world.vendor.resent()));
    }
    Ok(())
}

#[test]
fn invariant_5_no_job_is_lost_and_no_finished_step_is_sent_again() {
    for seed in 0..seeds() {
        run(stormy(seed, faulty())).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn the_checker_notices_a_way_out_that_forgets_the_journal() {
    let noticed = (0..seeds()).any(|seed| run(stormy(seed, Behaviour { forget_journal: true, failing: 0.5, ..faulty() })).is_err());
    assert!(noticed, "a planted bug went unnoticed");
}

#[test]
fn invariant_9_the_same_seed_makes_the_same_calls() {
    let calls = |seed| {
        run(async {
            let mut world = World::new(seed, faulty());
            world.connect("con_a").await;
            world.enqueue((0..20).map(|n| world.job("con_a", "cmp_1", &format!("a{n}@example.com"))).collect()).await;
            world.start();
            world.settle(None, HOUR).await.succeeded
        })
    };
    assert_eq!((calls(7), calls(7)), (20, 20));
}

#[test]
fn invariant_7_a_throttled_or_slow_connection_delays_no_other() {
    run(async {
        let slow = HashMap::from([("con_slow".to_owned(), Duration::from_secs(20))]);
        let mut world = World::new(1, Behaviour { latency: Duration::from_millis(50), slow, ..Behaviour::default() });
        let start = world.context.now();
        world.vendor.behaviour.lock().limited_until.insert("con_limited".into(), start + 3_600_000);
        for lane in ["con_slow", "con_limited", "con_good"] {
            world.connect(lane).await;
        }
        for lane in ["con_slow", "con_limited"] {
            world.enqueue((0..200).map(|n| world.job(lane, "cmp_1", &format!("a{n}@example.com"))).collect()).await;
        }
        world.start();
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.enqueue((0..10).map(|n| world.job("con_good", "cmp_1", &format!("g{n}@example.com"))).collect()).await;
        let asked = world.context.now();
        let counts = world.settle(Some("con_good"), HOUR).await;
        assert_eq!(counts.succeeded, 10);
        let took = world.vendor.last_tag("con_good").expect("tagged") - asked;
        assert!(took < 2_000, "a healthy connection waited {took} ms behind others");
        assert_eq!(world.counts(Some("con_limited")).await.succeeded, 0, "the limiter holds");
    });
}

#[test]
fn refused_credentials_park_the_connection_burn_nothing_and_resume_when_fixed() {
    run(async {
        let mut world = World::new(2, Behaviour { latency: Duration::from_millis(10), ..Behaviour::default() });
        world.vendor.behaviour.lock().refused.insert("con_a".into());
        world.connect("con_a").await;
        world.enqueue((0..25).map(|n| world.job("con_a", "cmp_1", &format!("a{n}@example.com"))).collect()).await;
        world.start();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let connection = world.connection("con_a").await;
        assert_eq!(connection.state, ConnectionState::NeedsCredentials);
        assert!(connection.trouble.is_some());
        assert!(world.vendor.calls() <= 8, "{} calls were made with refused credentials", world.vendor.calls());
        world.vendor.behaviour.lock().refused.clear();
        world.put_connection("con_a", ConnectionState::Live).await;
        world.context.store.park("con_a", false, world.context.now()).await.expect("unparked");
        assert_eq!(world.settle(None, HOUR).await.succeeded, 25);
        let jobs = world.context.store.jobs(ORGANIZATION, &JobFilter::default(), None, 100).await.expect("listed");
        assert!(jobs.iter().all(|job| job.burnt == 0), "waiting for credentials burnt an attempt");
    });
}

#[test]
fn a_poison_job_fails_after_three_faults_and_hurts_nobody_else() {
    run(async {
        let mut world = World::new(3, Behaviour { latency: Duration::from_millis(10), ..Behaviour::default() });
        world.connect("con_a").await;
        let mut jobs: Vec<_> = (0..10).map(|n| world.job("con_a", "cmp_1", &format!("a{n}@example.com"))).collect();
        jobs.push(world.job("con_a", "cmp_1", "trap-1@example.com"));
        world.enqueue(jobs).await;
        world.start();
        let counts = world.settle(None, HOUR).await;
        assert_eq!((counts.succeeded, counts.failed), (10, 1));
        let failed = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
        let failed = world.context.store.jobs(ORGANIZATION, &failed, None, 10).await.expect("listed");
        assert_eq!(failed[0].faults, 3);
        let attempts = world.context.store.attempts(ORGANIZATION, &failed[0].new.id).await.expect("listed");
        assert_eq!(attempts.len(), 3, "every attempt is recorded");
    });
}

#[test]
fn a_job_that_waits_for_the_vendor_holds_nothing_and_burns_nothing() {
    run(async {
        let mut world = World::new(4, Behaviour { latency: Duration::from_millis(10), ..Behaviour::default() });
        world.connect("con_a").await;
        world.enqueue(vec![world.job("con_a", "cmp_1", "later-1@example.com")]).await;
        world.start();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(world.counts(None).await.waiting, 1);
        let counts = world.settle(None, HOUR).await;
        assert_eq!(counts.succeeded, 1);
        let jobs = world.context.store.jobs(ORGANIZATION, &JobFilter::default(), None, 10).await.expect("listed");
        assert_eq!((jobs[0].burnt, jobs[0].attempts), (0, 2));
    });
}

#[test]
fn two_campaigns_of_one_contact_never_run_at_once() {
    run(async {
        let mut world = World::new(5, Behaviour { latency: Duration::from_millis(200), ..Behaviour::default() });
        world.connect("con_a").await;
        let jobs = (0..8).map(|n| world.job("con_a", &format!("cmp_{n}"), "same@example.com")).collect();
        world.enqueue(jobs).await;
        world.start();
        assert_eq!(world.settle(None, HOUR).await.succeeded, 8);
        assert_eq!(world.vendor.overlaps(), 0);
    });
}

#[test]
fn a_drain_ends_what_runs_and_starts_nothing() {
    run(async {
        let mut world = World::new(6, Behaviour { latency: Duration::from_millis(500), ..Behaviour::default() });
        world.connect("con_a").await;
        world.enqueue((0..50).map(|n| world.job("con_a", "cmp_1", &format!("a{n}@example.com"))).collect()).await;
        world.start();
        tokio::time::sleep(Duration::from_millis(700)).await;
        world.drain(Duration::from_secs(25)).await;
        let counts = world.counts(None).await;
        assert_eq!(counts.running, 0, "nothing is left running");
        assert!(counts.succeeded >= 4 && counts.succeeded + counts.pending == 50, "{counts:?}");
        let calls = world.vendor.calls();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.vendor.calls(), calls, "no call after the drain");
    });
}

#[test]
fn a_disconnected_connection_cancels_its_jobs_without_a_call() {
    run(async {
        let mut world = World::new(8, Behaviour::default());
        world.put_connection("con_a", ConnectionState::Disconnected).await;
        world.enqueue(vec![world.job("con_a", "cmp_1", "a@example.com")]).await;
        world.start();
        assert_eq!(world.settle(None, HOUR).await.cancelled, 1);
        assert_eq!(world.vendor.calls(), 0);
    });
}

#[test]
fn a_key_replaced_while_an_attempt_runs_is_not_blamed_for_the_old_one() {
    run(async {
        let mut world = World::new(9, Behaviour { latency: Duration::from_secs(2), ..Behaviour::default() });
        world.vendor.behaviour.lock().refused.insert("con_a".into());
        world.connect("con_a").await;
        world.enqueue(vec![world.job("con_a", "cmp_1", "a@example.com")]).await;
        world.start();
        tokio::time::sleep(Duration::from_secs(1)).await;
        // The call with the old key is under way.
        world.vendor.behaviour.lock().refused.clear();
        world.put_connection("con_a", ConnectionState::Live).await;
        world.context.store.park("con_a", false, world.context.now()).await.expect("unparked");
        assert_eq!(world.settle(None, Duration::from_secs(120)).await.succeeded, 1);
        assert_eq!(world.connection("con_a").await.state, ConnectionState::Live);
    });
}
