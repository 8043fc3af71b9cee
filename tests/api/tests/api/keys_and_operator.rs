//! Keys through the API, the operator's routes, and what the audit log says of both.

use crm_api_tests::{Answer, World, json_request};
use crm_sync::services::{operators, organizations};
use http::{Method, StatusCode};
use serde_json::{Value, json};

async fn by(world: &World, key: &str, method: Method, path: &str, body: Value) -> anyhow::Result<Answer> {
    world.send(json_request(&method, path, key, &body)).await
}

#[tokio::test]
async fn a_key_is_shown_once_used_and_revoked_but_never_the_last_that_writes() -> anyhow::Result<()> {
    let world = World::new().await?;
    let made = world.ann(Method::POST, "/v1/api-keys", json!({ "name": "ci", "scope": "read" })).await?;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (id, secret) =
        (made.json()["id"].as_str().unwrap_or_default().to_owned(), made.json()["secret"].as_str().unwrap_or_default().to_owned());
    assert!(secret.starts_with("rk_live_") && secret.ends_with(made.json()["last4"].as_str().unwrap_or("?")));

    assert_eq!(by(&world, &secret, Method::GET, "/v1/campaigns", Value::Null).await?.status, StatusCode::OK);
    assert_eq!(by(&world, &secret, Method::POST, "/v1/api-keys", json!({ "name": "x", "scope": "read" })).await?.code(), "forbidden_scope");
    let list = world.ann(Method::GET, "/v1/api-keys", Value::Null).await?;
    assert!(!list.text.contains(&secret), "a list never shows a key");
    assert_eq!(list.json()["data"].as_array().map(Vec::len), Some(3));

    let gone = world.ann(Method::DELETE, &format!("/v1/api-keys/{id}"), Value::Null).await?;
    assert!(gone.json()["revoked"].is_string(), "{}", gone.text);
    assert_eq!(by(&world, &secret, Method::GET, "/v1/campaigns", Value::Null).await?.status, StatusCode::UNAUTHORIZED);
    let last = world.ann(Method::DELETE, &format!("/v1/api-keys/{}", world.ann.key_id), Value::Null).await?;
    assert_eq!((last.status, last.code().as_str()), (StatusCode::CONFLICT, "last_key"));
    Ok(())
}

#[tokio::test]
async fn when_a_key_was_last_used_is_kept_to_the_minute() -> anyhow::Result<()> {
    let world = World::new().await?;
    let path = format!("/v1/api-keys/{}", world.ann.key_id);
    world.ann(Method::GET, "/v1/campaigns", Value::Null).await?;
    // It is noted beside the request: looked for until it is there.
    let mut seen = Value::Null;
    for _ in 0..10_000 {
        seen = world.ann(Method::GET, &path, Value::Null).await?.json()["last_used"].clone();
        if seen.is_string() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(seen.is_string(), "it was never noted");
    assert_eq!(world.ann(Method::GET, &path, Value::Null).await?.json()["last_used"], seen, "within a minute nothing is written");
    Ok(())
}

#[tokio::test]
async fn a_test_organizations_keys_say_so() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (_, operator) = operators::create(&world.ctx, "ops").await?;
    let made = by(&world, &operator, Method::POST, "/v1/admin/organizations", json!({ "name": "Sandbox", "test": true })).await?;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap_or_default().to_owned();
    let path = format!("/v1/admin/organizations/{id}/keys");
    let key = by(&world, &operator, Method::POST, &path, json!({ "name": "first", "scope": "read_write" })).await?;
    let secret = key.json()["secret"].as_str().unwrap_or_default().to_owned();
    assert!(secret.starts_with("rk_test_"), "{}", key.text);
    let own = by(&world, &secret, Method::GET, "/v1/organization", Value::Null).await?.json();
    assert_eq!((own["id"].as_str(), own["test"].as_bool()), (Some(id.as_str()), Some(true)));
    let all = by(&world, &operator, Method::GET, "/v1/admin/organizations", Value::Null).await?.json();
    assert_eq!(all["data"].as_array().map(Vec::len), Some(3), "{all}");
    Ok(())
}

