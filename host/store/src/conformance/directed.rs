//! One test per promise: documents, unique names, isolation, credentials, listings, closing.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests that other crates run")]

use std::collections::BTreeMap;

use crm_contract::ports::{CredentialError, Digest, ShownRequest, StepKey};
use crm_contract::secrets::Token;
use crm_contract::types::{Ending, Error, Known, Told};

use super::{Factory, job};
use crate::model::*;
use crate::{Store, StoreError, Whose, limits};

pub(super) fn key(organization: &str, id: &str) -> RecordKey {
    RecordKey { organization: organization.into(), kind: Kind::Campaign, id: id.into() }
}

fn put(organization: &str, id: &str, expect: Option<u64>, json: Option<&str>, names: &[&str]) -> Put {
    let unique = names.iter().map(|name| ("name".to_owned(), (*name).to_owned())).collect();
    Put { record: key(organization, id), expect, json: json.map(str::to_owned), unique }
}

pub(super) fn finished(claim: &Claim, state: JobState, now: u64) -> Finish {
    let mut job = claim.job.clone();
    job.state = state;
    job.attempts += 1;
    job.due = now;
    job.updated = now;
    job.finished = state.is_final().then_some(now);
    Finish { job, attempt: None, known: None, jobs: Vec::new() }
}

pub(super) fn step(attempt: u32, number: u32, body: String) -> Step {
    let key = StepKey { call: "save".into(), hash: "h".into(), occurrence: 0 };
    let request = ShownRequest { method: "PUT".into(), url: "https://acme.example".into(), headers: vec![], body: Some(body) };
    Step { attempt, number, kept: KeptStep::Intent { key, request, at: 1 } }
}

/// Claims up to `n` jobs of a lane.
pub(super) async fn claim(store: &dyn Store, owner: &str, now: u64, lane: &str, n: u32) -> Vec<Claim> {
    store.claim(owner, now, 30_000, &[(lane.to_owned(), n)]).await.unwrap()
}

pub async fn documents_have_versions_that_rise(factory: &dyn Factory) {
    let store = factory.open(1);
    for version in 1..4 {
        store.commit(vec![put("o", "a", None, Some(&version.to_string()), &[])], vec![]).await.unwrap();
        let record = store.get(&key("o", "a")).await.unwrap().unwrap();
        assert_eq!((record.version, record.json), (version, version.to_string()));
    }
    store.commit(vec![put("o", "a", None, None, &[])], vec![]).await.unwrap();
    assert_eq!(store.get(&key("o", "a")).await.unwrap(), None);
}

pub async fn a_stale_version_is_a_conflict_and_changes_nothing(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![put("o", "a", Some(0), Some("1"), &[])], vec![]).await.unwrap();
    for expect in [0, 2] {
        let refused = store.commit(vec![put("o", "a", Some(expect), Some("2"), &[])], vec![]).await;
        assert_eq!(refused, Err(StoreError::Conflict));
    }
    assert_eq!(store.get(&key("o", "a")).await.unwrap().unwrap().json, "1");
}

pub async fn one_refused_put_refuses_the_whole_commit(factory: &dyn Factory) {
    let store = factory.open(1);
    let puts = vec![put("o", "a", None, Some("1"), &["x"]), put("o", "b", Some(9), Some("1"), &[])];
    assert_eq!(store.commit(puts, vec![job(1, "o", "con_1", "a@x.example")]).await, Err(StoreError::Conflict));
    assert_eq!(store.get(&key("o", "a")).await.unwrap(), None);
    assert_eq!(store.find("o", Kind::Campaign, "name", "x").await.unwrap(), None);
    assert_eq!(store.counts("o", "", None).await.unwrap(), JobCounts::default());
    assert_eq!(store.ready(u64::MAX, 9), vec![]);
}

