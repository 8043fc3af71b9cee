//! `wit/since-v0.1.0` is frozen: connectors outside this repository are built against these very bytes. A wish that would break
//! them waits in `wit/PENDING.md` for a folder of its own.

use std::path::Path;

use sha2::{Digest, Sha256};

/// File and SHA-256, as of the day on which eighteen connectors had proved the contract (2026-11-23).
const FROZEN: &[(&str, &str)] = &[
    ("egress.wit", "a17ac4f5513c2e0969a930ac0c88e440f56dd7a2d42c96502dc019f7ff2dff75"),
    ("log.wit", "71f7339645d083ee93ecdd4003cd374fd877db5f9612d18e4ca6fc12265142f3"),
    ("types.wit", "1a617a96d3a41666d9bf990c8d6fc890ae21b53cc06dd60c6010511c9b6948fc"),
    ("world.wit", "bd8eb8c0c1e3952ad44a7b17a7237f2228e2421f7bc3ed55c090b2f2d0573728"),
];

#[test]
fn the_contract_of_version_0_1_0_is_what_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/since-v0.1.0");
    let mut found: Vec<(String, String)> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let hash: String = Sha256::digest(std::fs::read(&path).expect("a file")).iter().map(|byte| format!("{byte:02x}")).collect();
            (path.file_name().expect("a name").to_string_lossy().into_owned(), hash)
        })
        .collect();
    found.sort();
    let frozen: Vec<(String, String)> = FROZEN.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect();
    assert_eq!(found, frozen, "wit/since-v0.1.0 is frozen: put the wish into wit/PENDING.md");
}
