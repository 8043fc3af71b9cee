//! Null controls: each checker is shown to fail on a planted bug, and to pass without it. A checker that cannot fail proves nothing.

mod common;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use common::{SledFactory, options, short};
use crm_store::conformance::{block_on, first_difference, job};
use crm_store::model::*;
use crm_store::sled_store::SledStore;
use crm_store::{Faults, Store, StoreError};
use tempfile::TempDir;

const SEED: u64 = 4711;

#[test]
fn histories_notice_a_skipped_fence() {
    let bug = || SledFactory::with(Faults { skip_fence: true, ..Faults::default() });
    assert!(first_difference(200, 60, SEED, bug).is_some());
}

#[test]
fn histories_notice_a_double_claim() {
    let bug = || SledFactory::with(Faults { double_claim: true, ..Faults::default() });
    assert!(first_difference(200, 60, SEED, bug).is_some());
}

/// A store whose committer stops after the batch is applied, before it is synced, until told to go on.
fn stopping(faults: Faults) -> (TempDir, Arc<SledStore>, Receiver<()>, std::sync::mpsc::Sender<()>) {
    let dir = tempfile::tempdir().unwrap();
    let (applied, seen) = channel();
    let (go, wait) = channel::<()>();
    let gate = Mutex::new((applied, wait, false));
    let armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let hook_armed = armed.clone();
    let before_sync = move || {
        if hook_armed.load(std::sync::atomic::Ordering::SeqCst) {
            let gate = gate.lock().unwrap();
            gate.0.send(()).unwrap();
            // The test is over when the other end is gone.
            gate.1.recv().ok();
        }
    };
    let faults = Faults { before_sync: Some(Arc::new(before_sync)), ..faults };
    let store = SledStore::open(dir.path(), options().with_faults(faults)).unwrap();
    armed.store(true, std::sync::atomic::Ordering::SeqCst);
    (dir, store, seen, go)
}

fn once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn doc() -> RecordKey {
    RecordKey { organization: "o".into(), kind: Kind::Campaign, id: "a".into() }
}

fn put() -> Put {
    Put { record: doc(), expect: None, json: Some("1".into()), unique: vec![("n".into(), "x".into())] }
}

/// Whether an acknowledgement came before the sync, and whether a reader saw the write before it.
fn early(faults: Faults) -> (bool, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (_dir, store, applied, go) = stopping(faults);
        let mut commit = pin!(store.commit(vec![put()], vec![job(1, "o", "con_1", "a@x.example")]));
        assert!(once(commit.as_mut()).is_pending(), "queued");
        applied.recv().unwrap();
        let acked = once(commit.as_mut()).is_ready();
        let key = doc();
        let mut get = pin!(store.get(&key));
        let mut find = pin!(store.find("o", Kind::Campaign, "n", "x"));
        let mut named = pin!(store.named("o", Kind::Campaign, "n", "", None, 9));
        assert!(once(named.as_mut()).is_pending(), "read on another thread");
        // There is one such thread: what it was given first is done.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        let mut job = pin!(store.job("o", "job_00000000000000000001"));
        let shown = matches!(once(get.as_mut()), Poll::Ready(Ok(Some(_))))
            || matches!(once(find.as_mut()), Poll::Ready(Ok(Some(_))))
            || matches!(once(job.as_mut()), Poll::Ready(Ok(Some(_))))
            || matches!(once(named.as_mut()), Poll::Ready(Ok(page)) if !page.is_empty())
            || !store.ready(u64::MAX, 9).is_empty()
            || store.counts("o", "", None).await.unwrap() != JobCounts::default();
        go.send(()).unwrap();
        drop(go);
        if !acked {
            commit.await.unwrap();
        }
        assert!(store.get(&doc()).await.unwrap().is_some());
        (acked, shown)
    })
}

#[test]
fn nothing_is_acknowledged_or_shown_before_it_is_synced() {
    assert_eq!(early(Faults::default()), (false, false));
}

#[test]
fn an_acknowledgement_before_the_flush_is_noticed() {
    assert!(early(Faults { ack_before_flush: true, ..Faults::default() }).0);
}

#[test]
fn a_read_of_an_unsynced_write_is_noticed() {
    assert!(early(Faults { read_unsynced: true, ..Faults::default() }).1);
}

/// What the disk surely holds: the files as they were at the last sync, or a torn mixture with what came after.
#[derive(Default)]
struct Platter {
    synced: Vec<u8>,
    conf: Vec<u8>,
    torn: Vec<u8>,
    random: u64,
}

