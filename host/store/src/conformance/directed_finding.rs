//! One test per promise: unique names as an index, and lanes by how their ids begin.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests that other crates run")]

use super::directed::{claim, finished};
use super::{Factory, job};
use crate::Store;
use crate::model::*;

fn put(organization: &str, kind: Kind, id: &str, json: Option<&str>, names: &[(&str, &str)]) -> Put {
    let record = RecordKey { organization: organization.into(), kind, id: id.into() };
    let unique = names.iter().map(|(space, name)| ((*space).to_owned(), (*name).to_owned())).collect();
    Put { record, expect: None, json: json.map(str::to_owned), unique }
}

/// Names and ids of a page.
async fn page(store: &dyn Store, organization: &str, prefix: &str, after: Option<&str>, limit: usize) -> Vec<(String, String)> {
    let found = store.named(organization, Kind::Campaign, "at", prefix, after, limit).await.unwrap();
    found.into_iter().map(|(name, record)| (name, record.id)).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect()
}

pub async fn names_are_an_index_in_the_order_of_their_bytes(factory: &dyn Factory) {
    let store = factory.open(1);
    let names = [("c", "n/2"), ("a", "n/10"), ("b", "n/"), ("e", "n/Z"), ("d", "n/é"), ("f", "m"), ("g", "o"), ("h", "n")];
    for (id, name) in names {
        store.commit(vec![put("o", Kind::Campaign, id, Some("1"), &[("at", name)])], vec![]).await.unwrap();
    }
    let all = pairs(&[("n/", "b"), ("n/10", "a"), ("n/2", "c"), ("n/Z", "e"), ("n/é", "d")]);
    assert_eq!(page(&*store, "o", "n/", None, 99).await, all);
    assert_eq!(page(&*store, "o", "n/", None, 2).await, all[..2]);
    assert_eq!(page(&*store, "o", "n/", Some("n/10"), 2).await, all[2..4]);
    assert_eq!(page(&*store, "o", "n/", Some("n/é"), 2).await, []);
    assert_eq!(page(&*store, "o", "n/", None, 0).await, []);
    // A name to go on after need not exist, and one before the prefix leaves nothing out.
    assert_eq!(page(&*store, "o", "n/", Some("n/1"), 1).await, all[1..2]);
    assert_eq!(page(&*store, "o", "n/", Some("a"), 9).await, all);
    assert_eq!(page(&*store, "o", "n/", Some("o"), 9).await, []);
    assert_eq!(page(&*store, "o", "", None, 99).await.len(), names.len());
    assert_eq!(page(&*store, "o", "nothing", None, 9).await, []);
    assert_eq!(page(&*store, "o", &"x".repeat(70_000), None, 9).await, []);
}

pub async fn invariant_6_an_index_ends_where_anothers_begins(factory: &dyn Factory) {
    let store = factory.open(1);
    let mine = put("o", Kind::Campaign, "mine", Some("1"), &[("at", "x"), ("at", "y"), ("a", "x"), ("att", "x")]);
    let others = ["p", "oa", "o\u{0}", ""].map(|organization| put(organization, Kind::Campaign, "theirs", Some("1"), &[("at", "x1")]));
    let kind = put("o", Kind::Affiliate, "of another kind", Some("1"), &[("at", "x2")]);
    store.commit([vec![mine, kind], others.to_vec()].concat(), vec![]).await.unwrap();
    assert_eq!(page(&*store, "o", "", None, 99).await, pairs(&[("x", "mine"), ("y", "mine")]), "once for each name");
    assert_eq!(page(&*store, "oa", "", None, 99).await, pairs(&[("x1", "theirs")]));
    for nobody in ["O", "o\u{0}a", "oaa"] {
        assert_eq!(page(&*store, nobody, "", None, 99).await, []);
    }
    let found = store.named("o", Kind::Campaign, "a", "", None, 9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0.as_str(), found[0].1.json.as_str(), found[0].1.organization.as_str()), ("x", "1", "o"));
}

pub async fn an_index_follows_its_records(factory: &dyn Factory) {
    let store = factory.open(1);
    let write = |id: &str, json: Option<&str>, names: &[(&str, &str)]| put("o", Kind::Campaign, id, json, names);
    store.commit(vec![write("a", Some("1"), &[("at", "pending/a")]), write("b", Some("1"), &[("at", "pending/b")])], vec![]).await.unwrap();
    store.commit(vec![write("a", Some("2"), &[("at", "approved/a"), ("in", "x")])], vec![]).await.unwrap();
    assert_eq!(page(&*store, "o", "pending/", None, 9).await, pairs(&[("pending/b", "b")]));
    assert_eq!(page(&*store, "o", "", None, 9).await, pairs(&[("approved/a", "a"), ("pending/b", "b")]));
    // A name handed over in one commit, and a record deleted.
    store.commit(vec![write("a", Some("3"), &[]), write("c", Some("1"), &[("at", "approved/a")])], vec![]).await.unwrap();
    store.commit(vec![write("b", None, &[])], vec![]).await.unwrap();
    store.close().await.unwrap();
    let store = factory.open(2);
    assert_eq!(page(&*store, "o", "", None, 9).await, pairs(&[("approved/a", "c")]));
    assert_eq!(store.named("o", Kind::Campaign, "in", "", None, 9).await.unwrap(), vec![]);
}

