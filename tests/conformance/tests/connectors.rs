//! Every connector of this repository passes its fixtures, as the component that is shipped.

use std::path::{Path, PathBuf};

use crm_conformance::{Fixture, Folder, Suite, folders, gather};
use serde_json::json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where `cargo xtask build` puts components.
fn built() -> PathBuf {
    crm_test_support::connectors_dir().unwrap_or_else(|error| panic!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connector_passes_its_fixtures() {
    let suite = Suite::new().expect("an engine");
    let mut report = Vec::new();
    let mut failed = false;
    for path in folders(&root().join("connectors")).expect("connectors") {
        let folder = Folder::open(&path).unwrap_or_else(|error| panic!("{error:#}"));
        let component = folder.component(&built()).unwrap_or_else(|error| panic!("{error:#}"));
        let verdict = suite.check(&folder, component, false).await.unwrap_or_else(|error| panic!("{error:#}"));
        failed |= !verdict.failures.is_empty();
        report.push(verdict.line());
        report.extend(verdict.failures.iter().map(|failure| format!("  {failure}")));
    }
    assert!(!report.is_empty(), "no connector found");
    assert!(!failed, "\n{}", report.join("\n"));
}

/// So that a host anywhere can prove them as this repository does.
#[test]
fn every_connector_file_packs_the_fixtures_of_its_folder() {
    for path in folders(&root().join("connectors")).expect("connectors") {
        let folder = Folder::open(&path).unwrap_or_else(|error| panic!("{error:#}"));
        let component = folder.component(&built()).unwrap_or_else(|error| panic!("{error:#}"));
        let packed = crm_catalog::section::read_fixtures(&component).unwrap_or_else(|error| panic!("{}: {error}", folder.slug));
        let there = gather(&path.join("fixtures")).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(packed == Some(there), "{}: run `cargo xtask build`", folder.slug);
    }
}

/// The checker itself: each planted fault must be found, or a green suite would mean nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_faults_are_found() {
    type Fault = (&'static str, &'static str, fn(&mut Fixture));
    let faults: &[Fault] = &[
        ("another body", "body", |fixture| fixture.exchanges[0].request.body = Some(json!({ "email": "someone@else.example" }))),
        ("another method", "method", |fixture| fixture.exchanges[0].request.method = "PATCH".to_owned()),
        ("another path", "path", |fixture| fixture.exchanges[0].request.path.push_str("/x")),
        ("another query", "query", |fixture| fixture.exchanges[0].request.query.push(("a".to_owned(), "b".to_owned()))),
        ("another header", "headers", |fixture| fixture.exchanges[0].request.headers.push(("x-a".to_owned(), "b".to_owned()))),
        ("another call first", "the fixture expects", |fixture| fixture.exchanges.reverse()),
        ("an exchange too many", "was not used", |fixture| fixture.exchanges.push(fixture.exchanges[0].clone())),
        ("an exchange too few", "no further call", |fixture| drop(fixture.exchanges.pop())),
        ("another result", "/known/contact_id", |fixture| fixture.expect["known"]["contact_id"] = json!("another")),
        ("an input that does not fit", "input", |fixture| fixture.input["job"]["set"] = json!(7)),
    ];
    let suite = Suite::new().expect("an engine");
    let path = root().join("connectors/ontraport");
    for (name, words, plant) in faults {
        let mut folder = Folder::open(&path).unwrap_or_else(|error| panic!("{error:#}"));
        let component = folder.component(&built()).unwrap_or_else(|error| panic!("{error:#}"));
        folder.fixtures.retain(|fixture| fixture.scenario == "sync-new" && fixture.exchanges.len() == 2);
        plant(&mut folder.fixtures[0]);
        let verdict = suite.check(&folder, component, false).await.unwrap_or_else(|error| panic!("{error:#}"));
        let found: Vec<String> =
            verdict.failures.iter().filter(|failure| failure.scenario == "sync-new").map(ToString::to_string).collect();
        assert!(found.iter().any(|line| line.contains(words)), "{name}: {found:?}");
        // With the other fixtures gone, every other required scenario is reported as missing.
        assert!(verdict.failures.iter().any(|failure| failure.scenario == "untag" && failure.what.starts_with("no fixture")), "{name}");
    }
}
