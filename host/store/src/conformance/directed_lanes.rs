//! One test per promise: lanes, claims, fences, leases, folding, crashes. Invariant 5 above all.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests that other crates run")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::directed::{claim, finished, step};
use super::{Factory, job};
use crate::model::*;
use crate::{Ack, Store, StoreError};

async fn enqueue(store: &dyn Store, new: NewJob) -> Ack {
    store.commit(vec![], vec![new]).await.unwrap().remove(0)
}

async fn state(store: &dyn Store, n: u64) -> JobState {
    store.job("o", &format!("job_{n:020}")).await.unwrap().unwrap().state
}

fn wish(n: u64, tag: &str) -> NewJob {
    NewJob { set: vec![tag.into()], ..job(n, "o", "con_1", "a@x.example") }
}

pub async fn an_equal_wish_is_folded_and_the_newer_one_wins(factory: &dyn Factory) {
    let store = factory.open(1);
    assert_eq!(enqueue(&*store, wish(1, "old")).await, Ack::Enqueued);
    let into = wish(1, "").id;
    assert_eq!(enqueue(&*store, wish(2, "new")).await, Ack::Folded { into: into.clone() });
    let claims = claim(&*store, "w", 5, "con_1", 9).await;
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].job.new.id.as_str(), claims[0].job.new.set.as_slice()), (into.as_str(), &["new".to_owned()][..]));
    // It retries: a newer wish still takes its place.
    store.finish("con_1", claims[0].epoch, finished(&claims[0], JobState::Retrying, 6)).await.unwrap();
    assert_eq!(enqueue(&*store, wish(3, "newest")).await, Ack::Folded { into });
    let claims = claim(&*store, "w", 7, "con_1", 9).await;
    assert_eq!(claims[0].job.new.set, ["newest"]);
    store.finish("con_1", claims[0].epoch, finished(&claims[0], JobState::Succeeded, 8)).await.unwrap();
    // Finished: the same wish is a new job.
    assert_eq!(enqueue(&*store, wish(4, "again")).await, Ack::Enqueued);
}

pub async fn a_wish_made_while_the_job_runs_follows_it(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, "first")).await;
    let first = claim(&*store, "w", 5, "con_1", 1).await.remove(0);
    for (n, tag) in [(2, "second"), (3, "third")] {
        assert_eq!(enqueue(&*store, wish(n, tag)).await, Ack::Folded { into: first.job.new.id.clone() });
    }
    store.close().await.unwrap();
    let store = factory.open(6);
    // The crash ended the run: the newest wish is now the job's own.
    let again = claim(&*store, "w", 7, "con_1", 9).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].job.new.set, ["third"]);
    enqueue(&*store, wish(4, "fourth")).await;
    store.finish("con_1", again[0].epoch, finished(&again[0], JobState::Succeeded, 8)).await.unwrap();
    let follow = claim(&*store, "w", 9, "con_1", 9).await;
    assert_eq!(follow.len(), 1);
    assert_eq!((follow[0].job.new.id.clone(), follow[0].job.new.set.clone()), (wish(4, "").id, vec!["fourth".to_owned()]));
    assert_eq!(state(&*store, 1).await, JobState::Succeeded);
}

pub async fn invariant_5_no_two_jobs_with_one_exclusive_key_run_at_once(factory: &dyn Factory) {
    let store = factory.open(1);
    let shared = |n, lane: &str| NewJob { exclusive: "account/a".into(), ..job(n, "o", lane, &format!("{n}@x.example")) };
    store.commit(vec![], vec![shared(1, "con_1"), shared(2, "con_1"), shared(3, "con_2")]).await.unwrap();
    let wants = [("con_1".to_owned(), 9), ("con_2".to_owned(), 9)];
    for n in 1..=3 {
        let claims = store.claim("w", 5 + n, 1000, &wants).await.unwrap();
        assert_eq!(claims.len(), 1, "only one of them at a time");
        assert!(store.claim("w", 5 + n, 1000, &wants).await.unwrap().is_empty());
        assert!(store.ready(5 + n, 9).is_empty(), "what is blocked is not ready");
        store.finish(&claims[0].lane, claims[0].epoch, finished(&claims[0], JobState::Succeeded, 6)).await.unwrap();
    }
    assert_eq!(store.counts("o", "", None).await.unwrap().succeeded, 3);
}

