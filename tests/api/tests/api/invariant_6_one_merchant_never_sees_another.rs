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
    import: String,
    endpoint: String,
    delivery: String,
    invite: String,
    key: String,
}

impl Things {
    fn of_path(&self, path: &str) -> Option<&str> {
        let resource = path.strip_prefix("/v1/")?.split('/').next()?;
        match resource {
            "connections" => Some(&self.connection),
            "campaigns" => Some(&self.campaign),
            "affiliates" => Some(&self.affiliate),
            "syncs" => Some(&self.sync),
            "imports" => Some(&self.import),
            "webhook-endpoints" => Some(&self.endpoint),
            "webhook-deliveries" => Some(&self.delivery),
            "invites" => Some(&self.invite),
            "api-keys" => Some(&self.key),
            // Nobody but the operator finds anything here.
            "admin" => Some(&self.campaign),
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
        "approve_affiliates" | "reject_affiliates" | "pause_affiliates" | "remove_affiliates" => json!({ "ids": [things.affiliate] }),
        "erase_affiliate" => json!({ "confirm": "zoe@example.com" }),
        "create_invites" => json!({ "campaign": things.campaign, "people": [{ "email": "x@example.com" }] }),
        "join_campaign" => json!({ "campaign": things.campaign }),
        "update_affiliate" => json!({ "first": "taken over" }),
        "set_override" => json!({ "off": true }),
        "resync_connection" => json!({ "all": true }),
        "preview_sync" => json!({ "connection": things.connection, "person": { "email": "x@example.com" } }),
        "start_authorization_with" => json!({ "connection": things.connection }),
        "retry_sync" => json!({ "mode": "start" }),
        "prepare_connection" => json!({ "apply": true }),
        "update_connection" | "update_campaign" | "update_api_key" => json!({ "name": "taken over" }),
        "create_organization_key" | "create_organization" => json!({ "name": "mine", "scope": "read" }),
        "update_webhook_endpoint" => json!({ "url": "https://bob.example.com/" }),
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
    "create_webhook_endpoint",
    "list_webhook_endpoints",
    "list_event_types",
    "get_organization",
    "update_organization",
    "create_api_key",
    "list_api_keys",
    "list_audit_log",
    "export_audit_log",
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
    let imported = world.checked(&format!("campaign={campaign}&format=custom"), "Email\nimported@example.com\n").await?;
    let endpoint = world.ann(Method::POST, "/v1/webhook-endpoints", json!({ "url": "https://ann.example.com/" })).await?.json();
    let endpoint = endpoint["id"].as_str().expect("an endpoint").to_owned();
    let delivery = world.ann(Method::POST, &format!("/v1/webhook-endpoints/{endpoint}/test"), Value::Null).await?.json();
    let delivery = delivery["id"].as_str().expect("a delivery").to_owned();
    let people = json!({ "campaign": campaign, "people": [{ "email": "max@example.com" }] });
    let invites = world.ann(Method::POST, "/v1/invites", people).await?.json();
    let invite = invites["results"][0]["invite"].as_str().expect("an invite").to_owned();
    let theirs =
        Things { connection, campaign, affiliate, sync, import: imported, endpoint, delivery, invite, key: world.ann.key_id.clone() };
    let nobodys = Things {
        connection: absent(&theirs.connection),
        campaign: absent(&theirs.campaign),
        affiliate: absent(&theirs.affiliate),
        sync: absent(&theirs.sync),
        import: absent(&theirs.import),
        endpoint: absent(&theirs.endpoint),
        delivery: absent(&theirs.delivery),
        key: absent(&theirs.key),
        invite: absent(&theirs.invite),
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
                let fill = |things: &Things| {
                    things.of_path(path).map(|t| {
                        path.replace("{id}", t)
                            .replace("{picker}", "list")
                            .replace("{sync}", &things.sync)
                            .replace("{connection}", &things.connection)
                    })
                };
                let (a, b) = (fill(&theirs).expect("a resource"), fill(&nobodys).expect("a resource"));
                attempts.push((a, b, body(id, &theirs), body(id, &nobodys)));
            } else if let (Some(a), Some(b)) = (body(id, &theirs), body(id, &nobodys)) {
                attempts.push((path.clone(), path.clone(), Some(a), Some(b)));
            }
            // For a merchant there is nothing where the operator works.
            if path.starts_with("/v1/admin/") && attempts.is_empty() {
                let path = path.replace("{slug}", "acme").replace("{digest}", &"0".repeat(64));
                attempts.push((path.clone(), path, None, None));
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
                let (a, b) = if matches!(id, "create_import" | "create_invites_from_file") {
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
        format!("/v1/webhook-endpoints/{}", things.endpoint),
        format!("/v1/webhook-deliveries/{}", things.delivery),
        format!("/v1/imports/{}", things.import),
        format!("/v1/invites/{}", things.invite),
        "/v1/invites".to_owned(),
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
