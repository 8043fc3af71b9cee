//! Opening: locks, damaged files, full disks, other keys, retention, export and import.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;

use common::{SledFactory, options};
use crm_contract::ports::CredentialError;
use crm_contract::types::{Invocation, Job as GuestJob, Known};
use crm_store::admin::import;
use crm_store::conformance::{Factory, block_on, job};
use crm_store::model::*;
use crm_store::sled_store::SledStore;
use crm_store::{MasterKey, SpaceGate, Store, StoreError, Whose};

fn put(id: &str, json: &str) -> Put {
    let record = RecordKey { organization: "o".into(), kind: Kind::Campaign, id: id.into() };
    Put { record, expect: None, json: Some(json.into()), unique: vec![("n".into(), id.into())] }
}

fn whose() -> Whose {
    Whose { organization: "o".into(), connection: "con_1".into(), connector: "acme".into(), host: String::new() }
}

/// Damages the engine's directory; told its newest snapshot.
type Damage = fn(&std::path::Path, Option<std::path::PathBuf>);

/// Something of every table.
async fn furnish(store: &dyn Store) {
    let jobs = (0..8).map(|n| job(n, "o", "con_1", &format!("{n}@x.example"))).collect();
    store.commit(vec![put("a", "{}"), put("b", "[1]")], jobs).await.unwrap();
    store.commit(vec![], vec![job(20, "p", "con_2", "p@x.example")]).await.unwrap();
    store.seal(&whose(), BTreeMap::from([("key".to_owned(), "s3cret-canary".to_owned())])).await.unwrap();
    let claims = store.claim("w", 5, 1000, &[("con_1".into(), 5)]).await.unwrap();
    for (claim, state) in claims.iter().zip([JobState::Succeeded, JobState::Failed, JobState::Retrying, JobState::Waiting]) {
        let mut done = claim.job.clone();
        (done.state, done.attempts, done.due, done.updated) = (state, 1, 50, 6);
        done.new.who.company = Some("c".repeat(20_000));
        let step = Step {
            attempt: 1,
            number: 0,
            kept: KeptStep::Intent {
                key: crm_contract::ports::StepKey { call: "save".into(), hash: "h".into(), occurrence: 0 },
                request: crm_contract::ports::ShownRequest {
                    method: "POST".into(),
                    url: "u".into(),
                    headers: vec![],
                    body: Some("b".repeat(9_000)),
                },
                at: 5,
            },
        };
        store.step("con_1", claim.epoch, &claim.job.new.id, step, false).await.unwrap();
        let attempt = Attempt {
            job: claim.job.new.id.clone(),
            number: 1,
            connector: "acme".into(),
            version: "1".into(),
            digest: crm_contract::ports::Digest("d".into()),
            started: 5,
            ended: 6,
            outcome: Outcome::Interrupted,
            log: vec!["l".into()],
            asked: Some(Box::new(Asked::new(Invocation::UntagContact { job: GuestJob::default() }))),
        };
        let finish = Finish {
            job: done,
            attempt: Some(attempt),
            known: Some(Known { contact_id: Some("7".into()), ..Known::default() }),
            jobs: Vec::new(),
        };
        store.finish("con_1", claim.epoch, finish).await.unwrap();
    }
    // A wish behind a running job.
    let mut newer = job(30, "o", "con_1", "4@x.example");
    newer.set = vec!["newer".into()];
    store.commit(vec![], vec![newer]).await.unwrap();
    store.park("con_2", true, 7).await.unwrap();
}