pub async fn invariant_5_many_workers_run_each_job_once(factory: &dyn Factory) {
    const JOBS: u64 = 400;
    let store = factory.open(1);
    let lanes: Vec<(String, u32)> = (0..4).map(|n| (format!("con_{n}"), 3)).collect();
    // Ten people on one account: jobs of different lanes exclude one another.
    let jobs = (0..JOBS)
        .map(|n| NewJob { exclusive: format!("account/{}", n % 10), ..job(n, "o", &format!("con_{}", n % 4), &format!("{n}@x.example")) });
    store.commit(vec![], jobs.collect()).await.unwrap();
    let running: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let done: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let workers: Vec<_> = (0..6)
        .map(|_| {
            let (store, lanes, running, done) = (store.clone(), lanes.clone(), running.clone(), done.clone());
            tokio::spawn(async move {
                while done.lock().unwrap().len() < JOBS as usize {
                    let woken = store.woken();
                    let claims = store.claim("one owner", 5, 30_000, &lanes).await.unwrap();
                    if claims.is_empty() {
                        if store.counts("o", "", None).await.unwrap().succeeded == JOBS {
                            return;
                        }
                        drop(tokio::time::timeout(std::time::Duration::from_millis(20), woken).await);
                    }
                    for claim in claims {
                        assert!(
                            running.lock().unwrap().insert(claim.job.new.exclusive.clone()),
                            "two at once: {}",
                            claim.job.new.exclusive
                        );
                        store.step(&claim.lane, claim.epoch, &claim.job.new.id, step(1, 0, String::new()), false).await.unwrap();
                        tokio::task::yield_now().await;
                        running.lock().unwrap().remove(&claim.job.new.exclusive);
                        *done.lock().unwrap().entry(claim.job.new.id.clone()).or_default() += 1;
                        store.finish(&claim.lane, claim.epoch, finished(&claim, JobState::Succeeded, 6)).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let done = done.lock().unwrap().clone();
    assert_eq!(done.len() as u64, JOBS);
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    assert_eq!(store.counts("o", "", None).await.unwrap(), JobCounts { succeeded: JOBS, ..JobCounts::default() });
}

pub async fn invariant_5_no_job_is_lost_by_a_crash(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], (0..20).map(|n| job(n, "o", "con_1", &format!("{n}@x.example"))).collect()).await.unwrap();
    let claims = claim(&*store, "w", 5, "con_1", 8).await;
    for (claim, to) in claims.iter().zip([JobState::Succeeded, JobState::Failed, JobState::Retrying, JobState::Waiting]) {
        store.finish("con_1", claim.epoch, finished(claim, to, 6)).await.unwrap();
    }
    store.close().await.unwrap();
    let store = factory.open(100);
    assert_eq!(store.interrupted_at_open(), 4);
    let counts = store.counts("o", "", None).await.unwrap();
    let wanted = JobCounts { pending: 12, retrying: 5, waiting: 1, succeeded: 1, failed: 1, ..JobCounts::default() };
    assert_eq!(counts, wanted);
    let interrupted = store.job("o", &claims[5].job.new.id).await.unwrap().unwrap();
    assert_eq!((interrupted.faults, interrupted.attempts, interrupted.due), (1, 1, 100));
    assert_eq!(interrupted.trouble, Some(JobTrouble::Interrupted));
    let attempts = store.attempts("o", &claims[5].job.new.id).await.unwrap();
    assert_eq!((attempts.len(), &attempts[0].outcome, attempts[0].started), (1, &Outcome::Interrupted, 5));
    assert_eq!(claim(&*store, "w", 200, "con_1", 100).await.len(), 18, "all that is not finished can be claimed");
}

pub async fn invariant_5_finished_steps_come_back_with_the_next_claim(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(1, "o", "con_1", "a@x.example")]).await.unwrap();
    let first = claim(&*store, "w", 5, "con_1", 1).await.remove(0);
    let id = first.job.new.id.clone();
    // Not durable by itself, but before a durable one in line: both are there.
    store.step("con_1", first.epoch, &id, step(1, 0, "save".into()), false).await.unwrap();
    store.step("con_1", first.epoch, &id, step(1, 1, "tag".into()), true).await.unwrap();
    store.close().await.unwrap();
    let store = factory.open(6);
    let second = claim(&*store, "w", 7, "con_1", 1).await.remove(0);
    assert_eq!(second.steps, [step(1, 0, "save".into()), step(1, 1, "tag".into())]);
    store.step("con_1", second.epoch, &id, step(2, 0, "again".into()), true).await.unwrap();
    let mut finish = finished(&second, JobState::Retrying, 8);
    finish.job.forget_before = 1;
    store.finish("con_1", second.epoch, finish).await.unwrap();
    let third = claim(&*store, "w", 9, "con_1", 1).await.remove(0);
    assert_eq!(third.steps, [step(2, 0, "again".into())]);
    assert_eq!(store.steps("o", &id).await.unwrap().len(), 3, "the journal forgets nothing");
}

pub async fn a_lapsed_lease_is_taken_over_and_the_old_owner_is_fenced(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(1, "o", "con_1", "a@x.example"), job(2, "o", "con_1", "b@x.example")]).await.unwrap();
    let old = store.claim("old", 10, 100, &[("con_1".into(), 2)]).await.unwrap();
    assert_eq!(store.ready(109, 9), vec![]);
    assert_eq!(store.ready(110, 9)[0].running, 2);
    let new = store.claim("new", 110, 100, &[("con_1".into(), 2)]).await.unwrap();
    assert_eq!(new.len(), 2);
    assert!(new[0].epoch > old[0].epoch);
    assert_eq!((new[0].job.faults, &new[0].job.trouble), (1, &Some(JobTrouble::Interrupted)));
    let id = &old[0].job.new.id;
    assert_eq!(store.step("con_1", old[0].epoch, id, step(1, 0, String::new()), true).await, Err(StoreError::Fenced));
    let late = store.finish("con_1", old[0].epoch, finished(&old[0], JobState::Succeeded, 111)).await;
    assert_eq!(late, Err(StoreError::Fenced));
    assert_eq!(store.renew("old", 111, 100).await.unwrap(), ["con_1"]);
    assert_eq!(store.renew("old", 112, 100).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.job("o", id).await.unwrap().unwrap().state, JobState::Running);
    assert_eq!(store.steps("o", id).await.unwrap(), vec![]);
}