pub async fn unique_names_are_taken_once_and_released(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![put("o", "a", None, Some("1"), &["x", "y"])], vec![]).await.unwrap();
    let taken = store.commit(vec![put("o", "b", None, Some("1"), &["y"])], vec![]).await;
    assert_eq!(taken, Err(StoreError::Taken { namespace: "name".into(), by: "a".into() }));
    // Another organization has its own names, and one commit may hand a name over.
    store.commit(vec![put("p", "b", None, Some("1"), &["y"])], vec![]).await.unwrap();
    store.commit(vec![put("o", "a", None, Some("2"), &["x"]), put("o", "b", None, Some("1"), &["y"])], vec![]).await.unwrap();
    assert_eq!(store.find("o", Kind::Campaign, "name", "y").await.unwrap().unwrap().id, "b");
    store.commit(vec![put("o", "b", None, None, &[])], vec![]).await.unwrap();
    assert_eq!(store.find("o", Kind::Campaign, "name", "y").await.unwrap(), None);
}

pub async fn pages_go_through_everything_once(factory: &dyn Factory) {
    let store = factory.open(1);
    let ids: Vec<String> = (0..25).map(|n| format!("cmp_{n:03}")).collect();
    for id in ids.iter().rev() {
        store.commit(vec![put("o", id, None, Some("1"), &[])], vec![]).await.unwrap();
    }
    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = store.page("o", Kind::Campaign, seen.last().map(String::as_str), 10).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|record| record.id));
    }
    assert_eq!(seen, ids);
}

pub async fn a_document_of_8_kib_fits_and_a_larger_one_does_not(factory: &dyn Factory) {
    let store = factory.open(1);
    let full = "x".repeat(limits::DOCUMENT_BYTES);
    store.commit(vec![put("o", "a", None, Some(&full), &["x"])], vec![]).await.unwrap();
    assert_eq!(store.get(&key("o", "a")).await.unwrap().unwrap().json, full);
    let more = format!("{full}x");
    let refused = store.commit(vec![put("o", "a", None, Some(&more), &[])], vec![]).await;
    assert_eq!(refused, Err(StoreError::TooLarge { bytes: more.len(), limit: limits::DOCUMENT_BYTES }));
}

pub async fn invariant_6_no_organization_sees_anothers_records_or_jobs(factory: &dyn Factory) {
    let store = factory.open(1);
    // Ids chosen to run into each other if keys were only strung together.
    store.commit(vec![put("o", "a", None, Some("1"), &["x"])], vec![job(1, "o", "con_1", "a@x.example")]).await.unwrap();
    let claims = claim(&*store, "w", 5, "con_1", 1).await;
    let (lane, epoch, id) = (&claims[0].lane, claims[0].epoch, &claims[0].job.new.id);
    store.step(lane, epoch, id, step(1, 0, "b".into()), true).await.unwrap();
    for other in ["", "oa", "p", "o\u{0}", "O"] {
        assert_eq!(store.get(&key(other, "a")).await.unwrap(), None);
        assert_eq!(store.page(other, Kind::Campaign, None, 9).await.unwrap(), vec![]);
        assert_eq!(store.find(other, Kind::Campaign, "name", "x").await.unwrap(), None);
        assert_eq!(store.job(other, id).await.unwrap(), None);
        assert_eq!(store.jobs(other, &JobFilter::default(), None, 9).await.unwrap(), vec![]);
        let by_lane = JobFilter { lane: Some("con_1".into()), ..JobFilter::default() };
        assert_eq!(store.jobs(other, &by_lane, None, 9).await.unwrap(), vec![]);
        assert_eq!(store.attempts(other, id).await.unwrap(), vec![]);
        assert_eq!(store.steps(other, id).await.unwrap(), vec![]);
        assert_eq!(store.counts(other, "", None).await.unwrap(), JobCounts::default());
        assert_eq!(store.counts(other, "", Some("con_1")).await.unwrap(), JobCounts::default());
    }
    // A lane belongs to one organization for good.
    let foreign = store.commit(vec![], vec![job(2, "p", "con_1", "b@x.example")]).await;
    assert!(matches!(foreign, Err(StoreError::Unusable(_))), "{foreign:?}");
}

