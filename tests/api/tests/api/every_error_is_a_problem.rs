//! Every route of the OpenAPI document, asked wrongly in every way, answers problem+json with a stable code.

use axum::body::Body;
use crm_api_tests::{World, json_request};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

/// Method, path with ids filled in that exist nowhere, and whether a JSON body is expected.
fn routes(document: &Value) -> Vec<(Method, String, bool)> {
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            // The one route that a vendor's browser comes back to is without a key by intent.
            if operation["security"] == json!([{}]) {
                assert_eq!(operation["operationId"], "authorization_callback", "{path} needs no key");
                continue;
            }
            let filled =
                path.replace("{id}", "con_nothing").replace("{slug}", "acme").replace("{connector}", "acme").replace("{picker}", "list");
            let body = operation["requestBody"]["content"]["application/json"].is_object();
            routes.push((method, filled, body));
        }
    }
    assert!(routes.len() >= 25, "{} routes", routes.len());
    routes
}

#[tokio::test]
async fn every_route_refuses_missing_wrong_and_reading_keys() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut well_formed_but_unknown = world.ann.key.clone();
    // A valid form of a key that nobody has cannot be guessed; a changed one fails its checksum. Both are 401.
    well_formed_but_unknown.replace_range(10..11, "_");
    for (method, path, _) in routes(&world.openapi().await?) {
        let what = format!("{method} {path}");
        for key in ["", "x", "rk_live_", well_formed_but_unknown.as_str()] {
            let answer = world.send(json_request(&method, &path, key, &Value::Null)).await?;
            assert_eq!(answer.problem(&what), "unauthorized");
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let basic = Request::builder().method(&method).uri(&path).header("authorization", format!("Basic {}", world.ann.key));
        assert_eq!(world.send(basic.body(Body::empty())?).await?.problem(&what), "unauthorized");
        // For a merchant's key there is nothing where the operator works.
        if method != Method::GET && !path.starts_with("/v1/admin/") {
            let answer = world.send(json_request(&method, &path, &world.ann.read_key, &json!({}))).await?;
            assert_eq!(answer.problem(&what), "forbidden_scope");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_body_that_is_no_such_json_is_refused() -> anyhow::Result<()> {
    let world = World::new().await?;
    let huge = format!("{{\"x\":\"{}\"}}", "y".repeat(1024 * 1024));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (method, path, body) in routes(&world.openapi().await?) {
        // For a merchant's key there is nothing where the operator works.
        if !body || path.starts_with("/v1/admin/") {
            continue;
        }
        for (kind, text, code) in [
            ("application/json", "{", "invalid_json"),
            ("application/json", "\u{0}", "invalid_json"),
            ("application/json", deep.as_str(), "validation_failed"),
            ("application/json", "{} {}", "invalid_json"),
            ("application/json", "{\"surprise\":1}", "validation_failed"),
            ("application/json", "[1]", "validation_failed"),
            ("application/json", huge.as_str(), "body_too_large"),
            ("text/plain", "{}", "unsupported_media_type"),
            ("application/x-www-form-urlencoded", "a=b", "unsupported_media_type"),
        ] {
            let request = Request::builder().method(&method).uri(&path).header("authorization", format!("Bearer {}", world.ann.key));
            let answer = world.send(request.header("content-type", kind).body(Body::from(text.to_owned()))?).await?;
            let shown: String = text.chars().take(20).collect();
            let got = answer.problem(&format!("{method} {path} {kind} {shown:?}"));
            // "{} {}" is a complete value for a route that needs no field; what follows it is what is wrong there.
            let also = if text == "{} {}" { "validation_failed" } else { code };
            assert!(got == code || got == also, "{method} {path} {kind} {shown:?}: {got}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_unknown_address_method_and_query_is_refused() -> anyhow::Result<()> {
    let world = World::new().await?;
    for path in ["/", "/v1", "/v1/nothing", "/v2/connections", "/v1/connections/a/b/c", "/v1/connections/%ff"] {
        let answer = world.ann(Method::GET, path, Value::Null).await?;
        assert_eq!(answer.problem(path), "not_found");
    }
    let answer = world.ann(Method::PUT, "/v1/connections", json!({})).await?;
    assert_eq!(answer.problem("PUT"), "method_not_allowed");
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
    for (path, code) in [
        ("/v1/syncs?state=sleeping", "invalid_query"),
        ("/v1/syncs?surprise=1", "invalid_query"),
        ("/v1/syncs?limit=0", "validation_failed"),
        ("/v1/syncs?limit=101", "validation_failed"),
        ("/v1/syncs?limit=-1", "invalid_query"),
        ("/v1/syncs?cursor=%00", "invalid_cursor"),
        ("/v1/affiliates?cursor=!!", "invalid_cursor"),
        ("/v1/campaigns?cursor=Li4vLi4v", "invalid_cursor"),
        ("/v1/affiliates?status=odd", "invalid_query"),
    ] {
        assert_eq!(world.ann(Method::GET, path, Value::Null).await?.problem(path), code, "{path}");
    }
    let csv = world.send(import(&world, "campaign=cmp_nothing", "text/plain", "Email\n")).await?;
    assert_eq!(csv.problem("import"), "unsupported_media_type");
    let csv = world.send(import(&world, "campaign=cmp_nothing", "text/csv", "Email\n")).await?;
    assert_eq!(csv.problem("import"), "not_found");
    let csv = world.send(import(&world, "campaign=x&format=odd", "text/csv", "Email\n")).await?;
    assert_eq!(csv.problem("import"), "invalid_query");
    Ok(())
}

fn import(world: &World, query: &str, kind: &str, body: &str) -> Request<Body> {
    let request = Request::builder().method("POST").uri(format!("/v1/imports?{query}"));
    let request = request.header("authorization", format!("Bearer {}", world.ann.key)).header("content-type", kind);
    request.body(Body::from(body.to_owned())).expect("a request")
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_never_repeated_in_the_error() -> anyhow::Result<()> {
    let world = World::new().await?;
    for body in [
        json!({ "connector": "acme", "credentials": "top-secret-value" }),
        json!({ "connector": "acme", "credentials": { "api_key": ["top-secret-value"] } }),
        json!({ "connector": "acme", "credentials": { "api_key": "top-secret-value" } }),
        json!({ "connector": "acme", "credentials": { "app_id": "ok-id", "api_key": "top-secret-value" } }),
    ] {
        let answer = world.ann(Method::POST, "/v1/connections", body).await?;
        answer.problem("credentials");
        assert!(!answer.text.contains("top-secret"), "{}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn the_callers_request_id_is_kept_when_it_is_harmless() -> anyhow::Result<()> {
    let world = World::new().await?;
    for (given, kept) in [("abc-123", true), ("<script>", false), ("", false), (&"x".repeat(65), false)] {
        let request = Request::get("/healthz").header("x-request-id", given).body(Body::empty())?;
        let answer = world.send(request).await?;
        assert_eq!(answer.header("x-request-id") == given, kept, "{given:?}");
        assert!(!answer.header("x-request-id").is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_with_a_problem() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let mut state = world.state.clone();
    state.metrics = std::sync::Arc::new(|| panic!("planted"));
    world.router = crm_api::router(state);
    let answer = world.ann(Method::GET, "/metrics", Value::Null).await?;
    assert_eq!(answer.problem("metrics"), "internal");
    assert!(!answer.text.contains("planted"));
    Ok(())
}

#[tokio::test]
async fn health_readiness_and_metrics_need_no_key() -> anyhow::Result<()> {
    let world = World::new().await?;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        let answer = world.send(Request::get(path).body(Body::empty())?).await?;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    world.state.draining.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = world.send(Request::get("/readyz").body(Body::empty())?).await?;
    assert_eq!((answer.problem("readyz").as_str(), answer.status), ("draining", StatusCode::SERVICE_UNAVAILABLE));
    world.ctx.store.close().await?;
    world.state.draining.store(false, std::sync::atomic::Ordering::SeqCst);
    let answer = world.ann(Method::GET, "/v1/connections", Value::Null).await?;
    assert_eq!((answer.problem("closed").as_str(), answer.status), ("unavailable", StatusCode::SERVICE_UNAVAILABLE));
    assert!(!answer.header("retry-after").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_full_disk_refuses_new_work_and_nothing_else() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let affiliate = world.affiliate(&campaign, "zoe@example.com").await?;
    world.connect().await?;
    world.sled.set_free_space_gate(crm_store::SpaceGate::Bytes(u64::MAX));
    for (method, path, body) in [
        (
            Method::POST,
            "/v1/campaigns".to_owned(),
            json!({ "name": "x", "slug": "xyz", "commission": { "model": "rev_share", "percent": "25" } }),
        ),
        (Method::POST, "/v1/affiliates".to_owned(), json!({ "campaign": campaign, "email": "x@example.com" })),
        (Method::POST, format!("/v1/affiliates/{affiliate}/approve"), Value::Null),
    ] {
        let answer = world.ann(method, &path, body).await?;
        assert_eq!((answer.problem(&path).as_str(), answer.status), ("no_space", StatusCode::INSUFFICIENT_STORAGE));
        assert_eq!(answer.header("retry-after"), "60");
    }
    let csv = world.send(import(&world, &format!("campaign={campaign}"), "text/csv", "Email\nx@example.com\n")).await?;
    assert_eq!(csv.problem("import"), "no_space");
    assert_eq!(world.ann(Method::GET, "/v1/affiliates", Value::Null).await?.status, StatusCode::OK);
    assert_eq!(world.send(Request::get("/readyz").body(Body::empty())?).await?.status, StatusCode::OK);
    world.sled.set_free_space_gate(crm_store::SpaceGate::Bytes(0));
    let path = format!("/v1/affiliates/{affiliate}/approve");
    assert_eq!(world.ann(Method::POST, &path, Value::Null).await?.status, StatusCode::ACCEPTED);
    Ok(())
}

#[tokio::test]
async fn the_openapi_document_is_whole() -> anyhow::Result<()> {
    let document = World::new().await?.openapi().await?;
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = std::collections::BTreeSet::new();
    let text = document.to_string();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let what = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{what}: its id is used twice");
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{what} has no summary");
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let response = resolved(&document, response);
                assert!(response["description"].as_str().is_some_and(|d| !d.is_empty()), "{what} {status} has no description");
            }
            let keyed = operation["security"] != json!([{}]);
            for status in ["500", "503"].into_iter().chain(keyed.then_some(["400", "401", "429"]).into_iter().flatten()) {
                let response = resolved(&document, &operation["responses"][status]);
                assert!(response["content"]["application/problem+json"].is_object(), "{what} {status}");
            }
        }
    }
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap_or_default();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not defined");
    }
    Ok(())
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => value,
    }
}
