//! Versions of connectors over the operator's API: sent, refused, approved, tried, rolled back, taken off.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crm_api_tests::{Answer, World};
use crm_simulation::engine::connector_file;
use crm_sync::services::operators;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

const ACME: &str = include_str!("../../data/acme.toml");

/// A world whose operator signs with a key that the host trusts.
struct Stage {
    world: World,
    operator: String,
    keys: minisign::KeyPair,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let keys = minisign::KeyPair::generate_unencrypted_keypair()?;
        let world = World::with_versions(&keys.pk.to_base64()).await?;
        let (_, operator) = operators::create(&world.ctx, "ops").await?;
        Ok(Self { world, operator, keys })
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.world.send(crm_api_tests::json_request(&method, path, &self.operator, &body)).await
    }

    async fn upload(&self, file: &[u8], signature: Option<&str>, query: &str) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method("POST").uri(format!("/v1/admin/connectors{query}"));
        request = request.header("authorization", format!("Bearer {}", self.operator)).header("content-type", "application/wasm");
        if let Some(text) = signature {
            request = request.header("x-connector-signature", STANDARD.encode(text));
        }
        self.world.send(request.header("x-connector-source", "oci://registry.example/acme:1").body(Body::from(file.to_vec()))?).await
    }

    /// Sends a file with a good signature.
    async fn send(&self, file: &[u8], query: &str) -> anyhow::Result<Answer> {
        let signature = minisign::sign(None, &self.keys.sk, file, None, None)?.into_string();
        self.upload(file, Some(&signature), query).await
    }
}

fn version(number: &str) -> Vec<u8> {
    let line = ACME.lines().find(|line| line.starts_with("version")).expect("a version");
    connector_file(&ACME.replace(line, &format!("version = \"{number}\"")))
}

/// A version whose connector may do more.
fn wider(number: &str) -> Vec<u8> {
    let line = ACME.lines().find(|line| line.starts_with("version")).expect("a version");
    let text = ACME.replace(line, &format!("version = \"{number}\""));
    let more =
        "[[calls]]\nname = \"more\"\ndoc = \"More.\"\nstages = [\"verify\"]\nmethod = \"GET\"\npath = \"/more\"\neffect = \"read\"\n";
    let at = text.find("[[calls]]").expect("a call");
    connector_file(&format!("{}{more}\n{}", &text[..at], &text[at..]))
}

#[tokio::test]
async fn a_signed_file_becomes_active_and_shows_where_it_came_from() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let made = stage.send(&version("7.0.0"), "").await?;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let json = made.json();
    assert_eq!((&json["state"], &json["known"], &json["version"]), (&json!("active"), &json!(false), &json!("7.0.0")));
    assert_eq!(json["signer"], "release");
    assert_eq!(json["source"], json!({ "kind": "registry", "file": null, "reference": "oci://registry.example/acme:1" }));
    assert!(json["by"].as_str().is_some_and(|by| by.starts_with("opk_")), "{json}");
    let path = made.header("location").to_owned();
    assert_eq!(stage.ask(Method::GET, &path, Value::Null).await?.json()["id"], json["id"]);
    let again = stage.send(&version("7.0.0"), "").await?;
    assert_eq!((again.status, &again.json()["known"]), (StatusCode::OK, &json!(true)));
    let all = stage.ask(Method::GET, "/v1/admin/connectors", Value::Null).await?.json();
    assert_eq!((&all["data"][0]["connector"], &all["data"][0]["active"]), (&json!("acme"), &json["id"]));
    Ok(())
}

