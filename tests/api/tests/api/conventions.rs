//! Conventions that every route keeps, generated from the document: a new route is held to them without a word here.

use crm_api_tests::{Setup, World, json_request};
use crm_sync::quota::Rate;
use crm_sync::services::gate::GateConfig;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Method, path with ids that exist nowhere, and the operation, of every route that needs a key.
fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if operation["security"] != json!([{}]) {
                let path = path.replace("{slug}", "acme").replace("{connector}", "acme").replace(['{', '}'], "");
                all.push((method.to_uppercase().parse().expect("a method"), path, operation));
            }
        }
    }
    all
}

#[tokio::test]
async fn every_answer_to_a_key_says_what_it_may_still_ask_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut before = u32::MAX;
    for (method, path, _) in operations(&world.openapi().await?) {
        let answer = world.ann(method.clone(), &path, Value::Null).await?;
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=6000;w=60", "{method} {path}");
        let (left, wait) = limit(answer.header("ratelimit"));
        assert!(left < before && wait == 1, "{method} {path}: {left} left of {before}, more in {wait} s");
        before = left;
    }
    let unknown = world.ann(Method::GET, "/v1/nothing", Value::Null).await?;
    assert_eq!(limit(unknown.header("ratelimit")).0, before - 1, "also where nothing is");
    let stranger = world.send(json_request(&Method::GET, "/v1/campaigns", "", &Value::Null)).await?;
    assert!(!stranger.headers.contains_key("ratelimit"), "who shows no key has no limit");
    Ok(())
}

/// `"default";r=<left>;t=<seconds>`
fn limit(field: &str) -> (u32, u32) {
    let rest = field.strip_prefix("\"default\";r=").unwrap_or_default();
    let (left, wait) = rest.split_once(";t=").unwrap_or_default();
    (left.parse().expect(field), wait.parse().expect(field))
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_go_on_and_the_others_go_on_now() -> anyhow::Result<()> {
    let gate = GateConfig { key: Rate::per_minute(60), ..Setup::default().gate };
    let world = World::set_up(Setup { gate, ..Setup::default() }).await?;
    for left in (0..60).rev() {
        let answer = world.ann(Method::GET, "/v1/campaigns", Value::Null).await?;
        assert_eq!((answer.status, limit(answer.header("ratelimit"))), (StatusCode::OK, (left, 1)));
    }
    let body = json!({ "connector": "acme", "credentials": {} });
    let refused = world.ann(Method::POST, "/v1/connections", body.clone()).await?;
    assert_eq!((refused.problem("61st").as_str(), refused.status), ("rate_limited", StatusCode::TOO_MANY_REQUESTS));
    assert_eq!((refused.header("retry-after"), limit(refused.header("ratelimit"))), ("1", (0, 1)));
    assert_eq!(world.bob(Method::GET, "/v1/campaigns", Value::Null).await?.status, StatusCode::OK);
    world.clock.0.fetch_add(1_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(world.ann(Method::POST, "/v1/connections", body).await?.problem("in turn"), "validation_failed");
    assert_eq!(world.ann(Method::GET, "/v1/campaigns", Value::Null).await?.problem("62nd"), "rate_limited");
    Ok(())
}

#[tokio::test]
async fn an_unknown_query_key_is_refused_everywhere() -> anyhow::Result<()> {
    let world = World::new().await?;
    for (method, path, _) in operations(&world.openapi().await?) {
        let answer = world.ann(method.clone(), &format!("{path}?surprise=1"), Value::Null).await?;
        assert_eq!(answer.problem(&format!("{method} {path}")), "invalid_query");
    }
    Ok(())
}

#[tokio::test]
async fn every_parameter_and_text_of_a_request_says_what_it_takes() -> anyhow::Result<()> {
    let document = World::new().await?.openapi().await?;
    let says = |schema: &Value| ["pattern", "format", "maxLength", "enum", "$ref"].iter().any(|word| schema.get(word).is_some());
    for (method, path, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = &parameter["schema"];
            let words = parameter["description"].as_str().is_some_and(|d| !d.is_empty()) || schema["description"].is_string();
            assert!(words, "{method} {path}: say what {} means", parameter["name"]);
        }
        let tag = operation["tags"][0].as_str().expect("a tag");
        let described = document["tags"].as_array().expect("tags").iter().any(|t| t["name"] == tag);
        assert!(described, "{method} {path}: describe the tag {tag} in host/api/src/openapi/tags.rs");
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        if schema["additionalProperties"] != json!(false) {
            continue;
        }
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            let text = [schema, &schema["items"], &schema["additionalProperties"]].into_iter().find(|s| is_text(s));
            assert!(
                text.is_none_or(says),
                "{name}.{property}: say what text it takes: #[schema(max_length = ...)] on the field, or by its name in host/api/src/openapi/properties.rs"
            );
        }
    }
    Ok(())
}

fn is_text(schema: &Value) -> bool {
    schema["type"] == "string" || schema["type"].as_array().is_some_and(|types| types.iter().any(|t| t == "string"))
}
