//! The manifests in `connectors/` parse, and the reference in `connectors/SPEC.md` is the one that the schema writes.

use std::path::{Path, PathBuf};

fn connectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../connectors")
}

#[test]
fn every_connectors_manifest_is_good_and_named_after_its_folder() {
    let mut seen = 0;
    for entry in std::fs::read_dir(connectors()).unwrap() {
        let folder = entry.unwrap().path();
        let file = folder.join("connector.toml");
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let manifest = match crm_catalog::parse(&text, &file.display().to_string()) {
            Ok(manifest) => manifest,
            Err(errors) => panic!("{}", errors.iter().map(|e| format!("{e}\n")).collect::<String>()),
        };
        assert_eq!(folder.file_name().unwrap().to_string_lossy(), manifest.connector.slug);
        seen += 1;
    }
    assert!(seen > 0);
}

/// `cargo run -p crm-catalog --example reference -- manifest` (or `scenarios`) prints what belongs between the marks.
#[test]
fn the_reference_in_the_spec_is_what_the_schema_says() {
    let spec = std::fs::read_to_string(connectors().join("SPEC.md")).unwrap();
    for (mark, expected) in [("manifest", crm_catalog::reference::manifest()), ("scenarios", crm_catalog::reference::scenarios())] {
        let (_, rest) = spec.split_once(&format!("<!-- begin {mark} -->\n")).unwrap();
        let (found, _) = rest.split_once(&format!("<!-- end {mark} -->")).unwrap();
        assert!(found.trim() == expected.trim(), "the part {mark:?} of SPEC.md is out of date");
    }
}