pub async fn a_renewal_ends_the_lapsed_leases_of_others(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(1, "o", "con_1", "a@x.example")]).await.unwrap();
    let old = store.claim("old", 10, 100, &[("con_1".into(), 1)]).await.unwrap().remove(0);
    assert_eq!(store.renew("new", 109, 100).await.unwrap(), Vec::<String>::new());
    assert_eq!(state(&*store, 1).await, JobState::Running);
    assert_eq!(store.renew("new", 110, 100).await.unwrap(), Vec::<String>::new());
    assert_eq!(state(&*store, 1).await, JobState::Retrying);
    assert_eq!(store.finish("con_1", old.epoch, finished(&old, JobState::Succeeded, 111)).await, Err(StoreError::Fenced));
    assert_eq!(store.renew("old", 111, 100).await.unwrap(), ["con_1"]);
}

pub async fn a_valid_lease_keeps_others_out(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], (0..3).map(|n| job(n, "o", "con_1", &format!("{n}@x.example"))).collect()).await.unwrap();
    let first = store.claim("a", 10, 100, &[("con_1".into(), 1)]).await.unwrap();
    assert!(store.claim("b", 50, 100, &[("con_1".into(), 1)]).await.unwrap().is_empty());
    assert_eq!(store.renew("a", 90, 100).await.unwrap(), Vec::<String>::new());
    assert!(store.claim("b", 150, 100, &[("con_1".into(), 1)]).await.unwrap().is_empty(), "it was renewed");
    let second = store.claim("a", 150, 100, &[("con_1".into(), 1)]).await.unwrap();
    assert_eq!(second[0].epoch, first[0].epoch, "one reign, one epoch");
    for claim in first.iter().chain(&second) {
        store.finish("con_1", claim.epoch, finished(claim, JobState::Succeeded, 160)).await.unwrap();
    }
    // Nothing runs: the lane is free at once.
    let other = store.claim("b", 161, 100, &[("con_1".into(), 1)]).await.unwrap();
    assert!(other[0].epoch > first[0].epoch);
}

