//! One test per promise: jobs that an end brings with it, and erasing.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests that other crates run")]

use crm_contract::types::Known;

use super::directed::{claim, finished, key, step};
use super::{Factory, job};
use crate::model::*;
use crate::{Ack, Store, StoreError, limits};

fn id(n: u64) -> String {
    format!("job_{n:020}")
}

fn hook(n: u64, organization: &str) -> NewJob {
    let (lane, payload) = (format!("whe_{organization}"), Some("{}".to_owned()));
    NewJob { purpose: Purpose::Webhook, payload, exclusive: String::new(), dedupe: id(n), ..job(n, organization, &lane, "a@x.example") }
}

/// A job of its own person, claimed.
async fn running(store: &dyn Store, n: u64) -> Claim {
    store.commit(vec![], vec![job(n, "o", "con_1", &format!("{n}@x.example"))]).await.unwrap();
    claim(store, "w", 5, "con_1", 1).await.remove(0)
}

async fn exists(store: &dyn Store, n: u64) -> bool {
    store.job("o", &id(n)).await.unwrap().is_some()
}

pub async fn an_end_brings_its_jobs_in_the_same_write(factory: &dyn Factory) {
    let store = factory.open(1);
    let one = running(&*store, 1).await;
    let woken = store.woken();
    let finish = Finish { jobs: vec![hook(10, "o"), hook(11, "o")], ..finished(&one, JobState::Succeeded, 6) };
    store.finish("con_1", one.epoch, finish).await.unwrap();
    woken.await;
    assert_eq!(store.counts("o", "whe_", None).await.unwrap().pending, 2);
    // A retry tells of itself too; what it brings may be one more wish for an unfinished job, even for the one that ends.
    let two = running(&*store, 2).await;
    let again = NewJob { set: vec!["newer".into()], ..job(12, "o", "con_1", "2@x.example") };
    let jobs = vec![NewJob { payload: Some("newer".into()), id: id(13), ..hook(11, "o") }, again];
    store.finish("con_1", two.epoch, Finish { jobs, ..finished(&two, JobState::Retrying, 7) }).await.unwrap();
    store.close().await.unwrap();
    let store = factory.open(8);
    assert_eq!(store.job("o", &id(11)).await.unwrap().unwrap().new.payload.as_deref(), Some("newer"));
    let again = claim(&*store, "w", 9, "con_1", 9).await.remove(0);
    assert_eq!((again.job.new.id, again.job.new.set), (id(2), vec!["newer".to_owned()]));
    assert_eq!(claim(&*store, "w", 9, "whe_o", 9).await.len(), 2);
    assert!(!exists(&*store, 12).await && !exists(&*store, 13).await);
}

pub async fn the_end_of_a_finished_job_may_wish_for_it_anew(factory: &dyn Factory) {
    let store = factory.open(1);
    let one = running(&*store, 1).await;
    let jobs = vec![job(2, "o", "con_1", "1@x.example")];
    store.finish("con_1", one.epoch, Finish { jobs, ..finished(&one, JobState::Succeeded, 6) }).await.unwrap();
    let next = claim(&*store, "w", 7, "con_1", 9).await.remove(0);
    assert_eq!(next.job.new.id, id(2));
    // A follow-up comes first, and what the end brings folds into it.
    store.commit(vec![], vec![job(3, "o", "con_1", "1@x.example")]).await.unwrap();
    let jobs = vec![NewJob { set: vec!["newest".into()], ..job(4, "o", "con_1", "1@x.example") }];
    store.finish("con_1", next.epoch, Finish { jobs, ..finished(&next, JobState::Failed, 8) }).await.unwrap();
    let last = claim(&*store, "w", 9, "con_1", 9).await;
    assert_eq!((last.len(), last[0].job.new.id.clone(), last[0].job.new.set.clone()), (1, id(3), vec!["newest".to_owned()]));
}

pub async fn a_fenced_end_brings_nothing(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(1, "o", "con_1", "1@x.example")]).await.unwrap();
    let old = store.claim("old", 10, 10, &[("con_1".into(), 1)]).await.unwrap().remove(0);
    store.claim("new", 30, 1_000, &[("con_1".into(), 1)]).await.unwrap();
    // Fenced, whatever else may be wrong with it.
    for jobs in [vec![hook(10, "o")], vec![hook(10, "o"), job(1, "o", "con_1", "x")]] {
        let late = store.finish("con_1", old.epoch, Finish { jobs, ..finished(&old, JobState::Succeeded, 31) }).await;
        assert_eq!(late, Err(StoreError::Fenced));
    }
    assert!(!exists(&*store, 10).await);
    assert_eq!(store.counts("o", "whe_", None).await.unwrap(), JobCounts::default());
}