pub async fn long_values_come_back_whole(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(1, "o", "con_1", "a@x.example")]).await.unwrap();
    let claims = claim(&*store, "w", 5, "con_1", 1).await;
    let (lane, epoch, id) = (&claims[0].lane, claims[0].epoch, claims[0].job.new.id.clone());
    let sizes = [0, 8_000, 8_192, 8_193, 20_000, 1_000_000];
    for (number, size) in (0..).zip(sizes) {
        store.step(lane, epoch, &id, step(1, number, "y".repeat(size)), true).await.unwrap();
    }
    // A long one replaced by a short one leaves nothing behind.
    store.step(lane, epoch, &id, step(1, 5, "short".into()), true).await.unwrap();
    let huge = store.step(lane, epoch, &id, step(1, 9, "y".repeat(limits::STEP_BYTES)), true).await;
    assert!(matches!(huge, Err(StoreError::TooLarge { .. })), "{huge:?}");
    let steps = store.steps("o", &id).await.unwrap();
    let length = |step: &Step| match &step.kept {
        KeptStep::Intent { request, .. } => request.body.as_ref().map_or(0, String::len),
        KeptStep::Done(_) => 0,
    };
    assert_eq!(steps.iter().map(length).collect::<Vec<_>>(), [0, 8_000, 8_192, 8_193, 20_000, 5]);
}

pub async fn what_is_known_of_a_contact_is_handed_to_the_next_job(factory: &dyn Factory) {
    let store = factory.open(1);
    store.commit(vec![], vec![job(1, "o", "con_1", "Ann@x.example")]).await.unwrap();
    let first = claim(&*store, "w", 5, "con_1", 1).await.remove(0);
    assert_eq!(first.known, Known::default());
    let known = Known { contact_id: Some("7".into()), tags: vec!["t".into()], memo: Some("m".into()) };
    let told = Told { code: "1".into(), text: "no".into() };
    let attempt = Attempt {
        job: first.job.new.id.clone(),
        number: 1,
        connector: "acme".into(),
        version: "1".into(),
        digest: Digest("d".into()),
        started: 5,
        ended: 6,
        outcome: Outcome::Ended(Ending::Failed(Error::Permanent(told))),
        log: vec!["l".into()],
        asked: None,
    };
    // Kept even though the job failed.
    let finish = Finish { attempt: Some(attempt.clone()), known: Some(known.clone()), ..finished(&first, JobState::Failed, 6) };
    store.finish("con_1", first.epoch, finish).await.unwrap();
    assert_eq!(store.attempts("o", &first.job.new.id).await.unwrap(), [attempt]);
    assert_eq!(store.contact("con_1", " ann@X.example ").await.unwrap().unwrap().known, known);
    assert_eq!(store.contact("con_2", "ann@x.example").await.unwrap(), None);
    let mut moved = job(2, "o", "con_1", "new@x.example");
    moved.who.previous_email = Some("ann@x.example".into());
    store.commit(vec![], vec![job(3, "o", "con_1", "ann@x.example"), moved]).await.unwrap();
    let claims = claim(&*store, "w", 7, "con_1", 2).await;
    assert!(claims.len() == 2 && claims.iter().all(|claim| claim.known == known), "{claims:?}");
}

fn whose() -> Whose {
    Whose { organization: "o".into(), connection: "con_1".into(), connector: "acme".into(), host: "a.example".into() }
}

