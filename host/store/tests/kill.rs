//! kill -9 under load: a child process works on a store and prints what was acknowledged; the parent kills it after a random number of
//! lines (also while it opens), opens the store itself, and looks whether everything acknowledged is there. The same store lives through
//! all rounds. `CRM_KILLS` sets the number of rounds, `CRM_SEED` the seed.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::{options, short};
use crm_store::conformance::{block_on, job, seed};
use crm_store::model::*;
use crm_store::sled_store::SledStore;
use crm_store::{Faults, Store};

const CHILD: &str = "CRM_KILL_CHILD";
const BUG: &str = "CRM_KILL_BUG";
const ROUND: &str = "CRM_KILL_ROUND";
const LANES: u64 = 4;

/// An acknowledgement is printed only after the store gave it, in one write, so that the pipe holds whole lines in order.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The parent is gone when this fails, and then nothing matters any more.
    drop(out.write_all(format!("@{line}\n").as_bytes()).and_then(|()| out.flush()));
}

/// The child's whole life. Does nothing unless it is the child.
#[test]
#[expect(clippy::disallowed_methods, reason = "a child is told by its environment that it is one")]
fn the_child() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let round: u64 = short(ROUND, 0).into();
    let faults = Faults { skip_flush: std::env::var(BUG).is_ok(), ..Faults::default() };
    let mut opening = options().with_faults(faults);
    opening.now = Some(round * 1_000_000);
    let store = SledStore::open(Path::new(&dir), opening).unwrap();
    block_on(work(store, round));
}

async fn work(store: Arc<SledStore>, round: u64) {
    let mut tasks = Vec::new();
    for client in 0..4u64 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0.. {
                let id = round * 1_000_000 + n * 4 + client;
                let new = job(id, "o", &format!("con_{}", id % LANES), &format!("{id}@x.example"));
                let name = new.id.clone();
                let record = RecordKey { organization: "o".into(), kind: Kind::Affiliate, id: format!("aff_{id}") };
                let put = Put { record, expect: Some(0), json: Some("1".into()), unique: vec![] };
                store.commit(vec![put], vec![new]).await.unwrap();
                say(&format!("enqueued {name} aff_{id}"));
            }
        }));
    }
    for _ in 0..3 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let wants: Vec<(String, u32)> = (0..LANES).map(|lane| (format!("con_{lane}"), 2)).collect();
            let now = round * 1_000_000 + 500_000;
            loop {
                for claim in store.claim("w", now, 30_000, &wants).await.unwrap() {
                    run(&*store, claim, now).await;
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn run(store: &dyn Store, claim: Claim, now: u64) {
    let id = claim.job.new.id.clone();
    let attempt = claim.job.attempts + 1;
    say(&format!("claimed {id} {attempt} {}", claim.steps.len()));
    let request = crm_contract::ports::ShownRequest { method: "PUT".into(), url: "u".into(), headers: vec![], body: None };
    let key = crm_contract::ports::StepKey { call: "save".into(), hash: "h".into(), occurrence: 0 };
    for number in 0..2 {
        let kept = KeptStep::Intent { key: key.clone(), request: request.clone(), at: now };
        store.step(&claim.lane, claim.epoch, &id, Step { attempt, number, kept }, number == 1).await.unwrap();
    }
    say(&format!("stepped {id} {attempt}"));
    let mut done = claim.job.clone();
    // Every third job needs two attempts.
    let again = attempt == 1 && id.ends_with(['0', '3', '6', '9']);
    (done.state, done.attempts, done.updated) = (if again { JobState::Retrying } else { JobState::Succeeded }, attempt, now);
    // The end is told of by another job, as a webhook would.
    let told = NewJob { id: format!("tell_{attempt}_{id}"), dedupe: format!("{id}/{attempt}"), ..job(0, "o", "whe_1", &id) };
    store.finish(&claim.lane, claim.epoch, Finish { job: done, attempt: None, known: None, jobs: vec![told] }).await.unwrap();
    say(&format!("{} {id} {attempt}", if again { "retrying" } else { "succeeded" }));
    if erasable(&id) {
        store.erase("o", std::slice::from_ref(&id), &[], vec![]).await.unwrap();
        say(&format!("erased {id}"));
    }
}

/// Jobs that are erased as soon as they have succeeded.
fn erasable(id: &str) -> bool {
    id.ends_with('5')
}

/// What was acknowledged so far, over all rounds.
#[derive(Default)]
struct Acked {
    jobs: BTreeSet<String>,
    records: BTreeSet<String>,
    succeeded: BTreeSet<String>,
    erased: BTreeSet<String>,
    /// Attempts that were handed out: each number once, over all rounds.
    attempts: BTreeSet<(String, String)>,
    /// Attempts whose steps are durable.
    steps: BTreeMap<String, BTreeSet<u32>>,
    wrong: Vec<String>,
}

impl Acked {
    /// Takes in what one child said, in the order in which it said it.
    fn hear(&mut self, lines: &[String]) -> usize {
        let mut running = BTreeSet::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["enqueued", id, record] => {
                    self.jobs.insert((*id).to_owned());
                    self.records.insert((*record).to_owned());
                }
                ["claimed", id, attempt, steps] => {
                    // Another worker may say its claim before this one says how the attempt before it ended, so that the order of lines
                    // proves nothing; but an attempt that is handed out twice is one job run by two.
                    let this = ((*id).to_owned(), (*attempt).to_owned());
                    if !self.attempts.insert(this.clone()) {
                        self.wrong.push(format!("attempt {attempt} of {id} was handed out twice"));
                    }
                    running.insert(this);
                    if self.succeeded.contains(*id) {
                        self.wrong.push(format!("{id} was claimed after it had succeeded"));
                    }
                    let acked = self.steps.get(*id).map_or(0, BTreeSet::len) * 2;
                    if steps.parse::<usize>().unwrap() < acked {
                        self.wrong.push(format!("{id} was claimed with {steps} steps, {acked} were acknowledged"));
                    }
                }
                ["stepped", id, attempt] => {
                    self.steps.entry((*id).to_owned()).or_default().insert(attempt.parse().unwrap());
                }
                ["succeeded", id, attempt] => {
                    running.remove(&((*id).to_owned(), (*attempt).to_owned()));
                    self.succeeded.insert((*id).to_owned());
                }
                ["retrying", id, attempt] => {
                    running.remove(&((*id).to_owned(), (*attempt).to_owned()));
                }
                ["erased", id] => {
                    self.erased.insert((*id).to_owned());
                }
                _ => panic!("the child said {line:?}"),
            }
        }
        running.len()
    }

    /// Looks whether it is all there.
    async fn check(&mut self, store: &dyn Store, in_flight: usize) {
        let interrupted = store.interrupted_at_open() as usize;
        // A claim may be on disk before it is said, but only as many as three workers can hold.
        if interrupted > in_flight + 3 * 2 * LANES as usize {
            self.wrong.push(format!("{interrupted} interrupted, {in_flight} were in flight"));
        }
        for id in &self.jobs {
            match store.job("o", id).await.unwrap() {
                // It may be erased and the child killed before it could say so; but not before it could say that it had succeeded.
                None if erasable(id) && self.succeeded.contains(id) => {}
                None => self.wrong.push(format!("{id} is lost")),
                Some(_) if self.erased.contains(id) => self.wrong.push(format!("{id} was erased and is there")),
                Some(job) if self.succeeded.contains(id) && job.state != JobState::Succeeded => {
                    self.wrong.push(format!("{id} succeeded and is {:?}", job.state));
                }
                Some(job) => self.wrong.extend(told(store, &job).await),
            }
        }
        for id in &self.records {
            let key = RecordKey { organization: "o".into(), kind: Kind::Affiliate, id: id.clone() };
            if store.get(&key).await.unwrap().is_none() {
                self.wrong.push(format!("the record {id} is lost"));
            }
        }
        for (id, attempts) in &self.steps {
            let kept: BTreeSet<(u32, u32)> = store.steps("o", id).await.unwrap().iter().map(|step| (step.attempt, step.number)).collect();
            let gone = erasable(id) && self.succeeded.contains(id);
            if !gone && attempts.iter().any(|attempt| !kept.contains(&(*attempt, 0)) || !kept.contains(&(*attempt, 1))) {
                self.wrong.push(format!("steps of {id} are lost"));
            }
        }
        let counts = store.counts("o", "", None).await.unwrap();
        let erasable = self.succeeded.iter().filter(|id| erasable(id)).count();
        if counts.running != 0 || (counts.succeeded as usize) < self.succeeded.len() - erasable {
            self.wrong.push(format!("the counts are {counts:?}"));
        }
    }
}

