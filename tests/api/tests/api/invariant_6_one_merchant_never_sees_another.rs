//! Invariant 6, generated from the OpenAPI document: wherever a request can name a thing, another organization's thing is as
//! absent as one that never was. A route without a case here fails the test.

use crm_api_tests::World;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Ann's things, which Bob asks for.
struct Things {
    connection: String,
    campaign: String,
    affiliate: String,
    sync: String,
}

impl Things {
    fn of_path(&self, path: &str) -> Option<&str> {
        let resource = path.strip_prefix("/v1/")?.split('/').next()?;
        match resource {
            "connections" => Some(&self.connection),
            "campaigns" => Some(&self.campaign),
            "affiliates" => Some(&self.affiliate),
            "syncs" => Some(&self.sync),
            _ => None,
        }
    }

    fn named(&self, name: &str) -> Option<&str> {
        match name {
            "connection" => Some(&self.connection),
            "campaign" => Some(&self.campaign),
            "affiliate" | "ids" => Some(&self.affiliate),
            _ => None,
        }
    }
}

/// The same kind of id, of nothing.
fn absent(id: &str) -> String {
    format!("{}_{}", id.split('_').next().unwrap_or_default(), "0".repeat(26))
}

/// A body that the route accepts but for the things it names; `None` = the route takes no body, or names nothing in it.
fn body(operation: &str, things: &Things) -> Option<Value> {
    Some(match operation {
        "create_affiliate" => json!({ "campaign": things.campaign, "email": "x@example.com" }),
        "approve_affiliates" => json!({ "ids": [things.affiliate] }),
        "preview_sync" => json!({ "connection": things.connection, "person": { "email": "x@example.com" } }),
        "start_authorization_with" => json!({ "connection": things.connection }),
        "retry_sync" => json!({ "mode": "start" }),
        "prepare_connection" => json!({ "apply": true }),
        "update_connection" | "update_campaign" => json!({ "name": "taken over" }),
        _ => return None,
    })
}

/// Routes that name nothing that belongs to anyone.
const NAMES_NOTHING: &[&str] = &[
    "list_connectors",
    "get_connector",
    "create_connection",
    "list_connections",
    "create_campaign",
    "list_campaigns",
    "authorization_callback",
];

#[tokio::test]
async fn invariant_6_another_organizations_ids_are_as_absent_as_unknown_ones() -> anyhow::Result<()> {
    let world = World::new().await?;
    let connection = world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let affiliate = world.affiliate(&campaign, "zoe@example.com").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{affiliate}/approve"), Value::Null).await?;
    let syncs = world.ann(Method::GET, "/v1/syncs", Value::Null).await?.json();
    let sync = syncs["data"][0]["id"].as_str().expect("a sync").to_owned();
    let theirs = Things { connection, campaign, affiliate, sync };
    let nobodys = Things {
        connection: absent(&theirs.connection),
        campaign: absent(&theirs.campaign),
        affiliate: absent(&theirs.affiliate),
        sync: absent(&theirs.sync),
    };
    let before = snapshot(&world, &theirs).await?;

    let document = world.openapi().await?;
    let mut cases = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let path = &path.replace("{connector}", "acme");
        for (method, operation) in item.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse()?;
            let id = operation["operationId"].as_str().expect("an operation id");
            let mut tried = 0;
            let mut attempts: Vec<(String, String, Option<Value>, Option<Value>)> = Vec::new();
            if path.contains("{id}") {
                let fill = |things: &Things| things.of_path(path).map(|t| path.replace("{id}", t).replace("{picker}", "list"));
                let (a, b) = (fill(&theirs).expect("a resource"), fill(&nobodys).expect("a resource"));
                attempts.push((a, b, body(id, &theirs), body(id, &nobodys)));
            } else if let (Some(a), Some(b)) = (body(id, &theirs), body(id, &nobodys)) {
                attempts.push((path.clone(), path.clone(), Some(a), Some(b)));
            }
            if id == "approve_affiliates" {
                let all = |t: &Things| Some(json!({ "campaign": t.campaign, "all": true }));
                attempts.push((path.clone(), path.clone(), all(&theirs), all(&nobodys)));
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "query") {
                let name = parameter["name"].as_str().unwrap_or_default();
                if let (Some(a), Some(b)) = (theirs.named(name), nobodys.named(name)) {
                    attempts.push((format!("{path}?{name}={a}"), format!("{path}?{name}={b}"), None, None));
                }
            }
            for (a, b, body_a, body_b) in attempts {
                let (a, b) = if id == "import_affiliates" {
                    (import(&world, &a).await?, import(&world, &b).await?)
                } else {
                    (
                        world.bob(method.clone(), &a, body_a.unwrap_or(Value::Null)).await?,
                        world.bob(method.clone(), &b, body_b.unwrap_or(Value::Null)).await?,
                    )
                };
                assert_eq!(a.status, StatusCode::NOT_FOUND, "{method} {path}: {}", a.text);
                assert_eq!(a.problem(path), "not_found");
                assert_eq!(without_request_id(a.json()), without_request_id(b.json()), "{method} {path}");
                tried += 1;
            }
            assert!(tried > 0 || NAMES_NOTHING.contains(&id), "{method} {path} ({id}) has no case: add one");
            cases += tried;
        }
    }
    assert!(cases >= 23, "{cases} cases");
    assert_eq!(snapshot(&world, &theirs).await?, before, "something of Ann's was changed");
    Ok(())
}