pub async fn a_parked_lane_runs_nothing_and_wakes_its_parked_jobs(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], (0..3).map(|n| job(n, "o", "con_1", &format!("{n}@x.example"))).collect()).await.unwrap();
    let first = claim(&*store, "w", 5, "con_1", 1).await.remove(0);
    store.park("con_1", true, 6).await.unwrap();
    store.finish("con_1", first.epoch, finished(&first, JobState::Parked, 7)).await.unwrap();
    store.close().await.unwrap();
    let store = factory.open(8);
    assert_eq!((store.ready(u64::MAX, 9), store.next_due()), (vec![], None));
    assert!(claim(&*store, "w", 9, "con_1", 9).await.is_empty());
    assert_eq!(state(&*store, 0).await, JobState::Parked);
    store.park("con_1", false, 50).await.unwrap();
    assert_eq!(store.job("o", &first.job.new.id).await.unwrap().unwrap().due, 50);
    assert_eq!(claim(&*store, "w", 50, "con_1", 9).await.len(), 3);
}

pub async fn a_job_parked_after_the_lane_was_unparked_is_not_forgotten(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(0, "o", "con_1", "a@x.example")]).await.unwrap();
    let first = claim(&*store, "w", 5, "con_1", 1).await.remove(0);
    store.park("con_1", true, 6).await.unwrap();
    store.park("con_1", false, 7).await.unwrap();
    store.finish("con_1", first.epoch, finished(&first, JobState::Parked, 8)).await.unwrap();
    assert_eq!(claim(&*store, "w", 9, "con_1", 1).await.len(), 1);
}

pub async fn a_held_lane_is_not_ready_until_its_time(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(0, "o", "con_1", "a@x.example"), job(1, "o", "con_2", "a@x.example")]).await.unwrap();
    store.hold("con_1", 100);
    let lanes = |now| store.ready(now, 9).into_iter().map(|lane| lane.lane).collect::<Vec<_>>();
    assert_eq!(lanes(99), ["con_2"]);
    assert_eq!(lanes(100), ["con_1", "con_2"]);
    store.hold("con_1", 300);
    store.hold("con_2", 200);
    assert_eq!(store.next_due(), Some(200));
}

pub async fn new_work_wakes_who_registered_before_looking(factory: &dyn Factory) {
    let store = factory.open(1);
    let woken = store.woken();
    store.commit(vec![], vec![job(0, "o", "con_1", "a@x.example")]).await.unwrap();
    woken.await;
    let claims = claim(&*store, "w", 5, "con_1", 1).await;
    let woken = store.woken();
    store.finish("con_1", claims[0].epoch, finished(&claims[0], JobState::Retrying, 6)).await.unwrap();
    woken.await;
    assert_eq!(store.ready(6, 9).len(), 1);
}

pub async fn a_cancelled_lane_cancels_running_jobs_when_they_end(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], (0..5).map(|n| job(n, "o", "con_1", &format!("{n}@x.example"))).collect()).await.unwrap();
    let claims = claim(&*store, "w", 5, "con_1", 2).await;
    enqueue(&*store, NewJob { id: "job_follow".into(), ..job(0, "o", "con_1", "0@x.example") }).await;
    assert_eq!(store.cancel_lane("con_1", 6).await.unwrap(), 3);
    store.finish("con_1", claims[0].epoch, finished(&claims[0], JobState::Retrying, 7)).await.unwrap();
    store.finish("con_1", claims[1].epoch, finished(&claims[1], JobState::Succeeded, 7)).await.unwrap();
    let counts = store.counts("o", "", None).await.unwrap();
    assert_eq!(counts, JobCounts { cancelled: 4, succeeded: 1, ..JobCounts::default() });
    assert_eq!(store.job("o", "job_follow").await.unwrap(), None, "the follow-up was cancelled with the rest");
}

pub async fn a_finished_job_can_be_retried_unless_a_newer_one_exists(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, "t")).await;
    let first = claim(&*store, "w", 5, "con_1", 1).await.remove(0);
    store.finish("con_1", first.epoch, finished(&first, JobState::Failed, 6)).await.unwrap();
    let failed = store.job("o", &first.job.new.id).await.unwrap().unwrap();
    let retry = Job { state: JobState::Pending, due: 7, finished: None, updated: 7, ..failed.clone() };
    store.amend(retry.clone(), failed.updated).await.unwrap();
    let again = claim(&*store, "w", 8, "con_1", 1).await.remove(0);
    store.finish("con_1", again.epoch, finished(&again, JobState::Failed, 9)).await.unwrap();
    enqueue(&*store, wish(2, "t")).await;
    let failed = store.job("o", &first.job.new.id).await.unwrap().unwrap();
    let refused = store.amend(retry, failed.updated).await;
    assert_eq!(refused, Err(StoreError::Taken { namespace: "job".into(), by: wish(2, "").id }));
    let only_failed = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
    assert_eq!(store.jobs("o", &only_failed, None, 9).await.unwrap().len(), 1);
}

