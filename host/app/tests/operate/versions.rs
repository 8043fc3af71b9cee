//! `connector versions`, `approve`, `activate`, `rollback`, `uninstall`.

use serde_json::{Value, json};

use crate::server::Server;
use crate::{ends, run, stdout};

fn digest(of: char) -> String {
    String::from(of).repeat(64)
}

fn acme() -> Value {
    json!({
        "connector": "acme", "active": digest('a'), "since": "2026-11-23T10:00:00Z",
        "versions": [
            { "id": digest('a'), "connector": "acme", "version": "1.2.0", "state": "active", "installed": 1_700_000_000_000_u64,
              "signer": null, "source": { "kind": "folder", "file": "acme.wasm" } },
            { "id": digest('b'), "connector": "acme", "version": "1.3.0", "state": "waiting_for_approval", "installed": 1_700_000_000_000_u64,
              "signer": "release", "source": { "kind": "registry", "reference": "oci://registry.example/acme@sha256:0" } },
        ],
    })
}

/// A host with two pages of connectors.
fn server(more: Vec<(&'static str, u16, Value)>) -> Server {
    let gone = json!({ "connector": "zeta", "active": null, "since": null, "versions": [] });
    let mut all = vec![
        ("GET /v1/admin/connectors", 200, json!({ "data": [acme()], "next_cursor": "7a", "has_more": true })),
        ("GET /v1/admin/connectors?cursor=7a", 200, json!({ "data": [gone], "next_cursor": null, "has_more": false })),
        ("GET /v1/admin/connectors/acme", 200, acme()),
    ];
    all.extend(more);
    Server::new(all)
}

#[test]
fn versions_are_one_line_each_with_all_that_tells_them_apart() {
    let server = server(Vec::new());
    let done = run(&["versions", "--host", &server.url]);
    ends(&done, 0);
    let shown = stdout(&done);
    let rows: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(rows.len(), 4, "{shown}");
    assert_eq!(rows[1], ["acme", "1.2.0", "aaaaaaaaaaaa", "active", "2026-11-23T10:00:00Z", "not signed", "folder acme.wasm"]);
    let registry = "registry oci://registry.example/acme@sha256:0";
    assert_eq!(rows[2], ["acme", "1.3.0", "bbbbbbbbbbbb", "waiting for approval", "2023-11-14T22:13:20Z", "release", registry]);
    assert_eq!(rows[3][..4], ["zeta", "-", "-", "off this host"]);
    let one = run(&["versions", "acme", "--host", &server.url]);
    ends(&one, 0);
    assert_eq!(stdout(&one).lines().count(), 3);
    let scripted = run(&["versions", "--host", &server.url, "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&scripted.stdout).expect("JSON").as_array().map(Vec::len), Some(2));
}

#[test]
fn a_version_is_approved_and_activated_by_its_digest_or_by_its_beginning() {
    let approve = format!("POST /v1/admin/versions/{}/approve", digest('b'));
    let activate = format!("POST /v1/admin/versions/{}/activate", digest('b'));
    let active = json!({ "id": digest('b'), "connector": "acme", "version": "1.3.0", "state": "active" });
    for (path, command) in [(approve, "approve"), (activate, "activate")] {
        for given in [digest('b'), "bbbb".to_owned()] {
            let server = server(vec![(path.clone().leak(), 200, active.clone())]);
            let done = run(&[command, &given, "--host", &server.url]);
            assert!(ends(&done, 0).contains("acme 1.3.0 (bbbbbbbbbbbb) is active"), "{}", stdout(&done));
            let last = server.requests().pop().expect("a request");
            assert!(last.line == path && last.header("idempotency-key").is_some(), "{last:?}");
        }
    }
    let server = server(Vec::new());
    assert!(ends(&run(&["approve", "cccc", "--host", &server.url]), 1).contains("cccc"));
    assert!(ends(&run(&["approve", "../organizations", "--host", &server.url]), 1).contains("neither"));
}

#[test]
fn a_roll_back_shows_what_is_active_now_and_a_refusal_its_reason() {
    let refusal = json!({ "title": "The state of things forbids it", "code": "nothing_before", "detail": "acme had no other version" });
    let good = server(vec![("POST /v1/admin/connectors/acme/rollback", 200, acme())]);
    let done = run(&["rollback", "acme", "--host", &good.url]);
    assert!(ends(&done, 0).contains("1.2.0"));
    assert!(good.request().header("idempotency-key").is_some());
    let bad = server(vec![("POST /v1/admin/connectors/acme/rollback", 409, refusal)]);
    assert!(ends(&run(&["rollback", "acme", "--host", &bad.url]), 1).contains("acme had no other version"));
}

#[test]
fn an_uninstall_is_forced_only_when_that_is_said() {
    let used = json!({ "title": "The state of things forbids it", "code": "connector_in_use", "detail": "2 connection(s) use acme" });
    let server = server(vec![
        ("DELETE /v1/admin/connectors/acme", 409, used),
        ("DELETE /v1/admin/connectors/acme?force=true", 200, json!({ "versions": 2, "parked_connections": 2 })),
    ]);
    assert!(ends(&run(&["uninstall", "acme", "--host", &server.url]), 1).contains("2 connection(s) use acme"));
    let forced = ends(&run(&["uninstall", "acme", "--force", "--host", &server.url]), 0);
    assert!(forced.contains("acme is off this host") && forced.contains("2 connection(s) wait"), "{forced}");
}

#[test]
fn a_key_that_is_none_is_told_where_keys_come_from() {
    let problem = json!({ "title": "A valid API key is needed", "code": "unauthorized", "detail": "send an API key" });
    let server = Server::new(vec![("GET /v1/admin/connectors", 401, problem)]);
    assert!(ends(&run(&["versions", "--host", &server.url]), 1).contains("create-operator-key"));
}
