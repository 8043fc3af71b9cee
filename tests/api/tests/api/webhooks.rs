//! Webhooks as a merchant meets them: endpoints, secrets that are shown once, deliveries, and sending again. What leaves is seen by a
//! double; how it is signed and kept from going astray is egress's own matter, and tested there.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crm_api_tests::{Answer, World, json_request};
use crm_store::model::Kind;
use crm_sync::worker::Workers;
use http::{Method, StatusCode};
use serde_json::{Value, json};

const URL: &str = "https://hooks.example.com/in";
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

async fn endpoint(world: &World, events: &[&str]) -> anyhow::Result<(String, String)> {
    let made = world.ann(Method::POST, "/v1/webhook-endpoints", json!({ "url": URL, "events": events })).await?;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    Ok((made["id"].as_str().expect("an id").to_owned(), made["secret"].as_str().expect("a secret").to_owned()))
}

async fn get(world: &World, path: &str) -> anyhow::Result<Value> {
    Ok(world.ann(Method::GET, path, Value::Null).await?.json())
}

async fn patch(world: &World, id: &str, body: Value) -> anyhow::Result<Answer> {
    world.ann(Method::PATCH, &format!("/v1/webhook-endpoints/{id}"), body).await
}

async fn post(world: &World, path: &str) -> anyhow::Result<Answer> {
    world.ann(Method::POST, path, Value::Null).await
}