impl Platter {
    fn next(&mut self) -> u64 {
        // xorshift: repeatable, and random enough to tear sectors.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// The write under way reached the disk in part: any 512-byte sector may be old or new.
    fn tear(&mut self, data: &Path) {
        let now = fs::read(data.join("db")).unwrap();
        let mut torn = self.synced.clone();
        torn.resize(now.len(), 0);
        for (at, sector) in now.chunks(512).enumerate() {
            if self.next().is_multiple_of(2) {
                torn[at * 512..at * 512 + sector.len()].copy_from_slice(sector);
            }
        }
        self.torn = torn;
    }

    fn lay_out(&self, db: &[u8]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/conf"), &self.conf).unwrap();
        if !db.is_empty() {
            fs::write(dir.path().join("data/db"), db).unwrap();
        }
        dir
    }
}

/// Cuts the power after a random number of acknowledged jobs, several times. Answers what was lost.
fn power_cuts(faults: &Faults, rounds: u32, seed: u64) -> Vec<String> {
    let mut lost = Vec::new();
    for round in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        let platter = Arc::new(Mutex::new(Platter { random: seed ^ u64::from(round + 1), ..Platter::default() }));
        let data: PathBuf = dir.path().join("data");
        let (on_sync, before_sync) = (platter.clone(), platter.clone());
        let faults = Faults {
            on_sync: Some(Arc::new(move |data: &Path| {
                let mut platter = on_sync.lock().unwrap();
                platter.synced = fs::read(data.join("db")).unwrap();
                platter.conf = fs::read(data.join("conf")).unwrap();
            })),
            before_sync: Some(Arc::new(move || before_sync.lock().unwrap().tear(&data))),
            ..faults.clone()
        };
        let store = SledStore::open(dir.path(), options().with_faults(faults)).unwrap();
        let cut = 1 + platter.lock().unwrap().next() % 40;
        let acked = block_on(async {
            let mut acked = Vec::new();
            for n in 0..cut {
                let mut new = job(n, "o", "con_1", &format!("{n}@x.example"));
                new.who.company = Some("c".repeat((n as usize * 997) % 9000));
                store.commit(vec![], vec![new.clone()]).await.unwrap();
                acked.push(new);
            }
            acked
        });
        let platter = platter.lock().unwrap();
        // The last write is whole in `synced`; in `torn` it may be half there, and all before it must be.
        for (what, db, whole) in [("cut", &platter.synced, acked.len()), ("torn", &platter.torn, acked.len().saturating_sub(1))] {
            let image = platter.lay_out(db);
            let opened = SledStore::open(image.path(), options());
            let Ok(opened) = opened else {
                lost.push(format!("round {round}, {what}: cannot be opened"));
                continue;
            };
            for wanted in acked.iter().take(whole) {
                let found = block_on(opened.job("o", &wanted.id));
                if !matches!(&found, Ok(Some(job)) if job.new == *wanted) {
                    lost.push(format!("round {round}, {what}: {} of {whole} is {found:?}", wanted.id));
                    break;
                }
            }
        }
    }
    lost
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let lost = power_cuts(&Faults::default(), short("CRM_CUTS", 12), SEED);
    assert!(lost.is_empty(), "seed {SEED}: {lost:#?}");
}

#[test]
fn a_skipped_fsync_is_noticed_by_the_power_cut() {
    assert!(!power_cuts(&Faults { skip_fsync: true, ..Faults::default() }, 2, SEED).is_empty());
}

#[test]
fn an_io_error_is_final() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults { fail_after: Some(3), ..Faults::default() };
        let store = SledStore::open(dir.path(), options().with_faults(faults)).unwrap();
        let mut acked = Vec::new();
        let broken = loop {
            let n = acked.len() as u64;
            match store.commit(vec![], vec![job(n, "o", "con_1", &format!("{n}@x.example"))]).await {
                Ok(_) => acked.push(n),
                Err(error) => break error,
            }
        };
        assert!(matches!(broken, StoreError::Broken(_)), "{broken}");
        assert!(matches!(store.health(), Err(StoreError::Broken(_))));
        assert!(matches!(store.get(&doc()).await, Err(StoreError::Broken(_))));
        assert!(matches!(store.claim("w", 5, 10, &[("con_1".into(), 1)]).await, Err(StoreError::Broken(_))));
        assert!(matches!(store.close().await, Err(StoreError::Broken(_))));
        assert!(store.ready(u64::MAX, 9).is_empty());
        // What was acknowledged is there, in a process of its own: the files are still held here.
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("data")).unwrap();
        for name in ["conf", "db"] {
            fs::copy(dir.path().join("data").join(name), copy.path().join("data").join(name)).unwrap();
        }
        let again = SledStore::open(copy.path(), options()).unwrap();
        assert_eq!(again.counts("o", "", None).await.unwrap().pending, acked.len() as u64);
    });
}
