//! `connector install` of a file.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::Server;
use crate::{KEY, command, ends, run, stderr, stdout, text};

const POST: &str = "POST /v1/admin/connectors";
const DIGEST: &str = "aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899";

fn version(state: &str) -> Value {
    json!({ "id": DIGEST, "connector": "acme", "version": "1.3.0", "state": state, "known": false, "changes": [], "signer": "release" })
}

/// A folder with `acme.wasm`; what is in it is the host's business.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("made");
    let file = folder.path().join("acme.wasm");
    std::fs::write(&file, b"\0asm and the rest of it").expect("written");
    (folder, file)
}

#[test]
fn a_file_goes_as_it_is_with_the_key_and_the_signature_that_lies_beside_it() {
    let (folder, file) = folder();
    let server = Server::new(vec![(POST, 201, version("active"))]);
    let done = run(&["install", text(&file), "--host", &format!("{}/", server.url)]);
    assert!(ends(&done, 0).contains("acme 1.3.0 (aabbccddeeff) is active"), "{}", stdout(&done));
    let sent = server.request();
    assert_eq!((sent.line.as_str(), sent.body.as_slice()), (POST, b"\0asm and the rest of it".as_slice()));
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(sent.header("content-type"), Some("application/wasm"));
    assert!(sent.header("idempotency-key").is_some_and(|key| key.len() == 32));
    assert_eq!((sent.header("x-connector-signature"), sent.header("x-connector-source")), (None, None));

    let signature = "untrusted comment: x\nRWQ\ntrusted comment: y\nabc\n";
    std::fs::write(folder.path().join("acme.wasm.minisig"), signature).expect("written");
    let other = folder.path().join("other.minisig");
    std::fs::write(&other, "another").expect("written");
    for (args, wanted) in [(vec![], signature), (vec!["--signature", text(&other)], "another")] {
        let server = Server::new(vec![(POST, 201, version("active"))]);
        ends(&run(&[&["install", text(&file), "--host", &server.url][..], &args].concat()), 0);
        let sent = server.request().header("x-connector-signature").and_then(|header| STANDARD.decode(header).ok());
        assert_eq!(sent.as_deref(), Some(wanted.as_bytes()));
    }
    let missing = run(&["install", text(&file), "--host", &server.url, "--signature", "nowhere.minisig"]);
    assert!(ends(&missing, 1).contains("nowhere.minisig"));
}

#[test]
fn a_version_that_may_do_more_waits_and_what_it_is_and_how_to_let_it_in_is_said() {
    let (_folder, file) = folder();
    let mut waiting = version("waiting_for_approval");
    waiting["changes"] = json!([
        { "wider": false, "about": "calls (old)", "words": "it is gone" },
        { "wider": true, "about": "calls (save)", "words": "it may write `note`" },
    ]);
    let server = Server::new(vec![(POST, 201, waiting)]);
    let done = run(&["install", text(&file), "--host", &server.url]);
    let all = ends(&done, 2);
    let place = |words: &str| all.find(words).unwrap_or_else(|| panic!("{words}: {all}"));
    assert!(place("acme 1.3.0 (aabbccddeeff) waits for approval") < place("it may do more: calls (save): it may write `note`"));
    assert!(place("it may do more") < place("otherwise: calls (old): it is gone"), "what is wider comes first: {all}");
    place(&format!("crm-host connector approve {DIGEST}"));
}

#[test]
fn ready_and_known_are_no_failures() {
    let (_folder, file) = folder();
    let mut known = version("active");
    known["known"] = json!(true);
    for (answer, status, says) in [(version("ready"), 201, "is ready"), (known, 200, "it was here already")] {
        let server = Server::new(vec![(POST, status, answer)]);
        let done = run(&["install", text(&file), "--host", &server.url]);
        assert!(ends(&done, 0).contains(says), "{}", stdout(&done));
    }
}

#[test]
fn a_refusal_is_shown_with_every_reason() {
    let (_folder, file) = folder();
    let problem = json!({
        "type": "urn:crm-host:problem:validation_failed", "title": "Some fields are not acceptable", "status": 422, "code": "validation_failed",
        "detail": "2 fields", "request_id": "req_1",
        "errors": [{ "field": "file", "detail": "it imports `wasi:sockets`" }, { "field": "signature", "detail": "by no trusted key" }],
    });
    let server = Server::new(vec![(POST, 422, problem.clone())]);
    let done = run(&["install", text(&file), "--host", &server.url]);
    let all = ends(&done, 1);
    for says in ["refused: Some fields are not acceptable: 2 fields", "file: it imports `wasi:sockets`", "signature: by no trusted key"] {
        assert!(all.contains(says), "{all}");
    }
    assert_eq!(stdout(&done), "");
    let scripted = run(&["install", text(&file), "--host", &server.url, "--json"]);
    ends(&scripted, 1);
    assert_eq!(serde_json::from_slice::<Value>(&scripted.stdout).expect("JSON"), problem);
}

#[test]
fn scripts_get_the_answer_as_it_came_and_the_same_exit_codes() {
    let (_folder, file) = folder();
    for (state, code) in [("active", 0), ("ready", 0), ("waiting_for_approval", 2)] {
        let server = Server::new(vec![(POST, 201, version(state))]);
        let done = run(&["install", text(&file), "--host", &server.url, "--json"]);
        ends(&done, code);
        assert_eq!(serde_json::from_slice::<Value>(&done.stdout).expect("JSON"), version(state));
    }
}

#[test]
fn the_key_goes_nowhere_in_the_clear_and_after_no_redirect() {
    let (_folder, file) = folder();
    for url in ["http://crm.example", "http://10.0.0.1:8080", "ftp://localhost", "crm.example", "https://crm.example/?x=1"] {
        ends(&run(&["install", text(&file), "--host", url]), 1);
    }
    assert!(stderr(&run(&["install", text(&file), "--host", "http://crm.example"])).contains("https://"));
    let server = Server::new(vec![(POST, 307, Value::Null), ("POST /elsewhere", 201, version("active"))]);
    let done = run(&["install", text(&file), "--host", &server.url]);
    assert!(ends(&done, 1).contains("redirect"));
    assert_eq!(server.request().line, POST);
    let help = command(&["install", "--help"]).output().expect("runs");
    assert!(ends(&help, 0).contains("CRM_HOST_OPERATOR_KEY"));
}

#[test]
fn what_a_connector_says_of_itself_cannot_steer_the_terminal() {
    let (_folder, file) = folder();
    let mut sly = version("waiting_for_approval");
    sly["version"] = json!("1.3.0\u{1b}[2K\r");
    sly["changes"] = json!([{ "wider": true, "about": "calls\u{202e}", "words": "\u{1b}[8mit may write all\u{7}\nand more" }]);
    let server = Server::new(vec![(POST, 201, sly)]);
    let all = ends(&run(&["install", text(&file), "--host", &server.url]), 2);
    assert!(!all.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{all:?}");
    assert!(all.contains("it may write all and more"), "{all}");
}

#[test]
fn a_host_that_is_not_there_and_one_that_is_no_host_are_named() {
    let (_folder, file) = folder();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let gone = run(&["install", text(&file), "--host", &format!("http://{free}")]);
    assert!(ends(&gone, 1).contains(&format!("http://{free} cannot be reached")));
    let server = Server::new(Vec::new());
    let strange = run(&["install", text(&file), "--host", &server.url]);
    assert!(ends(&strange, 1).contains("Is this the address of a crm-host?"));
}
