//! `Idempotency-Key`: one effect and one answer, however often a POST is sent.

use std::sync::atomic::Ordering;

use crm_api_tests::{Answer, World, json_request};
use http::Method;
use serde_json::{Value, json};

async fn post(world: &World, bearer: &str, path: &str, key: &str, body: &Value) -> anyhow::Result<Answer> {
    let mut request = json_request(&Method::POST, path, bearer, body);
    request.headers_mut().insert("idempotency-key", key.parse()?);
    world.send(request).await
}

#[tokio::test]
async fn the_same_request_is_answered_again_without_a_second_effect() -> anyhow::Result<()> {
    let world = World::new().await?;
    let body = json!({ "name": "Spring", "slug": "spring", "commission": { "model": "rev_share", "percent": "25" } });
    let first = post(&world, &world.ann.key, "/v1/campaigns", "k1", &body).await?;
    let second = post(&world, &world.ann.key, "/v1/campaigns", "k1", &body).await?;
    assert_eq!((first.status, &first.text, first.header("etag")), (second.status, &second.text, second.header("etag")));
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    let other = post(
        &world,
        &world.ann.key,
        "/v1/campaigns",
        "k1",
        &json!({ "name": "Other", "slug": "other", "commission": { "model": "rev_share", "percent": "25" } }),
    )
    .await?;
    assert_eq!(other.problem("other body"), "idempotency_mismatch");
    // A refusal is kept too, and comes with the id of the request that repeats it.
    let taken = post(&world, &world.ann.key, "/v1/campaigns", "k2", &body).await?;
    let again = post(&world, &world.ann.key, "/v1/campaigns", "k2", &body).await?;
    assert_eq!((taken.problem("taken"), again.problem("again")), ("already_exists".to_owned(), "already_exists".to_owned()));
    assert_ne!(taken.header("x-request-id"), again.header("x-request-id"));
    for bad in ["", &"x".repeat(256)] {
        assert_eq!(post(&world, &world.ann.key, "/v1/campaigns", bad, &body).await?.problem("bad key"), "invalid_header");
    }
    Ok(())
}

#[tokio::test]
async fn keys_belong_to_an_organization_and_a_route() -> anyhow::Result<()> {
    let world = World::new().await?;
    let body = json!({ "name": "Spring", "slug": "spring", "commission": { "model": "rev_share", "percent": "25" } });
    assert_eq!(post(&world, &world.ann.key, "/v1/campaigns", "k1", &body).await?.status, 201);
    let theirs = post(&world, &world.bob.key, "/v1/campaigns", "k1", &body).await?;
    assert_eq!((theirs.status.as_u16(), theirs.header("idempotency-replayed")), (201, ""));
    let elsewhere = post(&world, &world.ann.key, "/v1/affiliates", "k1", &body).await?;
    assert_eq!(elsewhere.problem("elsewhere"), "validation_failed");
    assert_eq!(post(&world, "", "/v1/campaigns", "k1", &body).await?.problem("no key"), "unauthorized");
    Ok(())
}

#[tokio::test]
async fn many_at_once_have_one_effect() -> anyhow::Result<()> {
    let world = std::sync::Arc::new(World::new().await?);
    let body = json!({ "name": "Spring", "slug": "spring", "commission": { "model": "rev_share", "percent": "25" } });
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (world, body) = (world.clone(), body.clone());
            tokio::spawn(async move { post(&world, &world.ann.key, "/v1/campaigns", "k1", &body).await })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        let answer = task.await??;
        match answer.status.as_u16() {
            201 => created += 1,
            _ => assert_eq!(answer.problem("racing"), "idempotency_running"),
        }
    }
    assert!(created >= 1);
    let list = world.ann(Method::GET, "/v1/campaigns", Value::Null).await?.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn after_a_day_a_key_is_free_again_and_old_ones_are_cleared() -> anyhow::Result<()> {
    let world = World::new().await?;
    let body = |n: u32| json!({ "name": "Spring", "slug": format!("spring-{n}"), "commission": { "model": "rev_share", "percent": "25" } });
    for n in 0..20 {
        post(&world, &world.ann.key, "/v1/campaigns", &format!("old{n}"), &body(n)).await?;
    }
    world.clock.0.fetch_add(25 * 60 * 60 * 1_000, Ordering::SeqCst);
    let fresh = post(&world, &world.ann.key, "/v1/campaigns", "old1", &body(100)).await?;
    assert_eq!((fresh.status.as_u16(), fresh.header("idempotency-replayed")), (201, ""));
    for n in 0..40 {
        post(&world, &world.ann.key, "/v1/campaigns", &format!("new{n}"), &body(200 + n)).await?;
    }
    let kept = world.ctx.store.page(&world.ann.organization, crm_store::model::Kind::Idempotency, None, 500).await?;
    assert!(kept.len() < 61, "{} kept", kept.len());
    Ok(())
}

#[tokio::test]
async fn a_key_left_running_by_a_lost_process_is_taken_over_in_time() -> anyhow::Result<()> {
    let world = World::new().await?;
    let body = json!({ "name": "Spring", "slug": "spring", "commission": { "model": "rev_share", "percent": "25" } });
    post(&world, &world.ann.key, "/v1/campaigns", "k1", &body).await?;
    // What a process leaves behind that dies between mark and answer.
    let kept = world.ctx.store.page(&world.ann.organization, crm_store::model::Kind::Idempotency, None, 10).await?;
    let record = kept.first().expect("a record");
    let mut mark: Value = serde_json::from_str(&record.json)?;
    mark["answer"] = Value::Null;
    let key = crm_store::model::RecordKey { organization: record.organization.clone(), kind: record.kind, id: record.id.clone() };
    let put = crm_store::model::Put { record: key, expect: None, json: Some(mark.to_string()), unique: Vec::new() };
    world.ctx.store.commit(vec![put], Vec::new()).await?;
    assert_eq!(post(&world, &world.ann.key, "/v1/campaigns", "k1", &body).await?.problem("running"), "idempotency_running");
    world.clock.0.fetch_add(11 * 60 * 1_000, Ordering::SeqCst);
    assert_eq!(post(&world, &world.ann.key, "/v1/campaigns", "k1", &body).await?.problem("taken over"), "already_exists");
    Ok(())
}
