//! What a proof leaves behind when it succeeds, when it is given up, and when it is not asked for.

mod common;

use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{call, config, engine, report};
use crm_catalog::section::{PackedFixture, embed_fixtures};
use crm_conformance::Proving;
use crm_contract::ports::{GuestFault, Guests};
use crm_contract::versions::{ProofStage, Versions};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use crm_guests::doubles::{World, sync};
use serde_json::json;

const WORKER: &str = env!("CARGO_BIN_EXE_crm-guests-compile-worker");

fn fixture(name: &str, behave: &str) -> PackedFixture {
    let text = json!({
        "scenario": name.split('.').next(),
        "function": "sync-contact",
        "input": { "job": { "on": { "settings": [{ "key": "behave", "value": behave }] } } },
        "expect": { "known": { "tags": [] }, "done": { "change": "unchanged", "standing": "normal", "warnings": [] } },
        "provenance": { "kind": "recorded", "date": "2026-11-23" },
    });
    PackedFixture { name: name.to_owned(), text: text.to_string() }
}

fn packing(fixtures: &[PackedFixture]) -> Vec<u8> {
    embed_fixtures(&crm_guests::guest("hostile"), fixtures).unwrap_or_else(|e| panic!("{e}"))
}

fn proving(engine: &Arc<Engine>) -> Proving {
    Proving::over(engine.clone()).unwrap_or_else(|e| panic!("{e:#}"))
}

fn in_process() -> EngineConfig {
    EngineConfig { compiler: Compiler::InProcess, ..config() }
}

#[tokio::test]
async fn a_file_that_passes_its_fixtures_is_kept_and_not_yet_active() {
    let engine = engine(config());
    let versions = proving(&engine);
    let file = packing(&[fixture("sync-new.json", "nothing"), fixture("sync-new.twice.json", "remember-not")]);
    let proved = versions.prove(file.clone()).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((proved.fixtures, proved.wasi, proved.manifest.connector.slug.as_str()), (2, false, "hostile"));
    assert_eq!((engine.loaded().len(), engine.active("hostile")), (1, None));
    assert!(versions.activate(&proved.digest));
    // Once more: nothing new, and the same answer.
    assert_eq!(versions.prove(file).await.unwrap_or_else(|e| panic!("{e}")).digest, proved.digest);
    assert_eq!(engine.loaded().len(), 1);
    assert!(!versions.unload(&proved.digest), "it is active");
}

#[tokio::test]
async fn a_file_without_fixtures_is_taken_and_it_is_said_that_none_ran() {
    let engine = engine(in_process());
    let proved = proving(&engine).prove(crm_guests::guest("hostile")).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(proved.fixtures, 0);
}

#[tokio::test]
async fn loading_runs_no_fixtures_and_a_version_that_was_loaded_stays_when_its_proof_fails() {
    let engine = engine(in_process());
    let versions = proving(&engine);
    let bad = packing(&[fixture("sync-new.json", "panic")]);
    let loaded = versions.load(bad.clone()).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.fixtures, 0);
    let refused = versions.prove(bad).await.expect_err("it panics");
    assert_eq!(refused.stage, ProofStage::Smoke);
    assert!(engine.manifest(&loaded.digest).is_some());
    report(call(&engine, &loaded.digest, sync("nothing"), World::refuses()).await);
}

#[tokio::test]
async fn fixtures_that_take_too_long_together_are_refused_with_that_reason() {
    let engine = engine(in_process());
    let versions = proving(&engine).within(Duration::ZERO);
    let refused = versions.prove(packing(&[fixture("sync-new.json", "loop")])).await.expect_err("no time at all");
    assert_eq!((refused.stage, refused.hosts_fault), (ProofStage::Smoke, false));
    assert!(refused.why.contains("longer than 0 s; 0 of 1 had ended"), "{}", refused.why);
    assert_eq!(engine.loaded().len(), 0);
}

#[tokio::test]
async fn a_file_whose_every_fixture_loops_is_given_up_after_a_few() {
    let limits = Limits { cpu_step: Duration::from_millis(20), ..Limits::default() };
    let engine = engine(EngineConfig { limits, ..in_process() });
    let many: Vec<PackedFixture> = (0..100).map(|number| fixture(&format!("sync-new.n{number}.json"), "loop")).collect();
    let refused = proving(&engine).prove(packing(&many)).await.expect_err("they loop");
    assert!(refused.why.starts_with("it packs 100 fixtures and fails 5 of the first 5: "), "{}", refused.why);
}

#[tokio::test]
async fn a_host_without_a_free_place_says_so_and_blames_no_file() {
    let engine = engine(EngineConfig { limits: Limits { concurrent: 0, ..Limits::default() }, ..in_process() });
    let refused = proving(&engine).prove(packing(&[fixture("sync-new.json", "nothing")])).await.expect_err("no place");
    assert_eq!((refused.stage, refused.hosts_fault), (ProofStage::Host, true));
    assert_eq!(engine.loaded().len(), 0);
}

#[tokio::test]
async fn a_version_on_trial_can_be_called_is_listed_nowhere_and_goes_with_its_trial() {
    let engine = engine(in_process());
    let proven = engine.prove(crm_guests::guest("hostile")).await.unwrap_or_else(|e| panic!("{e}"));
    let digest = proven.digest().clone();
    let trial = engine.admit(proven);
    report(call(&engine, &digest, sync("nothing"), World::refuses()).await);
    assert_eq!(engine.loaded().len(), 0);
    drop(trial);
    assert!(matches!(call(&engine, &digest, sync("nothing"), World::refuses()).await, Err(GuestFault::NotLoaded(_))));
}

#[tokio::test]
async fn a_file_that_is_loaded_is_not_compiled_again() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let worker = dir.path().join("worker");
    symlink(WORKER, &worker).unwrap_or_else(|e| panic!("{e}"));
    let engine = engine(EngineConfig { compiler: Compiler::Child { program: worker.clone(), args: vec![] }, ..config() });
    let versions = proving(&engine);
    let file = packing(&[fixture("sync-new.json", "nothing")]);
    let first = versions.prove(file.clone()).await.unwrap_or_else(|e| panic!("{e}"));
    std::fs::remove_file(worker).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(versions.prove(file.clone()).await.map(|again| again.digest), Ok(first.digest.clone()));
    assert!(versions.unload(&first.digest));
    let refused = versions.prove(file).await.expect_err("nobody compiles any more");
    assert_eq!((refused.stage, refused.hosts_fault), (ProofStage::Host, true));
}

/// It takes more of its input than a pipe holds only after it has bound itself.
#[test]
fn the_compile_worker_stands_back_before_it_reads_a_file() {
    let mut worker =
        Command::new(WORKER).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap_or_else(|e| panic!("{e}"));
    let mut stdin = worker.stdin.take().unwrap_or_else(|| panic!("no pipe"));
    stdin.write_all(&[b"CRMCOMP1".as_slice(), &(1u64 << 20).to_le_bytes(), &vec![0; 1 << 19]].concat()).unwrap_or_else(|e| panic!("{e}"));
    let pid = rustix::process::Pid::from_child(&worker);
    let ours = rustix::process::getpriority_process(None).unwrap_or_else(|e| panic!("{e}"));
    let its = rustix::process::getpriority_process(Some(pid)).unwrap_or_else(|e| panic!("{e}"));
    drop(stdin);
    worker.wait().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(its, (ours + 10).min(19));
}
