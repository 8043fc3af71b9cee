//! Invariant 2, WASI's part: only where the operator allows it, and then without a world behind it; invariant 9: equal
//! inputs give equal runs.

mod common;

use common::{call, config, engine, load, memo};
use crm_contract::ports::{Digest, GuestFault};
use crm_contract::types::{Answer, Invocation, Job};
use crm_engine::{EngineConfig, Limits, LoadError, ScanFault};
use crm_guests::doubles::{World, connection, job, sync};
use crm_guests::{Missing, guest, try_guest};

/// The guests that can be had here: the one that imports WASI by hand always, the one with a real standard library
/// where its target is installed.
fn observers() -> Vec<(&'static str, Vec<u8>)> {
    let mut found = vec![("wasi", guest("wasi"))];
    match try_guest("wasip2") {
        Ok(file) => found.push(("wasip2", file)),
        Err(Missing::Target) => {}
        Err(Missing::Failed(error)) => panic!("{error:#}"),
    }
    found
}

async fn observed(engine: &crm_engine::Engine, digest: &Digest, job: Job) -> String {
    memo(call(engine, digest, Invocation::SyncContact { job }, World::refuses()).await)
}

#[tokio::test]
async fn invariant_2_wasi_is_refused_unless_the_operator_allows_it() {
    let engine = engine(EngineConfig { wasi_allowed: ["another".to_owned()].into(), ..config() });
    for (name, file) in observers() {
        let Err(LoadError::Scan(ScanFault::WasiNotAllowed { name: import })) = engine.load(file).await else { panic!("{name} was loaded") };
        assert!(import.starts_with("wasi:"));
    }
}

#[tokio::test]
async fn invariant_2_a_socket_is_refused_by_name_even_where_wasi_is_allowed() {
    match try_guest("wasip2-net") {
        Ok(file) => {
            let Err(LoadError::Scan(ScanFault::NetworkImport { name })) = engine(config()).load(file).await else {
                panic!("it was loaded")
            };
            assert!(name.starts_with("wasi:sockets/"), "{name}");
        }
        Err(Missing::Target) => {}
        Err(Missing::Failed(error)) => panic!("{error:#}"),
    }
}

#[tokio::test]
async fn a_guest_with_wasi_sees_no_files_environment_or_arguments() {
    let engine = engine(config());
    for (name, file) in observers() {
        let digest = engine.load(file).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let seen = observed(&engine, &digest, job("")).await;
        let expected: &[&str] = match name {
            "wasi" => &["ticks=true", "env=0", "args=0", "cwd=false", "dirs=0"],
            _ => &["ticks=true", "env=0", "args=0", "read=false", "write=false", "dir=false", "cwd=false"],
        };
        for part in expected {
            assert!(seen.contains(part), "{name}: {part} is not in {seen}");
        }
        // The clock starts at the approval, not at the host's now.
        assert!(seen.contains("wall=1790000000"), "{seen}");
    }
    assert!(!std::path::Path::new("/tmp/crm-guest-was-here").exists());
}

#[tokio::test]
async fn invariant_9_clocks_and_randomness_depend_on_the_run_alone() {
    let (one, two) = (engine(config()), engine(config()));
    for (name, file) in observers() {
        let digest = one.load(file.clone()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        two.load(file).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let first = observed(&one, &digest, job("")).await;
        assert_eq!(observed(&one, &digest, job("")).await, first, "{name}: again");
        assert_eq!(observed(&two, &digest, job("")).await, first, "{name}: on another host");
        let mut other = job("");
        other.who.email = "bob@example.com".into();
        assert_ne!(observed(&one, &digest, other).await, first, "{name}: for another job");
        let verify = || Invocation::Verify { on: connection("") };
        let account = call(&one, &digest, verify(), World::refuses()).await;
        assert_eq!(account, call(&two, &digest, verify(), World::refuses()).await, "{name}: verify");
        assert!(matches!(account, Ok(Answer::Account(Ok(a))) if a.id.as_deref().is_some_and(|id| id.contains("wall=1767225600"))));
    }
}

#[tokio::test]
async fn invariant_3_limits_hold_for_a_guest_with_wasi() {
    let limits = Limits { wall_run: std::time::Duration::from_millis(80), ..Limits::default() };
    let engine = engine(EngineConfig { limits, ..config() });
    let digest = load(&engine, "wasi").await;
    let fault = call(&engine, &digest, sync("much-random"), World::refuses()).await;
    assert!(matches!(&fault, Err(GuestFault::Trapped(why)) if why.contains("exceeds limit")), "{fault:?}");
    if try_guest("wasip2").is_ok() {
        let digest = load(&engine, "wasip2").await;
        assert_eq!(call(&engine, &digest, sync("sleep"), World::refuses()).await, Err(GuestFault::OutOfTime { limit_ms: 80 }));
        let exit = call(&engine, &digest, sync("exit"), World::refuses()).await;
        assert!(matches!(exit, Err(GuestFault::Trapped(_))), "{exit:?}");
    }
}
