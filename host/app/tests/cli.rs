//! The command line as a person meets it: what it prints and how it ends when something is wrong.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn host(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crm-host"));
    command.args(args).env_remove("CRM_HOST_KEY");
    command
}

fn run(args: &[&str]) -> Output {
    host(args).output().expect("runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("utf-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Kills what it started.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_data_folder_in_use_is_refused_in_plain_words() {
    let dir = tempfile::tempdir().expect("made");
    let data = text(dir.path());
    let created = run(&["admin", "create-organization", "--data", data, "--name", "Acme"]);
    assert!(created.status.success(), "{}", stderr(&created));
    let key: serde_json::Value = serde_json::from_slice(&created.stdout).expect("one JSON line");
    assert!(key["key"].as_str().is_some_and(|key| key.starts_with("rk_live_")));
    // A folder with one refused file: the host serves all the same, and says what it refused.
    let connectors = dir.path().join("connectors");
    std::fs::create_dir(&connectors).expect("made");
    std::fs::write(connectors.join("broken.wasm"), b"not a component").expect("written");
    let mut serving = host(&["serve", "--listen", "127.0.0.1:0", "--data", data, "--connectors", text(&connectors)]);
    let mut serving = Held(serving.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts"));
    let mut ready = String::new();
    BufReader::new(serving.0.stdout.take().expect("piped")).read_line(&mut ready).expect("a line");
    assert!(ready.contains("ready"), "{ready}");
    let second = run(&["admin", "create-organization", "--data", data, "--name", "Other"]);
    assert!(!second.status.success());
    assert!(stderr(&second).contains("in use by another crm-host"), "{}", stderr(&second));
}

#[test]
fn an_export_is_read_into_an_empty_folder_and_nowhere_else() {
    let dir = tempfile::tempdir().expect("made");
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let backup = dir.path().join("backup.jsonl");
    assert!(run(&["admin", "create-organization", "--data", text(&old), "--name", "Acme"]).status.success());
    let exported = run(&["admin", "export", "--data", text(&old), "--to", text(&backup)]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    let imported = run(&["admin", "import", "--data", text(&new), "--from", text(&backup)]);
    assert!(imported.status.success(), "{}", stderr(&imported));
    let again = run(&["admin", "import", "--data", text(&new), "--from", text(&backup)]);
    assert!(!again.status.success() && stderr(&again).contains("not empty"), "{}", stderr(&again));
}

#[test]
fn a_bad_key_and_a_file_that_is_no_connector_are_named() {
    let dir = tempfile::tempdir().expect("made");
    let file = dir.path().join("x.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").expect("written");
    let inspected = run(&["connector", "inspect", text(&file)]);
    assert!(!inspected.status.success() && stderr(&inspected).contains("x.wasm"), "{}", stderr(&inspected));
    let data = text(dir.path());
    let mut bad = host(&["admin", "create-organization", "--data", data, "--name", "Acme"]);
    let bad = bad.env("CRM_HOST_KEY", "too short").output().expect("runs");
    assert!(!bad.status.success() && stderr(&bad).contains("CRM_HOST_KEY"), "{}", stderr(&bad));
    assert!(!stderr(&bad).contains("too short"), "a key is never repeated");
}
