//! What `cargo xtask new` stamps is a valid connector from the first minute: manifest, every required fixture, no placeholder
//! left. That it builds and passes as a component is shown by stamping one.

use std::fs;
use std::path::Path;

use crm_conformance::{Folder, required};

#[test]
fn the_template_stamps_a_folder_that_asks_for_nothing_more() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/template");
    let scratch = tempfile::tempdir().expect("a directory");
    let folder = scratch.path().join("acme-mail");
    for dir in ["", "fixtures"] {
        fs::create_dir_all(folder.join(dir)).expect("a folder");
        for entry in fs::read_dir(template.join(dir)).expect("the template") {
            let file = entry.expect("a file").path();
            let Some(stem) = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".tmpl")) else { continue };
            let text = fs::read_to_string(&file).expect("text").replace("{{slug}}", "acme-mail").replace("{{name}}", "Acme Mail");
            assert!(!text.contains("{{"), "{}: a placeholder that nothing fills", file.display());
            fs::write(folder.join(dir).join(stem), text).expect("a file");
        }
    }
    let folder = Folder::open(&folder).unwrap_or_else(|error| panic!("{error:#}"));
    for scenario in required(&folder.manifest) {
        assert!(folder.fixtures.iter().any(|fixture| fixture.scenario == scenario.name), "the template has no fixture {}", scenario.name);
    }
}