#[tokio::test]
async fn the_operator_opens_no_merchants_data_and_a_merchant_no_administration() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (record, operator) = operators::create(&world.ctx, "ops").await?;
    assert!(operator.starts_with("rk_op_"));
    assert_eq!(by(&world, &operator, Method::GET, "/v1/campaigns", Value::Null).await?.status, StatusCode::UNAUTHORIZED);
    let theirs = world.ann(Method::GET, "/v1/admin/organizations", Value::Null).await?;
    assert_eq!((theirs.status, theirs.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(by(&world, "", Method::GET, "/v1/admin/organizations", Value::Null).await?.status, StatusCode::UNAUTHORIZED);
    let listed = organizations::list(&world.ctx, None, 10).await?;
    assert_eq!(listed.items.len(), 2, "a refused request made nothing");
    operators::revoke(&world.ctx, &record.id).await?;
    assert_eq!(by(&world, &operator, Method::GET, "/v1/admin/organizations", Value::Null).await?.status, StatusCode::UNAUTHORIZED);
    Ok(())
}

#[tokio::test]
async fn the_audit_log_says_who_did_what_newest_first_and_as_a_table() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &["=cmd()"]).await?;
    world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), json!({ "name": "Summer" })).await?;
    world.ann(Method::PATCH, "/v1/organization", json!({ "portal_url": "https://portal.example/" })).await?;
    let log = world.ann(Method::GET, "/v1/audit-log", Value::Null).await?.json();
    let actions: Vec<&str> = log["data"].as_array().into_iter().flatten().filter_map(|e| e["action"].as_str()).collect();
    assert_eq!(actions[..3], ["organization.updated", "campaign.updated", "campaign.created"], "{log}");
    let updated = &log["data"][1];
    assert_eq!((updated["target"].as_str(), updated["details"]["fields"].as_str()), (Some(campaign.as_str()), Some("name")));
    assert_eq!((updated["actor"]["kind"].as_str(), updated["actor"]["id"].as_str()), (Some("api_key"), Some(world.ann.key_id.as_str())));

    let some = world.ann(Method::GET, &format!("/v1/audit-log?target={campaign}&action=campaign.up"), Value::Null).await?.json();
    assert_eq!(some["data"].as_array().map(Vec::len), Some(1), "{some}");
    let page = world.ann(Method::GET, "/v1/audit-log?limit=1", Value::Null).await?.json();
    let next = page["next_cursor"].as_str().unwrap_or_default();
    let second = world.ann(Method::GET, &format!("/v1/audit-log?limit=1&cursor={next}"), Value::Null).await?.json();
    assert_eq!(second["data"][0]["action"], "campaign.updated");
    let at = updated["at"].as_str().unwrap_or_default();
    let since = world.ann(Method::GET, &format!("/v1/audit-log?since={at}"), Value::Null).await?.json();
    assert_eq!(since["data"].as_array().map(Vec::len), Some(2), "{since}");
    let until = world.ann(Method::GET, &format!("/v1/audit-log?until={at}&limit=1"), Value::Null).await?.json();
    assert_eq!(until["data"][0]["action"], "campaign.created", "{until}");
    assert_eq!(world.ann(Method::GET, "/v1/audit-log?since=yesterday", Value::Null).await?.status, StatusCode::UNPROCESSABLE_ENTITY);

    let table = world.ann(Method::GET, "/v1/audit-log/export", Value::Null).await?;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    assert!(table.text.starts_with("id,at,action,target,details,actor_kind,actor_id,ip,request_id\r\n"), "{}", table.text);
    assert!(table.text.contains("campaign.updated"));
    assert!(!world.bob(Method::GET, "/v1/audit-log/export", Value::Null).await?.text.contains(&campaign));
    Ok(())
}

#[tokio::test]
async fn old_lines_of_the_audit_log_are_let_go() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.campaign("spring", &[]).await?;
    world.clock.0.fetch_add(401 * 86_400_000, std::sync::atomic::Ordering::SeqCst);
    world.campaign("autumn", &[]).await?;
    crm_sync::services::audit::sweep(&world.ctx).await;
    let log = world.ann(Method::GET, "/v1/audit-log", Value::Null).await?.json();
    assert_eq!(log["data"].as_array().map(Vec::len), Some(1), "{log}");
    Ok(())
}
