//! The engine as these tests use it: the product's limits, and a child process that compiles.
#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

pub mod made;

use std::path::PathBuf;
use std::sync::Arc;

use crm_contract::ports::{Digest, GuestFault, GuestLog, Guests, Outbound};
use crm_contract::types::{Answer, Ending, Error, Invocation, Report};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use crm_guests::doubles::{Lines, World};
use tokio::sync::OnceCell;

pub fn config() -> EngineConfig {
    EngineConfig {
        cache_dir: None,
        cache_key: [7; 32],
        compiler: Compiler::Child { program: PathBuf::from(env!("CARGO_BIN_EXE_crm-guests-compile-worker")), args: vec![] },
        limits: Limits::default(),
        wasi_allowed: ["wasi", "wasip2", "wasip2-net"].map(String::from).into(),
    }
}

pub fn engine(config: EngineConfig) -> Arc<Engine> {
    Engine::new(config).unwrap_or_else(|e| panic!("{e}"))
}

/// One engine per test binary with one guest in it.
pub struct Shared {
    guest: &'static str,
    cell: OnceCell<(Arc<Engine>, Digest)>,
}

impl Shared {
    pub const fn new(guest: &'static str) -> Self {
        Self { guest, cell: OnceCell::const_new() }
    }

    pub async fn get(&self) -> (Arc<Engine>, Digest) {
        let make = async || {
            let engine = engine(config());
            let digest = load(&engine, self.guest).await;
            (engine, digest)
        };
        self.cell.get_or_init(make).await.clone()
    }

    pub async fn call(&self, invocation: Invocation, world: Arc<dyn Outbound>) -> Result<Answer, GuestFault> {
        let (engine, digest) = self.get().await;
        call(&engine, &digest, invocation, world).await
    }
}

pub async fn load(engine: &Engine, guest: &str) -> Digest {
    engine.load(crm_guests::guest(guest)).await.unwrap_or_else(|e| panic!("{guest}: {e}"))
}

pub async fn call(engine: &Engine, digest: &Digest, invocation: Invocation, world: Arc<dyn Outbound>) -> Result<Answer, GuestFault> {
    engine.call(digest, invocation, world, Lines::new()).await
}

pub async fn call_logged(engine: &Engine, digest: &Digest, invocation: Invocation, log: Arc<dyn GuestLog>) -> Result<Answer, GuestFault> {
    engine.call(digest, invocation, World::refuses(), log).await
}

pub fn report(answer: Result<Answer, GuestFault>) -> Report {
    match answer {
        Ok(Answer::Report(report)) => report,
        other => panic!("no report: {other:?}"),
    }
}

pub fn failure(answer: Result<Answer, GuestFault>) -> Error {
    match report(answer).ending {
        Ending::Failed(error) => error,
        other => panic!("did not fail: {other:?}"),
    }
}

pub fn memo(answer: Result<Answer, GuestFault>) -> String {
    report(answer).known.memo.unwrap_or_default()
}