#[tokio::test]
async fn what_is_refused_says_why_and_is_listed() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.send(&version("7.0.0"), "").await?;
    let unsigned = stage.upload(&version("7.0.1"), None, "").await?;
    assert_eq!((unsigned.status, unsigned.json()["field"].clone()), (StatusCode::UNPROCESSABLE_ENTITY, json!("signature")));
    assert!(unsigned.text.contains("not signed"), "{}", unsigned.text);
    let rubbish = stage.send(b"no connector", "").await?;
    assert_eq!((rubbish.status, rubbish.json()["field"].clone()), (StatusCode::UNPROCESSABLE_ENTITY, json!("file")));
    let large = stage.send(&vec![0; 5 << 20], "").await?;
    assert_eq!(large.problem("a large file"), "body_too_large");
    let untyped = stage.ask(Method::POST, "/v1/admin/connectors", json!({})).await?;
    assert_eq!(untyped.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let refused = stage.ask(Method::GET, "/v1/admin/refused-files", Value::Null).await?.json();
    let whys: Vec<&str> = refused["data"].as_array().expect("a list").iter().filter_map(|file| file["why"].as_str()).collect();
    assert_eq!(whys.len(), 2, "{refused}");
    assert!(whys.iter().any(|why| why.contains("not signed")) && whys.iter().any(|why| why.contains("WebAssembly")), "{whys:?}");
    let active = stage.ask(Method::GET, "/v1/admin/connectors/acme", Value::Null).await?.json();
    assert_eq!(active["versions"][0]["version"], "7.0.0");
    assert_eq!(stage.ask(Method::GET, "/v1/admin/connectors/other", Value::Null).await?.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.ask(Method::GET, &format!("/v1/admin/versions/{}", "0".repeat(64)), Value::Null).await?.status, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn a_wider_version_waits_is_approved_and_rolled_back() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.send(&version("7.0.0"), "").await?;
    let wide = stage.send(&wider("7.1.0"), "").await?.json();
    assert_eq!(wide["state"], "waiting_for_approval");
    assert!(
        wide["changes"]
            .as_array()
            .is_some_and(|all| all.iter().any(|c| c["wider"] == true && c["about"].as_str().is_some_and(|a| a.contains("calls")))),
        "{wide}"
    );
    let path = format!("/v1/admin/versions/{}", wide["id"].as_str().expect("an id"));
    let early = stage.ask(Method::POST, &format!("{path}/activate"), Value::Null).await?;
    assert_eq!(early.problem("too early"), "not_approved");
    let yes = stage.ask(Method::POST, &format!("{path}/approve"), Value::Null).await?.json();
    assert_eq!(yes["state"], "active");
    assert!(yes["approval"]["by"].as_str().is_some_and(|by| by.starts_with("opk_")), "{yes}");
    let back = stage.ask(Method::POST, "/v1/admin/connectors/acme/rollback", Value::Null).await?.json();
    assert_eq!((&back["version"], &back["state"]), (&json!("7.0.0"), &json!("active")));
    let nothing = stage.ask(Method::DELETE, &path, Value::Null).await?;
    assert_eq!(nothing.status, StatusCode::NO_CONTENT);
    let none = stage.ask(Method::POST, "/v1/admin/connectors/acme/rollback", Value::Null).await?;
    assert_eq!(none.problem("nothing before"), "nothing_before");
    Ok(())
}

#[tokio::test]
async fn a_part_of_the_connections_tries_a_version() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.send(&version("7.0.0"), "").await?;
    let kept = stage.send(&version("7.0.1"), "?activate=false").await?.json();
    assert_eq!(kept["state"], "ready");
    let order = json!({ "version": kept["id"], "percent": 20, "attempts": 10 });
    let view = stage.ask(Method::PUT, "/v1/admin/connectors/acme/trial", order).await?.json();
    assert_eq!((&view["trial"]["percent"], &view["trial"]["margin"]), (&json!(20), &json!(5)));
    let wrong = stage.ask(Method::PUT, "/v1/admin/connectors/acme/trial", json!({ "version": kept["id"], "percent": 0 })).await?;
    assert_eq!(wrong.json()["field"], "percent", "{}", wrong.text);
    let over = stage.ask(Method::DELETE, "/v1/admin/connectors/acme/trial", Value::Null).await?.json();
    assert_eq!(over["trial"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_connector_in_use_is_taken_off_by_force_only() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let first = stage.send(&version("7.0.0"), "").await?.json();
    let connection = stage.world.connect().await?;
    let pinned = stage.world.ann(Method::PATCH, &format!("/v1/connections/{connection}"), json!({ "pinned": first["id"] })).await?;
    assert_eq!(pinned.json()["pinned"], first["id"], "{}", pinned.text);
    let unknown = stage.world.ann(Method::PATCH, &format!("/v1/connections/{connection}"), json!({ "pinned": "0".repeat(64) })).await?;
    assert_eq!(unknown.json()["field"], "pinned");
    let refused = stage.ask(Method::DELETE, "/v1/admin/connectors/acme", Value::Null).await?;
    assert_eq!(refused.problem("in use"), "connector_in_use");
    let gone = stage.ask(Method::DELETE, "/v1/admin/connectors/acme?force=true", Value::Null).await?.json();
    assert_eq!(gone, json!({ "versions": 1, "parked_connections": 1 }));
    let waiting = stage.world.ann(Method::GET, &format!("/v1/connections/{connection}"), Value::Null).await?.json();
    assert_eq!(waiting["state"], "needs_connector");
    stage.send(&version("7.0.0"), "").await?;
    let back = stage.world.ann(Method::GET, &format!("/v1/connections/{connection}"), Value::Null).await?.json();
    assert_eq!((&back["state"], &back["pinned"]), (&json!("live"), &Value::Null));
    Ok(())
}