/// Asks until a delivery has come to a state.
async fn until(world: &World, delivery: &str, state: &str) -> anyhow::Result<Value> {
    loop {
        let found = get(world, &format!("/v1/webhook-deliveries/{delivery}")).await?;
        if found["state"] == state {
            return Ok(found);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_endpoint_is_made_read_changed_disabled_and_deleted() -> anyhow::Result<()> {
    let world = World::new().await?;
    let body = json!({ "url": URL, "description": "Our shop", "events": ["sync.failed", "affiliate.approved", "sync.failed"] });
    let made = world.ann(Method::POST, "/v1/webhook-endpoints", body).await?;
    let (tag, made) = (made.header("etag").to_owned(), made.json());
    assert_eq!(made["events"], json!(["affiliate.approved", "sync.failed"]), "without repeats, in the catalogue's order");
    assert_eq!((&made["enabled"], &made["disabled_reason"], &made["failing_since"]), (&json!(true), &Value::Null, &Value::Null));
    let id = made["id"].as_str().expect("an id");
    let path = format!("/v1/webhook-endpoints/{id}");
    let read = world.ann(Method::GET, &path, Value::Null).await?;
    assert_eq!(read.header("etag"), tag);
    let read = read.json();
    assert_eq!((&read["url"], &read["description"], read.get("secret")), (&json!(URL), &json!("Our shop"), None));
    assert_eq!(get(&world, "/v1/webhook-endpoints").await?["data"], json!([read]));

    let changed =
        patch(&world, id, json!({ "url": "https://other.example.com/", "description": null, "events": ["*", "sync.failed"] })).await?;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let changed = changed.json();
    assert_eq!(
        (&changed["url"], &changed["description"], &changed["events"]),
        (&json!("https://other.example.com/"), &Value::Null, &json!(["*"]))
    );
    let mut stale = json_request(&Method::PATCH, &path, &world.ann.key, &json!({ "enabled": false }));
    stale.headers_mut().insert("if-match", tag.parse()?);
    assert_eq!(world.send(stale).await?.problem("stale"), "precondition_failed");

    let off = patch(&world, id, json!({ "enabled": false })).await?.json();
    assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("merchant")));
    assert!(off["disabled_at"].is_string());
    assert_eq!(post(&world, &format!("{path}/test")).await?.problem("off"), "webhook_endpoint_disabled");
    let on = patch(&world, id, json!({ "enabled": true })).await?.json();
    assert_eq!((&on["enabled"], &on["disabled_reason"], &on["disabled_at"]), (&json!(true), &Value::Null, &Value::Null));

    let test = post(&world, &format!("{path}/test")).await?.json();
    assert_eq!(world.ann(Method::DELETE, &path, Value::Null).await?.status, StatusCode::NO_CONTENT);
    assert_eq!(world.ann(Method::GET, &path, Value::Null).await?.problem("gone"), "not_found");
    assert_eq!(world.ann(Method::DELETE, &path, Value::Null).await?.problem("gone"), "not_found");
    assert_eq!(get(&world, "/v1/webhook-endpoints").await?["data"], json!([]));
    let left = format!("/v1/webhook-deliveries/{}", test["id"].as_str().expect("an id"));
    assert_eq!(get(&world, &left).await?["state"], "cancelled", "what was on its way is cancelled and can be looked at");
    assert_eq!(post(&world, &format!("{left}/resend")).await?.problem("gone"), "webhook_endpoint_deleted");
    let entries = world.ctx.store.page(&world.ann.organization, Kind::Audit, None, 100).await?;
    let actions: Vec<Value> =
        entries.iter().filter_map(|r| serde_json::from_str::<Value>(&r.json).ok()).map(|e| e["action"].clone()).collect();
    for action in ["created", "updated", "tested", "deleted"] {
        assert!(actions.contains(&json!(format!("webhook_endpoint.{action}"))), "{actions:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_an_endpoint_is_said_at_its_field() -> anyhow::Result<()> {
    let world = World::new().await?;
    let cases = [
        (json!({ "url": "http://hooks.example.com" }), "url"),
        (json!({ "url": format!("{URL}{}", "x".repeat(2_048)) }), "url"),
        (json!({ "url": URL, "events": [] }), "events"),
        (json!({ "url": URL, "events": vec!["sync.failed"; 101] }), "events"),
        (json!({ "url": URL, "events": ["sync.failed", "sync.exploded"] }), "events[1]"),
        (json!({ "url": URL, "description": "two\nlines" }), "description"),
    ];
    for (body, field) in cases {
        let answer = world.ann(Method::POST, "/v1/webhook-endpoints", body.clone()).await?;
        assert_eq!(
            (answer.problem("new").as_str(), answer.json()["field"].as_str()),
            ("validation_failed", Some(field)),
            "{}",
            answer.text
        );
        assert!(!answer.text.contains("exploded"), "what was typed is not repeated");
    }
    let (id, _) = endpoint(&world, &["*"]).await?;
    assert_eq!(patch(&world, &id, json!({ "url": "nonsense" })).await?.json()["field"], "url");
    let unknown = format!("/v1/webhook-endpoints/{id}/deliveries?event_type=sync.exploded");
    assert_eq!(world.ann(Method::GET, &unknown, Value::Null).await?.problem("unknown"), "validation_failed");
    Ok(())
}

#[tokio::test]
async fn twenty_endpoints_are_all_that_fit_however_many_are_asked_for_at_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let body = json!({ "url": URL });
    let asked = (0..26).map(|_| world.ann(Method::POST, "/v1/webhook-endpoints", body.clone()));
    let answers = futures_util::future::try_join_all(asked).await?;
    let made = answers.iter().filter(|a| a.status == StatusCode::CREATED).count();
    let refused = answers.iter().filter(|a| a.status != StatusCode::CREATED).map(|a| a.problem("full")).collect::<BTreeSet<_>>();
    assert!(refused.iter().all(|code| code == "webhook_endpoints_full" || code == "changed"), "{refused:?}");
    for _ in made..20 {
        assert_eq!(world.ann(Method::POST, "/v1/webhook-endpoints", body.clone()).await?.status, StatusCode::CREATED);
    }
    assert_eq!(world.ann(Method::POST, "/v1/webhook-endpoints", body).await?.problem("full"), "webhook_endpoints_full");
    let first = get(&world, "/v1/webhook-endpoints?limit=15").await?;
    let rest = get(&world, &format!("/v1/webhook-endpoints?cursor={}", first["next_cursor"].as_str().expect("a cursor"))).await?;
    let ids = |page: &Value| page["data"].as_array().expect("a page").iter().map(|e| e["id"].to_string()).collect::<Vec<_>>();
    let all: BTreeSet<String> = ids(&first).into_iter().chain(ids(&rest)).collect();
    assert_eq!((ids(&first).len(), all.len(), &rest["has_more"]), (15, 20, &json!(false)));
    Ok(())
}

#[tokio::test]
async fn a_secret_is_in_one_answer_and_nowhere_else() -> anyhow::Result<()> {
    let world = World::new().await?;
    let keyed = |path: &str, body: &Value| {
        let mut request = json_request(&Method::POST, path, &world.ann.key, body);
        request.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("once"));
        request
    };
    let body = json!({ "url": URL });
    let made = world.send(keyed("/v1/webhook-endpoints", &body)).await?.json();
    let (id, secret) = (made["id"].as_str().expect("an id"), made["secret"].as_str().expect("a secret"));
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{} characters", secret.len());
    assert_eq!(world.send(keyed("/v1/webhook-endpoints", &body)).await?.problem("again"), "idempotency_answered");
    assert_eq!(get(&world, "/v1/webhook-endpoints").await?["data"].as_array().map(Vec::len), Some(1), "made once");
    let rotate = format!("/v1/webhook-endpoints/{id}/secret/rotate");
    let rotated = world.send(keyed(&rotate, &Value::Null)).await?.json();
    let newer = rotated["secret"].as_str().expect("a secret");
    assert_ne!(newer, secret);
    assert_eq!(world.send(keyed(&rotate, &Value::Null)).await?.problem("again"), "idempotency_answered");
    for kind in [Kind::Idempotency, Kind::WebhookEndpoint, Kind::Audit] {
        for record in world.ctx.store.page(&world.ann.organization, kind, None, 100).await? {
            assert!(![secret, newer].iter().any(|s| record.json.contains(&s[6..])), "{kind:?} {}", record.id);
        }
    }
    Ok(())
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day_and_an_older_one_ends_at_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let workers = Workers::start(world.ctx.clone());
    let (id, first) = endpoint(&world, &["sync.failed"]).await?;
    let mut count = 0;
    let mut signed = async || {
        post(&world, &format!("/v1/webhook-endpoints/{id}/test")).await?;
        count += 1;
        Ok::<_, anyhow::Error>(world.courier.until(count).await[count - 1].signed_by.clone())
    };
    let rotate = async || {
        let answer = post(&world, &format!("/v1/webhook-endpoints/{id}/secret/rotate")).await?;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        Ok::<_, anyhow::Error>(answer.json()["secret"].as_str().expect("a secret").to_owned())
    };
    assert_eq!(signed().await?, std::slice::from_ref(&first));
    let second = rotate().await?;
    assert_eq!(signed().await?, [second.clone(), first.clone()]);
    assert!(get(&world, &format!("/v1/webhook-endpoints/{id}")).await?["previous_secret_until"].is_string());
    world.clock.0.fetch_add(DAY_MS - 60_000, Ordering::SeqCst);
    assert_eq!(signed().await?, [second.clone(), first]);
    let third = rotate().await?;
    assert_eq!(signed().await?, [third.clone(), second], "the oldest ended with the second rotation");
    world.clock.0.fetch_add(DAY_MS, Ordering::SeqCst);
    assert_eq!(signed().await?, [third]);
    workers.drain(Duration::from_secs(5)).await?;
    Ok(())
}

#[tokio::test]
async fn an_approval_reaches_the_endpoint_made_just_before_with_one_id_on_all_endpoints() -> anyhow::Result<()> {
    let world = World::new().await?;
    let workers = Workers::start(world.ctx.clone());
    let campaign = world.campaign("spring", &[]).await?;
    let before = world.affiliate(&campaign, "early@example.com").await?;
    let (all, _) = endpoint(&world, &["*"]).await?;
    let (one, _) = endpoint(&world, &["affiliate.approved"]).await?;
    let (deaf, _) = endpoint(&world, &["import.finished"]).await?;
    let affiliate = world.affiliate(&campaign, "zoe@example.com").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{affiliate}/approve"), Value::Null).await?;
    let sent = world.courier.until(3).await;
    let of = |kind: &str| sent.iter().filter(|s| s.body["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("affiliate.applied").len(), of("affiliate.approved").len()), (1, 2));
    let approved = of("affiliate.approved");
    assert_eq!(approved[0].id, approved[1].id);
    assert!(approved[0].id.starts_with("evt_") && approved[0].id != of("affiliate.applied")[0].id);
    let data = &approved[0].body["data"];
    assert_eq!((&data["affiliate"]["id"], &data["affiliate"]["email"]), (&json!(affiliate), &json!("zoe@example.com")));
    assert_eq!((&data["membership"]["campaign"], &data["membership"]["status"]), (&json!(campaign), &json!("approved")));
    assert!(!sent.iter().any(|s| s.body["data"]["affiliate"]["id"] == json!(before)), "an event from before there was an endpoint");

    let path = format!("/v1/webhook-endpoints/{all}/deliveries");
    let newest = get(&world, &format!("{path}?event_type=affiliate.approved")).await?["data"][0].clone();
    let detail = until(&world, newest["id"].as_str().expect("an id"), "succeeded").await?;
    assert_eq!((&detail["event"], &detail["event_type"]), (&json!(approved[0].id), &json!("affiliate.approved")));
    assert_eq!(detail["payload"], approved[0].body);
    let attempt = &detail["history"][0];
    assert_eq!(
        (&attempt["status"], &attempt["answer"], &attempt["took_ms"], &attempt["error"]),
        (&json!(204), &json!("answer 204"), &json!(7), &Value::Null)
    );
    assert_eq!((&detail["planned"], &detail["next_at"], &detail["attempts"]), (&json!([]), &Value::Null, &json!(1)));
    for (query, count) in [("", 2), ("?event_type=affiliate.applied", 1), ("?event_type=sync.failed", 0), ("?state=failed", 0)] {
        assert_eq!(get(&world, &format!("{path}{query}")).await?["data"].as_array().map(Vec::len), Some(count), "{query}");
    }
    assert_eq!(get(&world, &format!("/v1/webhook-endpoints/{one}/deliveries")).await?["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(get(&world, &format!("/v1/webhook-endpoints/{deaf}/deliveries")).await?["data"], json!([]));
    let syncs = get(&world, "/v1/syncs").await?;
    assert!(!syncs.to_string().contains("dlv_"), "deliveries are no syncs");
    assert_eq!(
        world.ann(Method::GET, &format!("/v1/syncs/{}", newest["id"].as_str().unwrap_or_default()), Value::Null).await?.problem("sync"),
        "not_found"
    );
    workers.drain(Duration::from_secs(5)).await?;
    Ok(())
}

#[tokio::test]
async fn a_delivery_is_sent_again_by_hand_with_the_same_id_and_body() -> anyhow::Result<()> {
    let world = World::new().await?;
    let workers = Workers::start(world.ctx.clone());
    let (id, _) = endpoint(&world, &["*"]).await?;
    world.courier.answers(500);
    let test = post(&world, &format!("/v1/webhook-endpoints/{id}/test")).await?.json();
    let first = test["id"].as_str().expect("an id");
    world.courier.until(1).await;
    let waiting = until(&world, first, "retrying").await?;
    assert_eq!((&waiting["reason"], &waiting["attempts"]), (&json!("it answered 500"), &json!(1)));
    let planned: Vec<&str> = waiting["planned"].as_array().expect("a plan").iter().filter_map(Value::as_str).collect();
    assert_eq!((planned.len(), Some(planned[0])), (9, waiting["next_at"].as_str()), "nine of ten tries are left");
    assert!(planned.windows(2).all(|pair| pair[0] < pair[1]), "{planned:?}");
    // Noted just after the delivery's own end.
    while get(&world, &format!("/v1/webhook-endpoints/{id}")).await?["failing_since"].is_null() {
        tokio::task::yield_now().await;
    }

    world.courier.answers(200);
    let again = post(&world, &format!("/v1/webhook-deliveries/{first}/resend")).await?;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::ACCEPTED, &json!(first)), "an open one is brought forward");
    world.courier.until(2).await;
    let done = until(&world, first, "succeeded").await?;
    assert_eq!(done["history"].as_array().map(Vec::len), Some(2));

    let once_more = post(&world, &format!("/v1/webhook-deliveries/{first}/resend")).await?.json();
    let second = once_more["id"].as_str().expect("an id");
    assert_ne!(second, first, "a finished one stays as it ended");
    let sent = world.courier.until(3).await;
    until(&world, second, "succeeded").await?;
    assert!(sent.iter().all(|s| s.id == sent[0].id && s.body == sent[0].body), "{sent:?}");
    assert_eq!((&sent[0].body["type"], &sent[0].body["data"]["endpoint"]), (&json!("webhook.test"), &json!(id)));
    assert_eq!(until(&world, first, "succeeded").await?, done);
    workers.drain(Duration::from_secs(5)).await?;
    Ok(())
}

#[tokio::test]
async fn a_disconnection_is_told_once_however_often_it_is_asked_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let connection = world.connect().await?;
    let (id, _) = endpoint(&world, &["connection.disconnected", "connection.restored"]).await?;
    for _ in 0..2 {
        world.ann(Method::DELETE, &format!("/v1/connections/{connection}"), Value::Null).await?;
    }
    let made = get(&world, &format!("/v1/webhook-endpoints/{id}/deliveries")).await?;
    assert_eq!((made["data"].as_array().map(Vec::len), &made["data"][0]["event_type"]), (Some(1), &json!("connection.disconnected")));
    let detail = get(&world, &format!("/v1/webhook-deliveries/{}", made["data"][0]["id"].as_str().unwrap_or_default())).await?;
    assert_eq!(detail["payload"]["data"]["connection"]["id"], json!(connection));
    assert_eq!((&detail["state"], detail["planned"].as_array().map(Vec::len)), (&json!("pending"), Some(10)));
    Ok(())
}

#[tokio::test]
async fn the_catalogue_shows_an_example_of_every_type() -> anyhow::Result<()> {
    let world = World::new().await?;
    let types = get(&world, "/v1/event-types").await?;
    let types = types["data"].as_array().expect("types").clone();
    assert_eq!(types.len(), 13);
    for kind in &types {
        assert_eq!(kind["type"], kind["example"]["type"]);
        assert!(kind["description"].as_str().is_some_and(|d| d.ends_with('.')) && kind["example"]["data"].is_object(), "{kind}");
    }
    let names: Vec<&str> = types.iter().filter_map(|kind| kind["type"].as_str()).collect();
    endpoint(&world, &names).await?;
    Ok(())
}
