//! Recorded syncs of every connector, run again: the same version asks for the same, and another one's differences are told as they are.

mod hosted;

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use crm_conformance::{Folder, Suite};
use crm_contract::ports::Digest;
use crm_engine::Engine;
use crm_sync::replay::{self, Gate};
use crm_sync::services::journal;
use crm_test_support::host_bin;
use hosted::{Hosted, ORGANIZATION, engine, fleet};

/// More than any connector has fixtures.
const ALL: usize = 500;

/// Runs a test on one thread, whose time stands still while there is work.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// A host that ran all that the fixtures of one connector ask for.
struct Ran {
    hosted: Hosted,
    digest: Digest,
    /// Jobs by the names of their fixtures.
    jobs: HashMap<String, String>,
}

async fn ran(engine: &Arc<Engine>, folder: &Folder, component: Vec<u8>) -> Ran {
    let digest = engine.load(component).await.unwrap_or_else(|error| panic!("{}: {error}", folder.slug));
    tokio::time::pause();
    let (mut hosted, mut jobs) = (Hosted::new(engine.clone()).await, HashMap::new());
    for fixture in &folder.fixtures {
        if let Some(id) = hosted.give(folder, fixture).await {
            let name = Path::new(&fixture.file).file_stem().expect("a name").to_string_lossy().into_owned();
            jobs.insert(name, id);
        }
    }
    hosted.run().await;
    tokio::time::resume();
    Ran { hosted, digest, jobs }
}

async fn klaviyo() -> (Ran, Vec<u8>) {
    let (folder, component) = fleet().into_iter().find(|(folder, _)| folder.slug == "klaviyo").expect("it is built");
    (ran(&engine(), &folder, component.clone()).await, component)
}

async fn gate(hosted: &Hosted, slug: &str, digest: &Digest) -> Gate {
    replay::gate(&hosted.context, slug, digest, ALL).await.unwrap_or_else(|error| panic!("{slug}: {error}"))
}

