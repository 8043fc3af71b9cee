//! Every connector of this repository passes its fixtures, as the component that is shipped.

use std::path::{Path, PathBuf};

use crm_conformance::{Folder, Suite, folders};

/// Size that a component may have (issue 2: under 200 kB).
const MAX_BYTES: usize = 200_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where `cargo xtask build` puts its files: the target directory of this very test.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connector_passes_its_fixtures() {
    let suite = Suite::new().expect("an engine");
    let mut report = Vec::new();
    let mut failed = false;
    for path in folders(&root().join("connectors")).expect("connectors") {
        let folder = Folder::open(&path).unwrap_or_else(|error| panic!("{error:#}"));
        let component = folder.component(&target()).unwrap_or_else(|error| panic!("{error:#}"));
        let verdict = suite.check(&folder, component).await.unwrap_or_else(|error| panic!("{error:#}"));
        failed |= !verdict.failures.is_empty() || verdict.bytes >= MAX_BYTES;
        let word = if verdict.failures.is_empty() { "ok" } else { "FAILED" };
        report.push(format!(
            "{word} {} {}/{} {} waived {} kB",
            verdict.slug,
            verdict.passed,
            verdict.run,
            verdict.waived,
            verdict.bytes.div_ceil(1000)
        ));
        report.extend(verdict.failures.iter().map(|failure| format!("  {failure}")));
    }
    assert!(!report.is_empty(), "no connector found");
    assert!(!failed, "\n{}", report.join("\n"));
}