pub async fn an_end_whose_jobs_cannot_be_taken_in_changes_nothing(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(9, "p", "con_p", "9@x.example")]).await.unwrap();
    let one = running(&*store, 1).await;
    store.commit(vec![], vec![job(2, "o", "con_1", "1@x.example")]).await.unwrap();
    let huge = NewJob { payload: Some("x".repeat(limits::JOB_BYTES)), ..hook(11, "o") };
    let foreign = NewJob { lane: "con_p".into(), ..hook(11, "o") };
    let known = Some(Known { contact_id: Some("7".into()), ..Known::default() });
    for (bad, why) in [
        (job(1, "o", "con_1", "1@x.example"), "its own id"),
        (NewJob { id: id(9), ..hook(11, "o") }, "an id of another organization's job"),
        (hook(10, "o"), "one id twice"),
        (NewJob { id: id(2), ..hook(11, "o") }, "the id of the wish that waits for it"),
        (foreign, "another organization's lane"),
        (NewJob { lane: String::new(), ..hook(11, "o") }, "no lane"),
        (huge, "too large"),
    ] {
        let finish = Finish { jobs: vec![hook(10, "o"), bad], known: known.clone(), ..finished(&one, JobState::Succeeded, 6) };
        let refused = store.finish("con_1", one.epoch, finish).await;
        let expected = matches!(refused, Err(StoreError::Conflict | StoreError::Unusable(_) | StoreError::TooLarge { .. }));
        assert!(expected, "{why}: {refused:?}");
        assert_eq!(store.job("o", &id(1)).await.unwrap().unwrap().state, JobState::Running, "{why}");
    }
    assert!(!exists(&*store, 10).await && !exists(&*store, 11).await);
    assert_eq!(store.contact("con_1", "1@x.example").await.unwrap(), None);
    store.finish("con_1", one.epoch, Finish { jobs: vec![hook(10, "o")], ..finished(&one, JobState::Succeeded, 6) }).await.unwrap();
    assert!(exists(&*store, 10).await && exists(&*store, 2).await);
}

fn put(expect: Option<u64>, json: &str) -> Put {
    Put { record: key("o", "aff_1"), expect, json: Some(json.into()), unique: vec![("email".into(), json.into())] }
}

/// One person's jobs 0..6 in every state they can be erased in, each with an attempt and a step where it ran, and a stranger's job 6.
async fn lived(store: &dyn Store) -> Vec<String> {
    let person = |n: u64| NewJob { affiliate: "aff_1".into(), ..job(n, "o", "con_1", &format!("{n}@x.example")) };
    store.commit(vec![put(None, "alive")], (0..6).map(person).chain([job(6, "o", "con_1", "6@x.example")]).collect()).await.unwrap();
    store.park("con_1", true, 2).await.unwrap();
    store.park("con_1", false, 2).await.unwrap();
    let claims = claim(store, "w", 5, "con_1", 5).await;
    store.park("con_1", true, 5).await.unwrap();
    let states = [JobState::Succeeded, JobState::Failed, JobState::Retrying, JobState::Waiting, JobState::Parked];
    for (n, (claim, state)) in (0..).zip(claims.iter().zip(states)) {
        store.step("con_1", claim.epoch, &claim.job.new.id, step(1, 0, "z".repeat(20_000)), true).await.unwrap();
        if state == JobState::Waiting {
            store.commit(vec![], vec![NewJob { id: id(20), affiliate: "aff_1".into(), ..person(n) }]).await.unwrap();
        }
        let attempt = Attempt {
            job: claim.job.new.id.clone(),
            number: 1,
            connector: "acme".into(),
            version: "1".into(),
            digest: crm_contract::ports::Digest("d".into()),
            started: 5,
            ended: 6,
            outcome: Outcome::Interrupted,
            log: vec!["l".repeat(9_000)],
            asked: Some(Box::new(super::asked(claim))),
        };
        let known = Some(Known { contact_id: Some(format!("{n}")), ..Known::default() });
        store.finish("con_1", claim.epoch, Finish { attempt: Some(attempt), known, ..finished(claim, state, 6) }).await.unwrap();
    }
    store.park("con_1", false, 7).await.unwrap();
    (0..6).map(id).collect()
}

