//! Good manifests parse, and what the schema says of the file's shape is what the types say.

use crm_catalog::model::Manifest;
use crm_catalog::{ParseOptions, parse, parse_with};

const FULL: &str = include_str!("good/full.toml");
const MINIMAL: &str = include_str!("good/minimal.toml");

fn good(text: &str) -> Manifest {
    parse(text, "connector.toml").unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

fn lines(errors: &[crm_catalog::ManifestError]) -> String {
    errors.iter().map(|e| format!("{e}\n")).collect()
}

#[test]
fn the_minimal_manifest_parses_with_its_defaults() {
    let m = good(MINIMAL);
    assert_eq!(m.calls[1].endpoint, "api");
    assert_eq!(m.calls[1].cost, 1);
    assert_eq!((m.sync.new, m.sync.existing, m.sync.concurrency), (3, 3, 4));
    assert!(m.credentials[0].secret);
}

#[test]
fn the_full_manifest_parses() {
    let m = good(FULL);
    assert_eq!(m.auth.len(), 9);
    assert_eq!(m.call("save").map(|c| c.writes.len()), Some(8));
}

/// TOML written out again from the types holds every key: if it parses and gives the same, schema and types agree.
#[test]
fn schema_and_types_know_the_same_keys() {
    for text in [FULL, MINIMAL] {
        let m = good(text);
        let json = serde_json::to_value(&m).unwrap();
        let toml = toml::to_string(&drop_nulls(json)).unwrap();
        assert_eq!(good(&toml), m);
    }
}

fn drop_nulls(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, drop_nulls(v))).collect()),
        Value::Array(list) => Value::Array(list.into_iter().map(drop_nulls).collect()),
        other => other,
    }
}

#[test]
fn loopback_endpoints_need_the_dev_option() {
    for url in ["http://127.0.0.1:8080/1", "http://localhost:8080", "http://[::1]:1", "https://127.0.0.1:9"] {
        let text = MINIMAL.replace("https://api.acme.example/v1", url);
        assert!(parse(&text, "connector.toml").is_err(), "{url}");
        let dev = parse_with(&text, "connector.toml", ParseOptions { dev: true });
        assert!(dev.is_ok(), "{url}: {}", lines(&dev.unwrap_err()));
    }
    for url in ["http://api.acme.example", "http://10.0.0.1", "http://u:p@127.0.0.1", "ftp://127.0.0.1", "http://127.0.0.1.evil.example"] {
        let text = MINIMAL.replace("https://api.acme.example/v1", url);
        assert!(parse_with(&text, "connector.toml", ParseOptions { dev: true }).is_err(), "{url}");
    }
}
