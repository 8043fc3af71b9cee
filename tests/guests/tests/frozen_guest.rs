//! A connector that was compiled for contract 0.1.0 and never again: this host still takes it, and it still behaves. See
//! `frozen/README.md`; when a test here fails, the host is wrong and not the file.

mod common;

use std::path::{Path, PathBuf};

use common::{config, engine};
use crm_conformance::{Proving, gather};
use crm_contract::ports::Guests;
use crm_contract::versions::Versions;

const BLAKE3: &str = "d1cad2bf4c95bfeff944441658640f1a8b2b8072ca7982f722a77006c4d4aa8a";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen")
}

fn file() -> Vec<u8> {
    std::fs::read(folder().join("synthetic-0.1.0.wasm")).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_file_is_what_it_was_and_packs_what_lies_beside_it() {
    let file = file();
    assert_eq!(blake3::hash(&file).to_hex().as_str(), BLAKE3, "it must never be rebuilt");
    assert_eq!(crm_catalog::section::read(&file).map(|embedded| embedded.wit_version).as_deref(), Ok("0.1.0"));
    let beside = gather(&folder().join("fixtures")).unwrap_or_else(|e| panic!("{e:#}"));
    assert_eq!(crm_catalog::section::read_fixtures(&file), Ok(Some(beside)));
}

#[tokio::test]
async fn a_connector_of_contract_0_1_0_passes_its_fixtures_on_this_host() {
    let engine = engine(config());
    let versions = Proving::over(engine.clone()).unwrap_or_else(|e| panic!("{e:#}"));
    let proved = versions.prove(file()).await.unwrap_or_else(|refused| panic!("{}: {refused}", refused.stage));
    assert_eq!((proved.digest.0.as_str(), proved.fixtures), (BLAKE3, 18));
    assert!(versions.activate(&proved.digest));
    assert_eq!(engine.active("synthetic").map(|(digest, _)| digest), Some(proved.digest));
}