pub async fn erased_jobs_are_gone_with_all_that_hung_on_them(factory: &dyn Factory) {
    let store = factory.open(1);
    let jobs = lived(&*store).await;
    let contacts: Vec<_> = (0..4).map(|n| ("con_1".to_owned(), format!(" {n}@X.example"))).collect();
    let twice = [jobs.clone(), jobs.clone(), vec!["job_nobody".into()]].concat();
    assert_eq!(store.erase("o", &twice, &contacts, vec![put(Some(1), "erased")]).await, Ok(6));
    for reopened in [false, true] {
        let store = if reopened {
            store.close().await.unwrap();
            factory.open(100)
        } else {
            store.clone()
        };
        assert_eq!(store.interrupted_at_open(), 0);
        for id in &jobs {
            assert_eq!(store.job("o", id).await.unwrap(), None);
            assert_eq!(store.attempts("o", id).await.unwrap(), vec![]);
            assert_eq!(store.steps("o", id).await.unwrap(), vec![]);
        }
        for affiliate in [None, Some("aff_1".to_owned())] {
            let left = store.jobs("o", &JobFilter { affiliate: affiliate.clone(), ..JobFilter::default() }, None, 9).await.unwrap();
            assert_eq!(left.len(), usize::from(affiliate.is_none()), "the stranger's only: {left:?}");
        }
        assert_eq!(store.counts("o", "", None).await.unwrap(), JobCounts { pending: 1, ..JobCounts::default() });
        for n in 0..5 {
            assert_eq!(store.contact("con_1", &format!("{n}@x.example")).await.unwrap().is_some(), n == 4, "only those that were named");
        }
        assert_eq!(store.find("o", Kind::Campaign, "email", "erased").await.unwrap().unwrap().version, 2);
        assert_eq!(store.find("o", Kind::Campaign, "email", "alive").await.unwrap(), None);
        assert_eq!(factory.expire(&store, u64::MAX).unwrap_or(0), 0, "retention finds nothing of them");
        // Their ids and keys are free, and nothing that was waiting behind them comes up.
        let new: Vec<NewJob> = (0..6).map(|n| job(n, "o", "con_1", &format!("{n}@x.example"))).collect();
        if reopened {
            let left = claim(&*store, "w", 101, "con_1", 9).await;
            assert_eq!(left.iter().map(|claim| claim.job.new.id.clone()).collect::<Vec<_>>(), [id(6)]);
            assert_eq!(store.commit(vec![], new).await.unwrap(), vec![Ack::Enqueued; 6]);
            assert_eq!(claim(&*store, "w", 102, "con_1", 9).await.len(), 6);
            assert!(!exists(&*store, 20).await);
            store.close().await.unwrap();
        }
    }
}

pub async fn nothing_is_erased_while_one_of_the_jobs_runs_or_a_put_is_out_of_date(factory: &dyn Factory) {
    let store = factory.open(1);
    let jobs = lived(&*store).await;
    let contacts = vec![("con_1".to_owned(), "0@x.example".to_owned())];
    let running = claim(&*store, "w", 8, "con_1", 1).await.remove(0);
    assert_eq!(store.erase("o", &jobs, &contacts, vec![put(Some(1), "erased")]).await, Err(StoreError::Conflict));
    store.finish("con_1", running.epoch, finished(&running, JobState::Retrying, 9)).await.unwrap();
    for (puts, error) in [
        (vec![put(Some(1), "erased"), put(Some(7), "late")], StoreError::Conflict),
        (
            vec![Put { record: key("o", "aff_2"), ..put(None, "alive") }],
            StoreError::Taken { namespace: "email".into(), by: "aff_1".into() },
        ),
    ] {
        assert_eq!(store.erase("o", &jobs, &contacts, puts).await, Err(error));
    }
    for n in 0..6 {
        assert!(exists(&*store, n).await);
    }
    assert!(store.contact("con_1", "0@x.example").await.unwrap().is_some());
    assert_eq!(store.get(&key("o", "aff_1")).await.unwrap().unwrap().version, 1);
    let many = vec!["job_x".to_owned(); limits::ERASE + 1];
    let refused = StoreError::TooLarge { bytes: many.len(), limit: limits::ERASE };
    assert_eq!(store.erase("o", &many, &[], vec![]).await, Err(refused));
    assert_eq!(store.erase("o", &jobs, &contacts, vec![]).await, Ok(6));
}

pub async fn invariant_6_another_organizations_jobs_and_contacts_are_not_erased(factory: &dyn Factory) {
    let store = factory.open(1);
    let jobs = lived(&*store).await;
    let contacts = vec![("con_1".to_owned(), "0@x.example".to_owned())];
    // Not even that one of them runs is to be learnt.
    let running = claim(&*store, "w", 8, "con_1", 1).await.remove(0);
    for other in ["p", "", "oa"] {
        assert_eq!(store.erase(other, &jobs, &contacts, vec![]).await, Ok(0));
    }
    for n in 0..6 {
        assert!(exists(&*store, n).await);
    }
    assert!(store.contact("con_1", "0@x.example").await.unwrap().is_some());
    store.finish("con_1", running.epoch, finished(&running, JobState::Succeeded, 9)).await.unwrap();
}