pub async fn credentials_open_for_their_owner_only(factory: &dyn Factory) {
    let store = factory.open(1);
    let slots = BTreeMap::from([("key".to_owned(), "s3cret".to_owned()), ("id".to_owned(), "x".repeat(20_000))]);
    assert_eq!(store.credentials(&whose()).unseal().await.err(), Some(CredentialError::Missing));
    store.seal(&whose(), slots).await.unwrap();
    let open = store.credentials(&whose()).unseal().await.map_err(|error| error.to_string()).unwrap();
    assert_eq!((open.get("key"), open.get("id").map(str::len), open.get("no")), (Some("s3cret"), Some(20_000), None));
    // What seals replaces all that was there.
    store.seal(&whose(), BTreeMap::from([("key".to_owned(), "other".to_owned())])).await.unwrap();
    let open = store.credentials(&whose()).unseal().await.map_err(|error| error.to_string()).unwrap();
    assert_eq!((open.get("key"), open.get("id")), (Some("other"), None));
    let elsewhere = [Whose { host: "b.example".into(), ..whose() }, Whose { connector: "other".into(), ..whose() }];
    for other in elsewhere {
        assert_eq!(store.credentials(&other).unseal().await.err(), Some(CredentialError::Unopenable));
    }
    let nobody = [Whose { organization: "p".into(), ..whose() }, Whose { connection: "con_2".into(), ..whose() }];
    for other in nobody {
        assert_eq!(store.credentials(&other).unseal().await.err(), Some(CredentialError::Missing));
    }
}

fn token(access: &str, version: u64) -> Token {
    Token { access: access.into(), refresh: Some("r".into()), expires_at: Some(9), base: Some("https://a.example".into()), version }
}

pub async fn tokens_are_saved_by_compare_and_swap(factory: &dyn Factory) {
    let store = factory.open(1);
    let source = store.credentials(&whose());
    assert!(matches!(source.token("main").await, Ok(None)));
    source.save_token("main", &token("a", 0)).await.unwrap();
    assert_eq!(source.save_token("main", &token("b", 0)).await, Err(CredentialError::Conflict));
    source.save_token("main", &token("b", 1)).await.unwrap();
    let kept = store.credentials(&whose()).token("main").await.ok().flatten().unwrap();
    assert_eq!((kept.access.as_str(), kept.version, kept.refresh.as_deref(), kept.expires_at), ("b", 2, Some("r"), Some(9)));
    let other = store.credentials(&Whose { host: "b.example".into(), ..whose() });
    assert_eq!(other.token("main").await.err(), Some(CredentialError::Unopenable));
    // New credentials make old tokens void, and a refresh that was under way with them comes too late.
    store.seal(&whose(), BTreeMap::from([("key".to_owned(), "new".to_owned())])).await.unwrap();
    assert!(matches!(source.token("main").await, Ok(None)));
    assert_eq!(source.save_token("main", &token("c", 2)).await, Err(CredentialError::Conflict));
}

pub async fn one_renewal_at_a_time_may_spend_a_token(factory: &dyn Factory) {
    let store = factory.open(1);
    let (one, other) = (store.credentials(&whose()), store.credentials(&whose()));
    // Before there is a token (the first is had with what the merchant typed) as well as after.
    one.begin_renewal("main", 0, 1_000, 26_000).await.unwrap();
    assert_eq!(other.begin_renewal("main", 0, 1_001, 26_001).await, Err(CredentialError::Busy));
    other.begin_renewal("second", 0, 1_001, 26_001).await.unwrap();
    one.save_token("main", &token("a", 0)).await.unwrap();
    assert_eq!(other.begin_renewal("main", 0, 1_002, 26_002).await, Err(CredentialError::Conflict), "the loser reads again");
    // A renewal that brought nothing gives way at once; one whose host died gives way when its time is over.
    other.begin_renewal("main", 1, 2_000, 27_000).await.unwrap();
    other.end_renewal("main", 0).await.unwrap();
    assert_eq!(one.begin_renewal("main", 1, 2_001, 27_001).await, Err(CredentialError::Busy), "that was the end of another one");
    other.end_renewal("main", 1).await.unwrap();
    one.begin_renewal("main", 1, 2_002, 27_002).await.unwrap();
    store.close().await.unwrap();
    let store = factory.open(2);
    let third = store.credentials(&whose());
    assert_eq!(third.begin_renewal("main", 1, 27_001, 60_000).await, Err(CredentialError::Busy));
    third.begin_renewal("main", 1, 27_002, 60_000).await.unwrap();
    // Tokens sealed with new credentials are none of the old ones' successors.
    let slots = BTreeMap::from([("key".to_owned(), "new".to_owned())]);
    store.seal_with(&whose(), slots, BTreeMap::from([("main".to_owned(), token("c", 77))])).await.unwrap();
    assert_eq!(third.save_token("main", &token("d", 1)).await, Err(CredentialError::Conflict));
    let kept = third.token("main").await.ok().flatten().unwrap();
    assert_eq!((kept.access.as_str(), kept.version), ("c", 77));
    third.begin_renewal("main", 77, 27_003, 60_000).await.unwrap();
}

