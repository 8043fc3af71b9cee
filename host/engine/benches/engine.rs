//! What a run costs: a fresh store and instance and one call of an export, with no call outwards and with one that is
//! answered from memory. Needs the finished guest `synthetic.wasm` (`cargo run -p crm-guests --bin crm-guests-build
//! synthetic` writes it) in `CRM_GUESTS_DIR` or in `guests` below the target directory. Must not measure egress.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use crm_contract::ports::{Digest, GuestLog, Guests, LogLevel, Outbound};
use crm_contract::types::{Answer, Connection, Ending, Invocation, Job, Pair, Person, Request, Response, Unanswered};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use tokio::runtime::Runtime;

struct InMemory;

#[async_trait]
impl Outbound for InMemory {
    async fn send(&self, _request: Request) -> Result<Response, Unanswered> {
        Ok(Response { status: 200, headers: vec![], body: b"id=1".to_vec() })
    }
}

impl GuestLog for InMemory {
    fn line(&self, _level: LogLevel, _text: &str) {}
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is told where its artefacts are")]
fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn guest() -> Vec<u8> {
    let target = env("CARGO_TARGET_DIR").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let dir = env("CRM_GUESTS_DIR").map_or_else(|| target.join("guests"), PathBuf::from);
    let path = dir.join("synthetic.wasm");
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; write it with `cargo run -p crm-guests --bin crm-guests-build synthetic`", path.display()))
}

/// A job of the usual size.
fn job(behave: &str) -> Invocation {
    let on = Connection {
        mode: "key".into(),
        settings: vec![Pair::new("behave", behave)],
        picked: vec![Pair::new("lists", "42")],
        facts: vec![Pair::new("list_name", "Main")],
        ..Connection::default()
    };
    let who = Person {
        email: "ann@example.com".into(),
        first: Some("Ann".into()),
        last: Some("Example".into()),
        full: Some("Ann Example".into()),
        approved_at: 1_790_000_000,
        ..Person::default()
    };
    let tags = vec!["Rekomi affiliate".to_owned(), "Spring campaign".to_owned()];
    Invocation::SyncContact { job: Job { on, who, set: tags.clone(), all: tags, ..Job::default() } }
}

fn run(runtime: &Runtime, engine: &Engine, digest: &Digest, job: Invocation, world: &Arc<InMemory>) {
    let answer = runtime.block_on(engine.call(digest, job, world.clone(), world.clone()));
    assert!(matches!(answer, Ok(Answer::Report(report)) if matches!(report.ending, Ending::Done(_))));
}

fn engine(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap_or_else(|e| panic!("{e}"));
    let config = EngineConfig {
        cache_dir: None,
        cache_key: [0; 32],
        compiler: Compiler::InProcess,
        limits: Limits::default(),
        wasi_allowed: std::collections::BTreeSet::new(),
    };
    let engine = Engine::new(config).unwrap_or_else(|e| panic!("{e}"));
    let digest = runtime.block_on(engine.load(guest())).unwrap_or_else(|e| panic!("{e}"));
    let world = Arc::new(InMemory);
    for (name, behave) in [("instantiate_and_call", "idle"), ("call_with_one_send", "one-call")] {
        c.bench_function(name, |b| {
            b.iter_batched(|| job(behave), |job| run(&runtime, &engine, &digest, job, &world), BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