/// Every attempt that ended brought its job, and none that was cut off did.
async fn told(store: &dyn Store, job: &Job) -> Option<String> {
    let id = &job.new.id;
    let interrupted: BTreeSet<u32> = store.attempts("o", id).await.unwrap().iter().map(|attempt| attempt.number).collect();
    for attempt in 1..=job.attempts + 1 {
        let told = store.job("o", &format!("tell_{attempt}_{id}")).await.unwrap().is_some();
        if told != (attempt <= job.attempts && !interrupted.contains(&attempt)) {
            return Some(format!("the end of attempt {attempt} of {id} and the job it brings are not of one piece"));
        }
    }
    None
}

/// Lets a child work until it has said `lines` lines, kills it, and answers all it said.
fn child(dir: &Path, round: u32, lines: usize, bug: bool) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_child", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, dir).env(ROUND, (round + 1).to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
    if bug {
        command.env(BUG, "1");
    }
    let mut child = command.spawn().unwrap();
    let mut said = Vec::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut killed = false;
    if lines == 0 {
        child.kill().unwrap();
        killed = true;
    }
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        // A line that the kill cut is no acknowledgement.
        if let Some(at) = line.find('@').filter(|_| line.ends_with('\n')) {
            said.push(line[at + 1..].trim_end().to_owned());
        }
        line.clear();
        if said.len() >= lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself");
    said
}

fn rounds(rounds: u32, seed: u64, bug: bool) -> Acked {
    let dir = tempfile::tempdir().unwrap();
    let mut acked = Acked::default();
    let mut random = seed | 1;
    for round in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Now and then the kill comes while the store opens.
        let lines = if random.is_multiple_of(10) { 0 } else { (random / 16 % 400) as usize };
        let said = child(dir.path(), round, lines, bug);
        let in_flight = acked.hear(&said);
        let mut opening = options();
        opening.now = Some(u64::from(round + 1) * 1_000_000 + 900_000);
        let store = SledStore::open(dir.path(), opening).unwrap();
        block_on(acked.check(&*store, in_flight));
        block_on(store.close()).unwrap();
        if !acked.wrong.is_empty() {
            break;
        }
    }
    acked
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged_and_runs_nothing_twice() {
    let seed = seed();
    let acked = rounds(short("CRM_KILLS", 20), seed, false);
    assert!(acked.wrong.is_empty(), "CRM_SEED={seed}: {:#?}", &acked.wrong[..acked.wrong.len().min(20)]);
    assert!(acked.succeeded.len() > 50, "CRM_SEED={seed}: the children did next to nothing ({})", acked.succeeded.len());
}

#[test]
fn a_skipped_flush_is_noticed_by_the_kills() {
    assert!(!rounds(10, 4711, true).wrong.is_empty());
}