pub async fn contacts_of_a_destination_are_erased_by_their_own_name(factory: &dyn Factory) {
    let store = factory.open(1);
    for (n, scope) in [(1, ""), (2, "dst_1")] {
        let new = NewJob { scope: scope.into(), ..job(n, "o", "con_1", "a@x.example") };
        store.commit(vec![], vec![new]).await.unwrap();
        let claim = claim(&*store, "w", 5, "con_1", 1).await.remove(0);
        let known = Some(Known { contact_id: Some("7".into()), ..Known::default() });
        store.finish("con_1", claim.epoch, Finish { known, ..finished(&claim, JobState::Succeeded, 6) }).await.unwrap();
    }
    let scoped = ("con_1/dst_1".to_owned(), "a@x.example".to_owned());
    assert_eq!(store.erase("p", &[], std::slice::from_ref(&scoped), vec![]).await, Ok(0));
    assert!(store.contact(&scoped.0, &scoped.1).await.unwrap().is_some(), "its lane is another organization's");
    assert_eq!(store.erase("o", &[], std::slice::from_ref(&scoped), vec![]).await, Ok(0));
    assert_eq!(store.contact(&scoped.0, &scoped.1).await.unwrap(), None);
    assert!(store.contact("con_1", "a@x.example").await.unwrap().is_some());
}

pub async fn what_is_known_of_a_person_is_found_in_every_part_of_a_lane(factory: &dyn Factory) {
    let store = factory.open(1);
    let long = "x".repeat(400);
    // Neighbours in every direction, and lanes of the same lengths as the parts.
    let lanes = ["con_1", "con_10", "con_1x", "con_0", "con_2", "con_1-dst", "con_0/dst_1", "con_2/dst_1", "con_10/dst_"];
    let scopes = ["", "dst_1", "dst_2", "d", "é=ü", &long];
    let mut n = 0;
    for (lane, scope) in lanes.iter().map(|lane| (*lane, "")).chain(scopes.iter().skip(1).map(|scope| ("con_1", *scope))) {
        for email in ["a@x.example", "aa@x.example", "old@x.example", "b@x.example"] {
            n += 1;
            let new = NewJob { scope: scope.into(), dedupe: format!("{n}"), exclusive: String::new(), ..job(n, "o", lane, email) };
            store.commit(vec![], vec![new]).await.unwrap();
            let claim = claim(&*store, "w", 5, lane, 1).await.remove(0);
            let known = Some(Known { contact_id: Some(format!("{lane}/{scope}")), ..Known::default() });
            store.finish(lane, claim.epoch, Finish { known, ..finished(&claim, JobState::Succeeded, 6) }).await.unwrap();
        }
    }
    let emails = [" A@X.example".to_owned(), "old@x.example".to_owned(), "a@x.example".to_owned(), "nobody@x.example".to_owned()];
    let mut wanted: Vec<(String, String)> = scopes
        .iter()
        .map(|scope| crate::model::contact_lane("con_1", scope))
        .flat_map(|lane| ["a@x.example", "old@x.example"].map(|email| (lane.clone(), email.to_owned())))
        .collect();
    wanted.sort();
    let seen = async |store: &dyn Store, lane: &str| {
        let found = store.contacts(lane, &emails).await.unwrap();
        found.into_iter().map(|contact| (contact.lane, contact.email)).collect::<Vec<_>>()
    };
    assert_eq!(seen(&*store, "con_1").await, wanted);
    for (lane, some) in
        [("con_10", 4), ("con_1x", 2), ("con_2", 4), ("con_1/dst_1", 2), ("con_", 0), ("", 0), ("con_9", 0), (&"y".repeat(70_000), 0)]
    {
        assert_eq!(seen(&*store, lane).await.len(), some, "{lane:.20}");
    }
    assert_eq!(store.contacts("con_1", &[]).await.unwrap(), vec![]);
    // What was found is what `erase` takes.
    assert_eq!(store.erase("o", &[], &wanted, vec![]).await, Ok(0));
    assert_eq!(seen(&*store, "con_1").await, vec![]);
    assert_eq!(seen(&*store, "con_2").await.len(), 4);
    assert!(store.contact("con_1/dst_1", "aa@x.example").await.unwrap().is_some());
}
