//! The manifests in `connectors/` parse, and the reference in `connectors/SPEC.md` is the one that the schema writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crm_catalog::scenarios::SCENARIOS;

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

/// A failed scenario names the rules that it holds: the same ones as the last column of SPEC.md.
#[test]
fn scenarios_hold_the_rules_that_the_spec_says() {
    let spec = std::fs::read_to_string(connectors().join("SPEC.md")).unwrap();
    let mut said: BTreeSet<(String, String)> = BTreeSet::new();
    for row in spec.lines().filter(|line| line.starts_with("| S")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (rule, held_by) = (cells[1], cells[cells.len() - 2]);
        let named = held_by.split('`').filter(|word| crm_catalog::scenarios::scenario_named(word).is_some());
        said.extend(named.map(|scenario| (scenario.to_owned(), rule.to_owned())));
    }
    let data: BTreeSet<(String, String)> =
        SCENARIOS.iter().flat_map(|s| s.rules.iter().map(|rule| (s.name.to_owned(), (*rule).to_owned()))).collect();
    assert_eq!(data, said);
}
