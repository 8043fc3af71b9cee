//! What `cargo xtask new` stamps is a valid connector from the first minute: manifest, every required fixture, no placeholder left; and,
//! built as `cargo xtask test` builds it, a component that passes.

use std::fs;
use std::path::PathBuf;

use crm_conformance::{Folder, Suite, required};
use crm_pack::template::{Home, stamp};
use crm_test_support::target_dir;

#[test]
fn the_template_stamps_a_folder_that_asks_for_nothing_more() {
    let scratch = tempfile::tempdir().expect("a directory");
    let folder = scratch.path().join("acme-mail");
    fs::create_dir_all(folder.join("fixtures")).expect("a folder");
    for (path, text) in stamp("acme-mail", None, Home::Workspace).expect("stamped") {
        fs::write(folder.join(path), text).expect("a file");
    }
    let folder = Folder::open(&folder).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(folder.unreadable.is_empty(), "{:?}", folder.unreadable);
    for scenario in required(&folder.manifest) {
        assert!(folder.fixtures.iter().any(|fixture| fixture.scenario == scenario.name), "the template has no fixture {}", scenario.name);
    }
    let supports = &folder.manifest.supports;
    assert!(supports.untag && supports.lookup && !folder.manifest.pickers.is_empty(), "the template shows what most connectors need");
    assert!(folder.manifest.waived.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stamped_connector_passes_as_it_stands() {
    let made: PathBuf = target_dir().unwrap_or_else(|error| panic!("{error:#}")).join("template");
    let folder = made.join("connectors/acme-mail");
    assert!(folder.exists(), "{} is not there: `cargo xtask test` makes it", folder.display());
    let folder = Folder::open(&folder).unwrap_or_else(|error| panic!("{error:#}"));
    let component = fs::read(made.join("acme-mail.wasm")).expect("the component beside it");
    let verdict = Suite::new().expect("an engine").check(&folder, component, false).await.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(verdict.failures.is_empty(), "{:#?}", verdict.failures);
    assert!(verdict.remarks.is_empty(), "{:?}", verdict.remarks);
}