/// All that a merchant can see.
async fn seen(store: &dyn Store) -> Vec<String> {
    let mut lines = Vec::new();
    for organization in ["o", "p"] {
        lines.push(format!("{:?}", store.page(organization, Kind::Campaign, None, 99).await.unwrap()));
        lines.push(format!("{:?}", store.find(organization, Kind::Campaign, "n", "b").await.unwrap()));
        lines.push(format!("{:?}", store.counts(organization, "", None).await.unwrap()));
        let by = JobFilter { affiliate: Some("aff_1@x.example".into()), ..JobFilter::default() };
        lines.push(format!("{:?}", store.jobs(organization, &by, None, 99).await.unwrap().len()));
        for job in store.jobs(organization, &JobFilter::default(), None, 99).await.unwrap() {
            let id = job.new.id.clone();
            lines.push(format!("{job:?} {:?}", store.attempts(organization, &id).await.unwrap()));
            lines.push(format!("{:?}", store.steps(organization, &id).await.unwrap()));
            lines.push(format!("{:?}", store.contact(&job.new.lane, &job.new.who.email).await.unwrap()));
        }
    }
    lines.push(format!("{:?} {:?}", store.ready(u64::MAX, 9), store.next_due()));
    let open = store.credentials(&whose()).unseal().await;
    lines.push(format!("{:?}", open.ok().and_then(|secrets| secrets.get("key").map(str::to_owned))));
    lines
}

