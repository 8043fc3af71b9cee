//! Prove, then swap: what a load changes, what it leaves alone, and what runs on.

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::{call, config, engine, load, report};
use crm_contract::ports::{Digest, Guests, Outbound};
use crm_contract::types::{Request, Response, Unanswered};
use crm_engine::{Compiler, EngineConfig, LoadError};
use crm_guests::doubles::{World, sync};
use tokio::sync::{Notify, Semaphore};

/// The guest `synthetic` under another version number: another file, hence another digest.
fn version(number: &str) -> Vec<u8> {
    let manifest = crm_guests::manifest("synthetic").unwrap_or_else(|e| panic!("{e:#}"));
    let manifest = manifest.replacen("version = \"0.1.0\"", &format!("version = \"{number}\""), 1);
    crm_catalog::section::embed(&crm_guests::guest("synthetic"), &manifest, "0.1.0").unwrap_or_else(|e| panic!("{e}"))
}

fn in_process() -> EngineConfig {
    EngineConfig { compiler: Compiler::InProcess, ..config() }
}

/// Says that a call has come, and answers when allowed.
struct Gate {
    came: Notify,
    go: Semaphore,
}

#[async_trait]
impl Outbound for Gate {
    async fn send(&self, _request: Request) -> Result<Response, Unanswered> {
        self.came.notify_one();
        let pass = self.go.acquire().await;
        assert!(pass.is_ok());
        Ok(Response { status: 200, headers: vec![], body: b"id=1".to_vec() })
    }
}

#[tokio::test]
async fn proving_changes_nothing_and_activating_swaps() {
    let engine = engine(config());
    assert_eq!(engine.active("synthetic"), None);
    let proven = engine.prove(version("1.0.0")).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((engine.active("synthetic"), engine.loaded().len()), (None, 0));
    assert_eq!(proven.manifest().connector.version, "1.0.0");
    let digest = engine.activate(proven);
    assert_eq!(engine.active("synthetic").map(|(d, m)| (d, m.connector.version.clone())), Some((digest, "1.0.0".into())));
}

#[tokio::test]
async fn versions_live_side_by_side_and_roll_back_without_compiling() {
    let engine = engine(in_process());
    let old = engine.load(version("1.0.0")).await.unwrap_or_else(|e| panic!("{e}"));
    let new = engine.load(version("1.1.0")).await.unwrap_or_else(|e| panic!("{e}"));
    let loaded = |engine: &crm_engine::Engine| engine.loaded().into_iter().map(|(d, _)| d).collect::<Vec<_>>();
    assert_eq!(loaded(&engine), [old.clone(), new.clone()]);
    for digest in [&old, &new] {
        report(call(&engine, digest, sync("idle"), World::refuses()).await);
    }
    assert!(engine.reactivate(&old));
    assert_eq!(engine.active("synthetic").map(|a| a.0), Some(old.clone()));
    assert_eq!(loaded(&engine), [new.clone(), old.clone()]);
    assert!(!engine.unload(&old), "the active version stays");
    assert!(engine.unload(&new));
    assert!(!engine.unload(&new) && !engine.reactivate(&new));
    let gone = call(&engine, &new, sync("idle"), World::refuses()).await;
    assert!(matches!(gone, Err(crm_contract::ports::GuestFault::NotLoaded(d)) if d == new.0));
}

#[tokio::test]
async fn invariant_8_a_run_ends_on_the_version_on_which_it_began() {
    let engine = engine(in_process());
    let old = engine.load(version("1.0.0")).await.unwrap_or_else(|e| panic!("{e}"));
    let gate = Arc::new(Gate { came: Notify::new(), go: Semaphore::new(0) });
    let running = {
        let (engine, old, gate) = (engine.clone(), old.clone(), gate.clone());
        tokio::spawn(async move { call(&engine, &old, sync("well"), gate).await })
    };
    gate.came.notified().await;
    engine.load(version("1.1.0")).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(engine.unload(&old));
    assert_eq!(engine.manifest(&old), None);
    gate.go.add_permits(100);
    let ended = running.await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report(ended).known.contact_id.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_digest_is_blake3_of_the_file_and_loading_twice_is_loading_once() {
    let engine = engine(in_process());
    let file = crm_guests::guest("synthetic");
    let digest = load(&engine, "synthetic").await;
    assert_eq!(load(&engine, "synthetic").await, digest);
    assert_eq!(engine.loaded().len(), 1);
    assert_eq!(digest.0.len(), 64);
    let _: Digest = engine.load(file).await.unwrap_or_else(|e| panic!("{e}"));
}

#[tokio::test]
async fn a_missing_compile_worker_is_the_hosts_fault_and_is_said() {
    let compiler = Compiler::Child { program: "/nowhere/worker".into(), args: vec![] };
    let engine = engine(EngineConfig { compiler, ..config() });
    let Err(error) = engine.load(version("1.0.0")).await else { panic!("it loaded") };
    assert!(matches!(error, LoadError::Compile(crm_engine::CompileFault::Worker(_))), "{error}");
}

#[tokio::test]
async fn invariant_8_many_versions_swap_under_load_without_a_failed_run() {
    let engine = engine(in_process());
    engine.load(version("1.0.0")).await.unwrap_or_else(|e| panic!("{e}"));
    let runs = {
        let engine = engine.clone();
        tokio::spawn(async move {
            for _ in 0..200 {
                let (digest, _) = engine.active("synthetic").unwrap_or_else(|| panic!("none is active"));
                report(call(&engine, &digest, sync("well"), World::says("id=1")).await);
            }
        })
    };
    for i in 0..8 {
        let new = engine.load(version(&format!("1.0.{i}"))).await.unwrap_or_else(|e| panic!("{e}"));
        assert!(engine.load(vec![0; 100]).await.is_err());
        assert_eq!(engine.active("synthetic").map(|a| a.0), Some(new));
    }
    runs.await.unwrap_or_else(|e| panic!("{e}"));
}
