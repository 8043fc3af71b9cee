//! Bad manifests, one file each: `tests/bad/*.toml` names in its first comment lines, `# expect: ...`, every error that must
//! be found, as it is shown after the file's name, and no other may be.

use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_bad_manifest_is_refused_for_exactly_its_reasons() {
    let files = files();
    assert!(files.len() >= 40, "only {} bad manifests", files.len());
    let mut wrong = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let expected: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("# expect: ")).collect();
        let found: Vec<String> = match crm_catalog::parse(&text, "") {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(|e| e.to_string().trim_start_matches(':').trim_start().to_owned()).collect(),
        };
        let name = file.file_name().unwrap().to_string_lossy();
        if expected.is_empty() {
            wrong.push_str(&format!("{name}: names no expected error\n"));
        }
        if expected != found {
            wrong.push_str(&format!("{name}:\n  expected {expected:#?}\n  found    {found:#?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