#[test]
fn a_second_opener_is_told_in_plain_words() {
    let factory = SledFactory::new();
    let _held = factory.open_sled(1);
    match SledStore::open(factory.path(), options()) {
        Err(StoreError::Locked(words)) => {
            assert!(words.contains("in use by another running host") && words.contains(&std::process::id().to_string()), "{words}");
        }
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn damaged_files_that_are_known_to_be_repairable_are_repaired() {
    let snapshot = |data: &std::path::Path| {
        let names = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap.")).max()
    };
    let damages: [(&str, Damage); 6] = [
        ("a half-written snapshot", |data, _| fs::write(data.join("snap.00000000000FFFFF.generating"), b"half").unwrap()),
        ("a cut settings file", |data, _| fs::write(data.join("conf"), b"segment_size: 5242").unwrap()),
        ("an empty settings file", |data, _| fs::write(data.join("conf"), b"").unwrap()),
        ("no settings file", |data, _| fs::remove_file(data.join("conf")).unwrap()),
        ("a cut snapshot", |data, snap| fs::write(snap.unwrap_or_else(|| data.join("snap.0000000000000001")), b"cut").unwrap()),
        ("garbage for a snapshot", |data, snap| {
            fs::write(snap.unwrap_or_else(|| data.join("snap.0000000000000001")), [0x5a; 900]).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let factory = SledFactory::new();
        block_on(async {
            let store = factory.open(1);
            furnish(&*store).await;
            store.close().await.unwrap();
            let before = {
                let store = factory.open(100);
                let before = seen(&*store).await;
                store.close().await.unwrap();
                before
            };
            damage(&factory.data(), snapshot(&factory.data()));
            let store = factory.open(100);
            assert_eq!(seen(&*store).await, before, "{what}");
            store.close().await.unwrap();
        });
    }
}

#[test]
fn a_destroyed_log_is_refused_with_advice_and_kept_aside() {
    let factory = SledFactory::new();
    block_on(async {
        let store = factory.open(1);
        for n in 0..200 {
            let mut new = job(n, "o", "con_1", &format!("{n}@x.example"));
            new.who.company = Some("c".repeat(5_000));
            store.commit(vec![], vec![new]).await.unwrap();
        }
        store.close().await.unwrap();
    });
    let db = factory.data().join("db");
    let mut bytes = fs::read(&db).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 4096].fill(0xff);
    fs::write(&db, &bytes).unwrap();
    match SledStore::open(factory.path(), options()) {
        // Either it cannot be opened, and says what to do.
        Err(StoreError::Unusable(words)) => assert!(words.contains("export"), "{words}"),
        Err(other) => panic!("{other}"),
        // Or the engine found the hole bearable, and every row that is left is whole.
        Ok(store) => assert!(block_on(store.scan()).is_ok()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the bare engine is what ours is compared with")]
#[test]
fn the_settings_file_is_what_the_engine_writes() {
    let ours = SledFactory::new();
    block_on(ours.open_sled(1).close()).unwrap();
    let theirs = tempfile::tempdir().unwrap();
    drop(::sled::Config::default().path(theirs.path()).mode(::sled::Mode::HighThroughput).use_compression(false).open().unwrap());
    assert_eq!(fs::read(ours.data().join("conf")).unwrap(), fs::read(theirs.path().join("conf")).unwrap());
    assert_eq!(fs::read_dir(ours.data().join("blobs")).unwrap().count(), 0);
}

#[test]
fn too_little_space_refuses_new_work_and_lets_progress_through() {
    block_on(async {
        let factory = SledFactory::new();
        let store = factory.open_sled(1);
        store.commit(vec![put("a", "1")], vec![job(1, "o", "con_1", "a@x.example")]).await.unwrap();
        store.set_free_space_gate(SpaceGate::Bytes(u64::MAX));
        let refused = store.commit(vec![], vec![job(2, "o", "con_1", "b@x.example")]).await;
        assert!(matches!(refused, Err(StoreError::NoSpace { .. })), "{refused:?}");
        let created = Put { expect: Some(0), ..put("c", "1") };
        assert!(matches!(store.commit(vec![created], vec![]).await, Err(StoreError::NoSpace { .. })));
        assert!(matches!(store.health(), Err(StoreError::NoSpace { .. })));
        // A change, a claim, a step and an end are progress.
        store.commit(vec![put("a", "2")], vec![]).await.unwrap();
        let claim = store.claim("w", 5, 1000, &[("con_1".into(), 1)]).await.unwrap().remove(0);
        let mut done = claim.job.clone();
        done.state = JobState::Succeeded;
        store.finish("con_1", claim.epoch, Finish { job: done, attempt: None, known: None, jobs: Vec::new() }).await.unwrap();
        store.set_free_space_gate(SpaceGate::Bytes(0));
        store.commit(vec![], vec![job(2, "o", "con_1", "b@x.example")]).await.unwrap();
        assert_eq!(store.health(), Ok(()));
    });
}

#[test]
fn a_ballast_file_is_kept_and_really_takes_its_space() {
    use std::os::unix::fs::MetadataExt;
    let factory = SledFactory::new();
    let mut with_ballast = options();
    with_ballast.ballast_bytes = 1024 * 1024;
    let store = SledStore::open(factory.path(), with_ballast).unwrap();
    let ballast = fs::metadata(factory.path().join("ballast")).unwrap();
    assert!(ballast.len() == 1024 * 1024 && ballast.blocks() * 512 >= 1024 * 1024);
    block_on(store.close()).unwrap();
}

#[test]
fn another_master_key_is_refused_at_open_and_opens_nothing_when_accepted() {
    block_on(async {
        let factory = SledFactory::new();
        let store = factory.open(1);
        furnish(&*store).await;
        store.close().await.unwrap();
        let foreign = || {
            let mut options = options();
            options.key = MasterKey::from_bytes([8; 32]);
            options
        };
        match SledStore::open(factory.path(), foreign()) {
            Err(StoreError::Unusable(words)) => assert!(words.contains("master key"), "{words}"),
            other => panic!("{:?}", other.err()),
        }
        let mut accepting = foreign();
        accepting.accept_foreign_key = true;
        let store = SledStore::open(factory.path(), accepting).unwrap();
        assert_eq!(store.credentials(&whose()).unseal().await.err(), Some(CredentialError::Unopenable));
        store.close().await.unwrap();
        let mut ring = options();
        ring.key = MasterKey::from_bytes([8; 32]).with_older(MasterKey::from_bytes([7; 32]));
        let store = SledStore::open(factory.path(), ring).unwrap();
        assert!(store.credentials(&whose()).unseal().await.is_ok());
        store.close().await.unwrap();
    });
}

#[test]
fn no_secret_is_in_any_file_of_the_store_or_its_export() {
    block_on(async {
        let factory = SledFactory::new();
        let store = factory.open_sled(1);
        furnish(&*store).await;
        let mut export = Vec::new();
        store.export(&mut export).unwrap();
        store.close().await.unwrap();
        let holds = |bytes: &[u8]| bytes.windows(13).any(|window| window == b"s3cret-canary");
        assert!(!holds(&export));
        for path in ["data/db", "data/conf", "lock"] {
            assert!(!holds(&fs::read(factory.path().join(path)).unwrap()), "{path}");
        }
    });
}

#[test]
fn old_finished_jobs_are_let_go_with_all_that_hangs_on_them() {
    block_on(async {
        let factory = SledFactory::new();
        let store = factory.open_sled(1);
        furnish(&*store).await;
        let before = store.scan().await.unwrap();
        assert_eq!(store.expire(6).await.unwrap(), 0, "finished at 6 is not before 6");
        assert_eq!(store.expire(1000).await.unwrap(), 2);
        assert_eq!(store.expire(1000).await.unwrap(), 0);
        assert_eq!(
            store.counts("o", "", None).await.unwrap(),
            JobCounts { pending: 3, running: 1, waiting: 1, retrying: 1, ..JobCounts::default() }
        );
        assert!(store.scan().await.unwrap() < before);
        assert_eq!(store.attempts("o", "job_00000000000000000000").await.unwrap(), vec![]);
        let mut export = Vec::new();
        store.export(&mut export).unwrap();
        let text = String::from_utf8(export).unwrap();
        assert!(!text.contains("\"id\":\"job_00000000000000000000\"") && !text.contains("\"job\":\"job_00000000000000000001\""));
        store.close().await.unwrap();
    });
}

#[test]
fn an_export_comes_back_as_the_same_store() {
    block_on(async {
        let factory = SledFactory::new();
        let store = factory.open_sled(1);
        furnish(&*store).await;
        let mut export = Vec::new();
        let rows = store.export(&mut export).unwrap();
        let before = seen(&*store).await;
        store.close().await.unwrap();
        let into = tempfile::tempdir().unwrap();
        let dir = into.path().join("store");
        assert_eq!(import(&dir, Cursor::new(&export)).unwrap(), rows);
        // Opening interrupts what was running, there and here.
        let (here, there) = (
            factory.open_sled(9),
            SledStore::open(&dir, {
                let mut o = options();
                o.now = Some(9);
                o
            })
            .unwrap(),
        );
        assert_eq!((here.interrupted_at_open(), there.interrupted_at_open()), (1, 1));
        assert_eq!(seen(&*here).await, seen(&*there).await);
        assert_ne!(seen(&*here).await, before);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        here.export(&mut a).unwrap();
        there.export(&mut b).unwrap();
        assert_eq!(String::from_utf8(a).unwrap(), String::from_utf8(b).unwrap());
        assert!(matches!(import(&dir, Cursor::new(&export)), Err(StoreError::Unusable(_))), "not over an existing store");
    });
}

#[test]
fn a_cut_or_changed_export_is_refused_naming_the_line() {
    let factory = SledFactory::new();
    let store = factory.open_sled(1);
    let mut export = Vec::new();
    block_on(furnish(&*store));
    store.export(&mut export).unwrap();
    let lines: Vec<&[u8]> = export.split_inclusive(|byte| *byte == b'\n').collect();
    let refused = |bytes: Vec<u8>| {
        let into = tempfile::tempdir().unwrap();
        let dir = into.path().join("store");
        let words = match import(&dir, Cursor::new(bytes)) {
            Err(StoreError::Unusable(words)) => words,
            other => panic!("{other:?}"),
        };
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0, "nothing is left: {words}");
        words
    };
    for at in 0..lines.len() {
        let named = format!("line {} ", at + 1);
        // Cut before this line.
        assert!(refused(lines[..at].concat()).contains(&named));
        // One byte of it changed.
        let mut changed = lines.iter().map(|line| line.to_vec()).collect::<Vec<_>>();
        let middle = changed[at].len() / 2;
        changed[at][middle] ^= 1;
        assert!(refused(changed.concat()).contains(&named));
        // It is left out.
        let left_out: Vec<u8> = lines.iter().enumerate().filter(|(n, _)| *n != at).flat_map(|(_, line)| line.to_vec()).collect();
        assert!(refused(left_out).contains(&named));
    }
    let more = [export.as_slice(), b"{}\n"].concat();
    assert!(refused(more).contains(&format!("line {} ", lines.len() + 1)));
}