pub async fn forgotten_credentials_are_gone_after_reopening(factory: &dyn Factory) {
    let store = factory.open(1);
    store.seal(&whose(), BTreeMap::from([("key".to_owned(), "s".to_owned())])).await.unwrap();
    store.credentials(&whose()).save_token("main", &token("a", 0)).await.unwrap();
    store.close().await.unwrap();
    let store = factory.open(2);
    assert!(store.credentials(&whose()).unseal().await.is_ok());
    store.forget(&whose()).await.unwrap();
    store.close().await.unwrap();
    let store = factory.open(3);
    assert_eq!(store.credentials(&whose()).unseal().await.err(), Some(CredentialError::Missing));
    assert!(matches!(store.credentials(&whose()).token("main").await, Ok(None)));
}

pub async fn nothing_is_acknowledged_after_close(factory: &dyn Factory) {
    let store = factory.open(1);
    assert_eq!(store.health(), Ok(()));
    store.close().await.unwrap();
    assert!(matches!(store.commit(vec![], vec![job(1, "o", "con_1", "a@x.example")]).await, Err(StoreError::Broken(_))));
    assert!(matches!(store.get(&key("o", "a")).await, Err(StoreError::Broken(_))));
    assert!(matches!(store.health(), Err(StoreError::Broken(_))));
    assert_eq!(store.close().await, Ok(()));
}

pub async fn listings_are_newest_first_paged_and_filtered(factory: &dyn Factory) {
    let store = factory.open(1);
    let jobs: Vec<NewJob> = (0..40)
        .map(|n| {
            let lane = if n % 2 == 0 { "con_1" } else { "con_2" };
            NewJob { campaign: format!("cmp_{}", n % 3), ..job(n, "o", lane, &format!("p{n}@x.example")) }
        })
        .collect();
    store.commit(vec![], jobs).await.unwrap();
    for (lane, state) in [("con_1", JobState::Failed), ("con_2", JobState::Succeeded)] {
        for claim in claim(&*store, "w", 5, lane, 10).await {
            store.finish(lane, claim.epoch, finished(&claim, state, 6)).await.unwrap();
        }
    }
    let expected: Vec<u64> = (0..40).rev().collect();
    for (filter, keep) in [
        (JobFilter::default(), (|_| true) as fn(u64) -> bool),
        (JobFilter { lane: Some("con_1".into()), ..JobFilter::default() }, |n| n % 2 == 0),
        (JobFilter { state: Some(JobState::Failed), ..JobFilter::default() }, |n| n % 2 == 0 && n < 20),
        (JobFilter { state: Some(JobState::Pending), ..JobFilter::default() }, |n| n >= 20),
        (JobFilter { campaign: Some("cmp_1".into()), ..JobFilter::default() }, |n| n % 3 == 1),
        (JobFilter { affiliate: Some("aff_p7@x.example".into()), ..JobFilter::default() }, |n| n == 7),
        (JobFilter { affiliate: Some("aff_p30@x.example".into()), ..JobFilter::default() }, |n| n == 30),
    ] {
        let mut seen = Vec::new();
        let mut before: Option<String> = None;
        loop {
            let page = store.jobs("o", &filter, before.as_deref(), 7).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.new.id.clone());
            seen.extend(page.into_iter().map(|job| job.new.id));
        }
        let wanted: Vec<String> = expected.iter().filter(|n| keep(**n)).map(|n| format!("job_{n:020}")).collect();
        assert_eq!(seen, wanted, "{filter:?}");
    }
}