#[test]
fn invariant_9_recorded_syncs_of_every_connector_ask_for_the_same_again() {
    run(async {
        let (engine, fleet) = (engine(), fleet());
        let (connectors, mut replayed, mut wrong) = (fleet.len(), 0, Vec::new());
        for (folder, component) in fleet {
            let Ran { hosted, digest, jobs } = ran(&engine, &folder, component).await;
            let gate = gate(&hosted, &folder.slug, &digest).await;
            let half = u32::try_from(jobs.len() / 2).expect("few");
            if !gate.is_clear() || gate.ended_otherwise > 0 || gate.cut_short || gate.replayed < half {
                wrong.push(format!("{} ({} jobs): {gate:#?}", folder.slug, jobs.len()));
            }
            replayed += gate.replayed;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(connectors >= 38 && replayed > 1_000, "{replayed} of {connectors} connectors prove little");
    });
}

/// The component with another manifest.
fn with_manifest(component: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let embedded = crm_catalog::section::read(component).expect("a connector");
    let text = change(&embedded.manifest_text);
    assert_ne!(text, embedded.manifest_text);
    crm_catalog::section::embed(component, &text, &embedded.wit_version).expect("embedded")
}

#[test]
fn another_constant_in_the_manifest_is_exactly_that_difference() {
    run(async {
        let (Ran { hosted, .. }, component) = klaviyo().await;
        let newer = with_manifest(&component, |text| text.replace("revision = \"2026-07-15\"", "revision = \"2027-01-15\""));
        let digest = hosted.engine.load(newer).await.expect("loaded");
        let gate = gate(&hosted, "klaviyo", &digest).await;
        assert!(gate.replayed - gate.same > 20 && !gate.cut_short, "{gate:?}");
        assert!(!gate.places.is_empty() && gate.places.iter().all(|place| place.what == "header `revision`"), "{gate:#?}");
        let shown = &gate.different[0];
        let (_, replayed) = replay::of_sync(&hosted.context, &digest, ORGANIZATION, &shown.sync).await.expect("replayed");
        let text = serde_json::to_string(&replayed.calls).expect("it is written");
        assert!(text.contains("2026-07-15") && text.contains("2027-01-15"), "on demand the values are shown: {text}");
    });
}

#[test]
fn a_manifest_that_allows_less_is_told_by_the_calls_it_refuses() {
    run(async {
        let (Ran { hosted, .. }, component) = klaviyo().await;
        let narrower = with_manifest(&component, |text| text.replace("\"/data/attributes/first_name\"", "\"/data/attributes/given\""));
        let digest = hosted.engine.load(narrower).await.expect("loaded");
        let gate = gate(&hosted, "klaviyo", &digest).await;
        assert!(gate.places.iter().any(|place| place.what == "not allowed by its manifest"), "{gate:#?}");
        assert!(!gate.is_clear());
    });
}

fn host(args: &[&str]) -> (Output, String, String) {
    let program = host_bin().unwrap_or_else(|error| panic!("{error:#}"));
    let output = Command::new(program).arg("connector").args(args).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

#[test]
fn a_journal_file_is_replayed_offline_and_a_failed_sync_of_it_becomes_a_fixture() {
    run(async {
        let (Ran { hosted, digest, jobs }, same) = klaviyo().await;
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name).to_str().expect("utf-8").to_owned();
        let (mut lines, mut text) = (journal::of_connector(&hosted.context, "klaviyo", ALL).await.expect("opened"), String::new());
        while let Some(line) = lines.next().await.expect("read") {
            text.push_str(&line);
        }
        std::fs::write(path("all.jsonl"), &text).expect("written");
        std::fs::write(path("same.wasm"), &same).expect("written");
        let newer = with_manifest(&same, |text| text.replace("revision = \"2026-07-15\"", "revision = \"2027-01-15\""));
        std::fs::write(path("newer.wasm"), newer).expect("written");

        let (output, out, err) = host(&["replay", &path("same.wasm"), "--journal", &path("all.jsonl")]);
        assert!(output.status.success(), "{out}{err}");
        assert!(out.ends_with(" the same, 0 different\n"), "{out}");
        let (output, out, err) = host(&["replay", &path("newer.wasm"), "--journal", &path("all.jsonl")]);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(out.contains("header `revision`\n    - 2026-07-15\n    + 2027-01-15\n"), "{out}");
        let (output, out, _) = host(&["replay", &path("newer.wasm"), "--journal", &path("all.jsonl"), "--json"]);
        let last: serde_json::Value = serde_json::from_str(out.lines().last().expect("a line")).expect("JSON");
        assert!(output.status.code() == Some(1) && last["different"].as_u64() > Some(20), "{last}");

        // One sync by its id, as the operator would fetch it.
        let sync = &jobs["rejected-e-mail"];
        std::fs::write(path("one.jsonl"), journal::of_sync(&hosted.context, ORGANIZATION, sync).await.expect("read")).expect("written");
        let made = ["fixture", &path("same.wasm"), "--journal", &path("one.jsonl"), "--sync", sync, "--output", &path("fixtures")];
        let (output, out, err) = host(&made);
        assert!(output.status.success(), "{out}{err}");
        let fixtures = crm_conformance::load(&dir.path().join("fixtures")).expect("read");
        let [fixture] = &fixtures.good[..] else { panic!("one fixture: {err}") };
        assert_eq!(fixture.scenario, "rejected-e-mail");
        let suite = Suite::on(hosted.engine.clone()).expect("a suite");
        assert_eq!(suite.run(&digest, fixture).await.expect("played").iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);

        let (output, _, err) = host(&["fixture", &path("same.wasm"), "--journal", &path("one.jsonl"), "--sync", "job_other"]);
        assert!(!output.status.success() && err.contains("holds no run of job_other"), "{err}");
        let (output, _, err) = host(&["replay", &path("same.wasm"), "--journal", &path("fixtures/rejected-e-mail.recorded.json")]);
        assert!(!output.status.success() && err.contains("line 1 is no recorded run"), "{err}");
    });
}