#[tokio::test]
async fn lists_counts_and_cursors_show_only_ones_own() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    for n in 0..3 {
        world.affiliate(&campaign, &format!("a{n}@example.com")).await?;
    }
    world.ann(Method::POST, "/v1/affiliates/approve", json!({ "campaign": campaign, "all": true })).await?;
    let page = world.ann(Method::GET, "/v1/affiliates?limit=1", Value::Null).await?.json();
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let sync_page = world.ann(Method::GET, "/v1/syncs?limit=1", Value::Null).await?.json();
    let sync_cursor = sync_page["next_cursor"].as_str().expect("a cursor");
    for path in [
        "/v1/connections".to_owned(),
        "/v1/campaigns".to_owned(),
        "/v1/affiliates".to_owned(),
        "/v1/syncs".to_owned(),
        format!("/v1/affiliates?cursor={cursor}"),
        format!("/v1/syncs?cursor={sync_cursor}"),
    ] {
        let answer = world.bob(Method::GET, &path, Value::Null).await?;
        assert_eq!(answer.json()["data"], json!([]), "{path}");
    }
    let counts = world.bob(Method::GET, "/v1/syncs/counts", Value::Null).await?.json();
    assert!(counts.as_object().expect("counts").values().all(|n| n == 0), "{counts}");
    Ok(())
}

async fn import(world: &World, path: &str) -> anyhow::Result<crm_api_tests::Answer> {
    let request = http::Request::builder().method("POST").uri(path).header("authorization", format!("Bearer {}", world.bob.key));
    world.send(request.header("content-type", "text/csv").body(axum::body::Body::from("Email\nx@example.com\n"))?).await
}

async fn snapshot(world: &World, things: &Things) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for path in [
        format!("/v1/connections/{}", things.connection),
        format!("/v1/campaigns/{}", things.campaign),
        format!("/v1/affiliates/{}", things.affiliate),
        format!("/v1/syncs/{}", things.sync),
        "/v1/affiliates".to_owned(),
    ] {
        all.push(world.ann(Method::GET, &path, Value::Null).await?.json());
    }
    Ok(all)
}

fn without_request_id(mut problem: Value) -> Value {
    if let Some(map) = problem.as_object_mut() {
        map.remove("request_id");
    }
    problem
}