pub async fn an_index_shows_records_as_they_are_while_they_change(factory: &dyn Factory) {
    const RECORDS: u32 = 20;
    let store = factory.open(1);
    let write = |n: u32, turn: u32| {
        let (still, moving) = (format!("still/{n:02}"), format!("moving/{}/{n:02}", (n + turn) % 2));
        // Longer than one row, so that it can be caught half-written.
        let json = format!("{}{}", (n + turn) % 2, " ".repeat(8_000 + (turn as usize % 190)));
        put(
            "o",
            Kind::Campaign,
            &format!("cmp_{n:02}"),
            Some(&json),
            &[("at", &still), ("at", &moving), ("long", &"l".repeat(n as usize + 500))],
        )
    };
    store.commit((0..RECORDS).map(|n| write(n, 0)).collect(), vec![]).await.unwrap();
    let writer = {
        let store = store.clone();
        let turns: Vec<Vec<Put>> = (1..60).map(|turn| (0..RECORDS).map(|n| write(n, turn)).collect()).collect();
        tokio::spawn(async move {
            for puts in turns {
                store.commit(puts, vec![]).await.unwrap();
            }
        })
    };
    while !writer.is_finished() {
        assert_eq!(page(&*store, "o", "still/", None, 99).await.len(), RECORDS as usize, "a page is short only at the end");
        for side in ["0", "1"] {
            for (name, record) in store.named("o", Kind::Campaign, "at", &format!("moving/{side}/"), None, 99).await.unwrap() {
                assert!(record.json.starts_with(side), "{name} shows a record that is not there: {}", &record.json[..1]);
            }
        }
        assert_eq!(store.page("o", Kind::Campaign, None, 99).await.unwrap().len(), RECORDS as usize);
    }
    writer.await.unwrap();
}

pub async fn lanes_are_listed_and_counted_by_how_they_begin(factory: &dyn Factory) {
    let store = factory.open(1);
    let lanes = ["con_1", "con_2", "co", "whe_1", "con_1", "whe_1"];
    let new = |n: usize, lane: &str| NewJob { affiliate: "aff_1".into(), ..job(n as u64, "o", lane, &format!("{n}@x.example")) };
    store.commit(vec![], lanes.iter().enumerate().map(|(n, lane)| new(n, lane)).collect()).await.unwrap();
    store.commit(vec![], vec![job(9, "p", "con_9", "9@x.example")]).await.unwrap();
    for lane in ["con_1", "whe_1"] {
        let claim = claim(&*store, "w", 5, lane, 1).await.remove(0);
        store.finish(lane, claim.epoch, finished(&claim, JobState::Succeeded, 6)).await.unwrap();
    }
    let seen = |lanes: &str, lane: Option<&str>, affiliate: Option<&str>, state: Option<JobState>| {
        let (lane, affiliate) = (lane.map(str::to_owned), affiliate.map(str::to_owned));
        let filter = JobFilter { lanes: lanes.into(), lane, affiliate, state, campaign: None };
        let store = store.clone();
        async move {
            let jobs = store.jobs("o", &filter, None, 99).await.unwrap();
            jobs.iter().map(|job| job.new.id[23..].to_owned()).collect::<String>()
        }
    };
    for (lanes, wanted) in [("", "543210"), ("co", "4210"), ("con_", "410"), ("con_1", "40"), ("whe_", "53"), ("whf", ""), ("con_1x", "")] {
        assert_eq!(seen(lanes, None, None, None).await, wanted, "{lanes:?}");
        assert_eq!(seen(lanes, None, Some("aff_1"), None).await, wanted, "{lanes:?} by affiliate");
        let counts = store.counts("o", lanes, None).await.unwrap();
        assert_eq!((counts.pending + counts.succeeded) as usize, wanted.len(), "{lanes:?}: {counts:?}");
    }
    assert_eq!(seen("con_", None, None, Some(JobState::Succeeded)).await, "0");
    assert_eq!(seen("con_", None, Some("aff_1"), Some(JobState::Succeeded)).await, "0");
    assert_eq!(seen("con_", Some("con_2"), None, None).await, "1");
    assert_eq!(seen("con_", Some("whe_1"), None, None).await, "");
    assert_eq!(store.counts("o", "whe_", Some("con_1")).await.unwrap(), JobCounts::default());
    assert_eq!(store.counts("o", "whe_", None).await.unwrap(), JobCounts { pending: 1, succeeded: 1, ..JobCounts::default() });
}
