//! All connectors of this repository in one host: loaded side by side, and used at the same time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crm_conformance::{Folder, Suite, folders};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use tokio::task::JoinSet;

/// What every connector does at least once. Each supports untag and lookup.
const SCENARIOS: [&str; 4] = ["verify-ok", "sync-new", "untag", "lookup-found"];

/// The integrations that the product promises.
const PROMISED: usize = 38;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_connectors_work_side_by_side_in_one_host() {
    // The limits of a host that serves, not the few places of a suite.
    let limits = Limits::default();
    let config = EngineConfig { cache_dir: None, cache_key: [0; 32], compiler: Compiler::InProcess, limits, wasi_allowed: BTreeSet::new() };
    let suite = Arc::new(Suite::on(Engine::new(config).expect("an engine")).expect("a suite"));
    let built = crm_test_support::connectors_dir().unwrap_or_else(|error| panic!("{error:#}"));
    let mut loaded = Vec::new();
    for path in folders(&root().join("connectors")).expect("connectors") {
        let folder = Folder::open(&path).unwrap_or_else(|error| panic!("{error:#}"));
        let component = folder.component(&built).unwrap_or_else(|error| panic!("{error:#}"));
        let digest = suite.load(component).await.unwrap_or_else(|error| panic!("{}: {error:#}", folder.slug));
        loaded.push((folder, digest));
    }
    assert_eq!(loaded.len(), PROMISED);
    // Every component is loaded before the first one runs, and none waits for another.
    let mut runs = JoinSet::new();
    for (folder, digest) in loaded {
        for scenario in SCENARIOS {
            let file = format!("fixtures/{scenario}.json");
            let fixture = folder.fixtures.iter().find(|fixture| fixture.file.ends_with(&file));
            let fixture = fixture.unwrap_or_else(|| panic!("{}: no {file}", folder.slug)).clone();
            let (suite, digest) = (suite.clone(), digest.clone());
            runs.spawn(async move { suite.run(&digest, &fixture).await });
        }
    }
    let (mut ran, mut wrong) = (0, Vec::new());
    while let Some(run) = runs.join_next().await {
        let failures = run.expect("no panic").unwrap_or_else(|error| panic!("{error:#}"));
        wrong.extend(failures.iter().map(ToString::to_string));
        ran += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(ran, PROMISED * SCENARIOS.len());
}