pub async fn an_amend_of_what_changed_meanwhile_is_a_conflict(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, "t")).await;
    let seen = store.job("o", &wish(1, "").id).await.unwrap().unwrap();
    let cancel = Job { state: JobState::Cancelled, updated: seen.updated, ..seen.clone() };
    let running = claim(&*store, "w", 0, "con_1", 1).await.remove(0);
    assert_eq!(store.amend(cancel.clone(), seen.updated).await, Err(StoreError::Conflict), "it runs");
    store.finish("con_1", running.epoch, finished(&running, JobState::Retrying, 0)).await.unwrap();
    // Everything happened in the same millisecond, and still it shows.
    assert_eq!(store.amend(cancel.clone(), seen.updated).await, Err(StoreError::Conflict));
    let now = store.job("o", &seen.new.id).await.unwrap().unwrap();
    let foreign = Job { new: NewJob { organization: "p".into(), ..cancel.new.clone() }, ..cancel.clone() };
    assert_eq!(store.amend(foreign, now.updated).await, Err(StoreError::Conflict));
    store.amend(cancel, now.updated).await.unwrap();
    assert_eq!(state(&*store, 1).await, JobState::Cancelled);
}

pub async fn epochs_rise_over_restarts(factory: &dyn Factory) {
    let mut last = 0;
    for now in 1..4 {
        let store = factory.open(now * 10);
        if now == 1 {
            enqueue(&*store, wish(1, "t")).await;
        }
        let claim = claim(&*store, "w", now * 10, "con_1", 1).await.remove(0);
        assert!(claim.epoch > last);
        last = claim.epoch;
        store.close().await.unwrap();
    }
}

pub async fn a_failed_step_shows_at_the_next_durable_operation(factory: &dyn Factory) {
    let store = factory.open(1);
    enqueue(&*store, wish(1, "t")).await;
    let old = store.claim("old", 10, 10, &[("con_1".into(), 1)]).await.unwrap().remove(0);
    store.claim("new", 30, 10, &[("con_1".into(), 1)]).await.unwrap();
    let id = &old.job.new.id;
    assert_eq!(store.step("con_1", old.epoch, id, step(1, 0, String::new()), false).await, Ok(()));
    assert_eq!(store.finish("con_1", old.epoch, finished(&old, JobState::Succeeded, 31)).await, Err(StoreError::Fenced));
    assert_eq!(store.steps("o", id).await.unwrap(), vec![]);
}

pub async fn counts_follow_every_transition(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], (0..8).map(|n| job(n, "o", "con_1", &format!("{n}@x.example"))).collect()).await.unwrap();
    store.park("con_1", true, 2).await.unwrap();
    store.park("con_1", false, 3).await.unwrap();
    let claims = claim(&*store, "w", 5, "con_1", 7).await;
    assert_eq!(store.counts("o", "", Some("con_1")).await.unwrap(), JobCounts { pending: 1, running: 7, ..JobCounts::default() });
    store.park("con_1", true, 6).await.unwrap();
    let states = [JobState::Waiting, JobState::Retrying, JobState::Parked, JobState::Succeeded, JobState::Failed, JobState::Cancelled];
    for (claim, state) in claims.iter().zip(states) {
        store.finish("con_1", claim.epoch, finished(claim, state, 7)).await.unwrap();
    }
    let all = JobCounts { pending: 1, running: 1, waiting: 1, retrying: 1, parked: 1, succeeded: 1, failed: 1, cancelled: 1 };
    assert_eq!(store.counts("o", "", None).await.unwrap(), all);
    assert_eq!(store.counts("o", "", Some("con_2")).await.unwrap(), JobCounts::default());
    store.close().await.unwrap();
    let store = factory.open(9);
    assert_eq!(store.counts("o", "", None).await.unwrap(), JobCounts { running: 0, retrying: 2, ..all });
}
