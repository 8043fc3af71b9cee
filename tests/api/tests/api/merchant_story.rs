//! What a merchant does, through the API alone: connect, pick, approve, look, retry, disconnect.

use std::sync::atomic::Ordering;

use crm_api_tests::{GOOD_KEY, World};
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn the_form_says_which_header_is_missing() -> anyhow::Result<()> {
    let world = World::new().await?;
    for (credentials, field, words) in [
        (json!({ "api_key": GOOD_KEY }), "credentials.app_id", "missing Api-Appid header: paste the App ID as well as the key"),
        (json!({ "app_id": "app-1234" }), "credentials.api_key", "missing Api-Key header: paste the API key as well as the App ID"),
        (
            json!({ "app_id": "  ", "api_key": GOOD_KEY }),
            "credentials.app_id",
            "missing Api-Appid header: paste the App ID as well as the key",
        ),
        (
            json!({ "app_id": "app-1234", "api_key": "pub_123" }),
            "credentials.api_key",
            "this is the public key; the API needs the private one",
        ),
        (json!({ "app_id": "A B", "api_key": GOOD_KEY }), "credentials.app_id", "this does not look like App ID: Settings > API"),
        (
            json!({ "app_id": "app-1234", "api_key": "a\nb" }),
            "credentials.api_key",
            "holds a line break or another invisible character: copy it again",
        ),
        (json!({ "app_id": "app-1234", "api_key": GOOD_KEY, "odd": "x" }), "credentials.odd", "the connect form has no such field"),
    ] {
        let answer = world.ann(Method::POST, "/v1/connections", json!({ "connector": "acme", "credentials": credentials })).await?;
        assert_eq!(answer.problem("connect"), "validation_failed");
        assert_eq!((answer.json()["field"].as_str(), answer.json()["detail"].as_str()), (Some(field), Some(words)));
    }
    let both = world.ann(Method::POST, "/v1/connections", json!({ "connector": "acme" })).await?.json();
    assert_eq!(both["errors"].as_array().map(Vec::len), Some(2), "{both}");
    assert_eq!(world.vendor.sent.load(Ordering::SeqCst), 0, "a form with gaps is not tried");
    Ok(())
}

#[tokio::test]
async fn refused_credentials_leave_nothing_behind() -> anyhow::Result<()> {
    let world = World::new().await?;
    let body = json!({ "connector": "acme", "credentials": { "app_id": "app-1234", "api_key": "wrong-key-wrong" } });
    let answer = world.ann(Method::POST, "/v1/connections", body).await?;
    assert_eq!((answer.problem("connect").as_str(), answer.status), ("credentials_refused", StatusCode::UNPROCESSABLE_ENTITY));
    let json = answer.json();
    assert_eq!(json["detail"], "Your API key does not authenticate.");
    assert_eq!(json["vendor"]["trouble"], "invalid");
    assert_eq!(world.ann(Method::GET, "/v1/connections", Value::Null).await?.json()["data"], json!([]));
    Ok(())
}

#[tokio::test]
async fn connect_pick_approve_preview_disconnect() -> anyhow::Result<()> {
    let world = World::new().await?;
    let id = world.connect().await?;
    let path = format!("/v1/connections/{id}");
    let made = world.ann(Method::GET, &path, Value::Null).await?;
    let json = made.json();
    assert_eq!((json["state"].as_str(), json["account"]["name"].as_str()), (Some("live"), Some("Acme Ltd")));
    assert_eq!(json["credentials"]["api_key"], "0a97".replace("0a97", &GOOD_KEY[GOOD_KEY.len() - 4..]));
    assert_eq!(json["settings"], json!({ "quiet": "true", "region": "us" }));

    // Pickers: two pages, a search, a dependent one, a static one, a typed one.
    let page = world.ann(Method::GET, &format!("{path}/choices/list"), Value::Null).await?.json();
    assert_eq!((page["data"].as_array().map(Vec::len), page["has_more"].as_bool()), (Some(2), Some(true)));
    let next = page["next_cursor"].as_str().unwrap_or_default();
    let second = world.ann(Method::GET, &format!("{path}/choices/list?cursor={next}"), Value::Null).await?.json();
    assert_eq!(second["data"][0]["id"], "list-3");
    let found = world.ann(Method::GET, &format!("{path}/choices/list?search=number%202"), Value::Null).await?.json();
    assert_eq!(found["data"].as_array().map(Vec::len), Some(1));
    let early = world.ann(Method::GET, &format!("{path}/choices/group"), Value::Null).await?;
    assert_eq!((early.problem("group").as_str(), early.json()["field"].as_str()), ("validation_failed", Some("picked.list")));
    let fixed = world.ann(Method::GET, &format!("{path}/choices/kind"), Value::Null).await?.json();
    assert_eq!(fixed["data"][1]["id"], "firm");
    assert_eq!(world.ann(Method::GET, &format!("{path}/choices/odd"), Value::Null).await?.problem("odd"), "not_found");

    // Settings, with and without the right version.
    let etag = made.header("etag").to_owned();
    let change = json!({ "picked": { "list": "list-4", "group": "group-1", "brand": "b1" }, "default_tags": ["VIP", "vip "] });
    let saved = patch(&world, &path, &etag, &change).await?;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text);
    assert_eq!(saved.json()["picked"], json!({ "list": "list-4", "group": "group-1", "brand": "b1" }));
    assert_eq!(saved.json()["default_tags"], json!(["VIP"]));
    assert_ne!(saved.header("etag"), etag);
    assert_eq!(patch(&world, &path, &etag, &change).await?.problem("stale"), "precondition_failed");
    assert_eq!(patch(&world, &path, "7", &change).await?.problem("odd"), "invalid_header");
    for (change, code, field) in [
        (json!({ "picked": { "list": "nothing" } }), "validation_failed", "picked.list"),
        (json!({ "picked": { "list": "list-5" } }), "validation_failed", "picked.list"),
        (json!({ "picked": { "list": null } }), "validation_failed", "picked.list"),
        (json!({ "picked": { "odd": "x" } }), "validation_failed", "picked.odd"),
        (json!({ "picked": { "brand": "b2" } }), "picker_locked", ""),
        (json!({ "settings": { "quiet": "maybe" } }), "validation_failed", "settings.quiet"),
        (json!({ "settings": { "region": "mars" } }), "validation_failed", "settings.region"),
        (json!({ "settings": { "site": "x" } }), "validation_failed", "settings.site"),
        (json!({ "default_tags": ["a;b"] }), "validation_failed", "default_tags.0"),
        (json!({ "default_tags": ["x".repeat(26)] }), "validation_failed", "default_tags.0"),
    ] {
        let answer = world.ann(Method::PATCH, &path, change.clone()).await?;
        assert_eq!((answer.problem(&change.to_string()).as_str(), answer.json()["field"].as_str().unwrap_or_default()), (code, field));
    }
    let moved = world.ann(Method::PATCH, &path, json!({ "picked": { "list": "list-1" } })).await?.json();
    assert_eq!(moved["picked"], json!({ "list": "list-1", "brand": "b1" }), "what depended on the old list goes with it");

    // Prepare: looked first, then made.
    let look = world.ann(Method::POST, &format!("{path}/prepare"), json!({ "apply": false })).await?.json();
    assert_eq!((look["ready"].as_bool(), look["missing"][0]["name"].as_str()), (Some(false), Some("Rekomi affiliate")));
    let made = world.ann(Method::POST, &format!("{path}/prepare"), json!({ "apply": true })).await?.json();
    assert_eq!((made["ready"].as_bool(), made["tags"]["VIP"].as_str()), (Some(true), Some("vip")));

    // Campaign, affiliate, approval.
    let campaign = world.campaign("spring-sale", &["Spring"]).await?;
    let taken = world
        .ann(
            Method::POST,
            "/v1/campaigns",
            json!({ "name": "x", "slug": "Spring-Sale", "commission": { "model": "rev_share", "percent": "25" } }),
        )
        .await?;
    assert_eq!((taken.problem("slug").as_str(), taken.json()["field"].as_str()), ("already_exists", Some("slug")));
    let affiliate = world.affiliate(&campaign, "Zoë.Müller@Example.com").await?;
    let again = world.ann(Method::POST, "/v1/affiliates", json!({ "campaign": campaign, "email": "zoë.müller@example.COM" })).await?;
    assert_eq!((again.problem("twice").as_str(), again.json()["existing"].as_str()), ("already_exists", Some(affiliate.as_str())));
    let did = world.ann(Method::POST, "/v1/affiliates/approve", json!({ "campaign": campaign, "all": true })).await?;
    assert_eq!(did.status, StatusCode::ACCEPTED);
    assert_eq!(did.json(), json!({ "changed": 1, "already": 0, "syncs": 1, "folded": 0 }));
    let once_more = world.ann(Method::POST, &format!("/v1/affiliates/{affiliate}/approve"), Value::Null).await?;
    assert_eq!(once_more.json(), json!({ "changed": 0, "already": 1, "syncs": 0, "folded": 0 }));

    // The sync, waiting for a worker.
    let list = world.ann(Method::GET, &format!("/v1/syncs?connection={id}&state=pending&affiliate={affiliate}"), Value::Null).await?.json();
    let sync = &list["data"][0];
    assert_eq!(sync["tags"], json!(["Rekomi affiliate", "VIP", "Spring"]));
    let sync_path = format!("/v1/syncs/{}", sync["id"].as_str().unwrap_or_default());
    assert_eq!(world.ann(Method::GET, &sync_path, Value::Null).await?.json()["history"], json!([]));
    assert_eq!(world.ann(Method::GET, "/v1/syncs/counts", Value::Null).await?.json()["pending"], 1);

    // Cancel and retry it.
    assert_eq!(world.ann(Method::POST, &format!("{sync_path}/cancel"), Value::Null).await?.json()["state"], "cancelled");
    assert_eq!(world.ann(Method::POST, &format!("{sync_path}/cancel"), Value::Null).await?.json()["state"], "cancelled");
    for mode in ["failed_step", "start", "newest_version"] {
        let answer = world.ann(Method::POST, &format!("{sync_path}/retry"), json!({ "mode": mode })).await?;
        assert_eq!((answer.status, answer.json()["state"].as_str()), (StatusCode::ACCEPTED, Some("pending")), "{}", answer.text);
    }

    // Preview: exact requests, slots for secrets, nothing sent.
    let before = world.vendor.sent.load(Ordering::SeqCst);
    let preview = world.ann(Method::POST, "/v1/syncs/preview", json!({ "connection": id, "affiliate": affiliate })).await?.json();
    assert_eq!(preview["tags"][0], json!({ "name": "Rekomi affiliate", "from": "system" }));
    assert_eq!(preview["tags"][2], json!({ "name": "Spring", "from": "campaign" }));
    assert_eq!(preview["requests"][0]["request"]["headers"][0], json!({ "name": "api-key", "value": "{secret:api_key}" }));
    assert_eq!(preview["requests"][0]["request"]["body"], json!({ "email": "Zoë.Müller@Example.com", "first": "Zoë" }).to_string());
    assert_eq!((preview["requests"][1]["call"].as_str(), preview["ending"].as_str()), (Some("tag"), Some("done")));
    let person = json!({ "connection": id, "campaign": campaign, "person": { "email": "new@example.com" } });
    assert_eq!(world.ann(Method::POST, "/v1/syncs/preview", person).await?.status, StatusCode::OK);
    let neither = world.ann(Method::POST, "/v1/syncs/preview", json!({ "connection": id })).await?;
    assert_eq!(neither.problem("neither"), "validation_failed");
    assert_eq!(world.vendor.sent.load(Ordering::SeqCst), before, "a preview sends nothing");

    // Reverify: with the stored credentials, with wrong ones, with new ones.
    let verify = format!("{path}/reverify");
    assert_eq!(world.ann(Method::POST, &verify, Value::Null).await?.status, StatusCode::OK);
    let wrong = world.ann(Method::POST, &verify, json!({ "credentials": { "app_id": "app-1234", "api_key": "no-good-no-good" } })).await?;
    assert_eq!(wrong.problem("wrong"), "credentials_refused");
    assert_eq!(world.ann(Method::GET, &path, Value::Null).await?.json()["state"], "live", "a typo does not break what works");
    let fresh = world.ann(Method::POST, &verify, json!({ "credentials": { "app_id": "app-9999", "api_key": GOOD_KEY } })).await?;
    assert_eq!(fresh.status, StatusCode::OK, "{}", fresh.text);

    // Disconnect.
    let gone = world.ann(Method::DELETE, &path, Value::Null).await?.json();
    assert_eq!((gone["connection"]["state"].as_str(), gone["cancelled_syncs"].as_u64()), (Some("disconnected"), Some(1)));
    assert_eq!(gone["connection"]["credentials"], json!({}));
    assert_eq!(world.ann(Method::DELETE, &path, Value::Null).await?.json()["cancelled_syncs"], 0);
    assert_eq!(world.ann(Method::POST, &verify, Value::Null).await?.problem("gone"), "disconnected");
    assert_eq!(world.ann(Method::GET, &sync_path, Value::Null).await?.json()["state"], "cancelled");
    let late = world.affiliate(&campaign, "late@example.com").await?;
    let did = world.ann(Method::POST, &format!("/v1/affiliates/{late}/approve"), Value::Null).await?.json();
    assert_eq!(did["syncs"], 0, "a disconnected connection takes no jobs");
    Ok(())
}

async fn patch(world: &World, path: &str, etag: &str, change: &Value) -> anyhow::Result<crm_api_tests::Answer> {
    let mut request = crm_api_tests::json_request(&Method::PATCH, path, &world.ann.key, change);
    request.headers_mut().insert("if-match", etag.parse()?);
    world.send(request).await
}

#[tokio::test]
async fn tags_of_all_campaigns_of_a_person_are_known_to_each_job() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.connect().await?;
    let (one, two) = (world.campaign("one-one", &["One"]).await?, world.campaign("two-two", &["Two"]).await?);
    let affiliate = world.affiliate(&one, "zoe@example.com").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{affiliate}/approve"), Value::Null).await?;
    let taken = world.ann(Method::POST, "/v1/affiliates", json!({ "campaign": two, "email": "ZOE@example.com" })).await?;
    assert_eq!(taken.json()["existing"], affiliate, "one person is one affiliate: {}", taken.text);
    let joined =
        world.ann(Method::POST, &format!("/v1/affiliates/{affiliate}/campaigns"), json!({ "campaign": two, "approve": true })).await?;
    assert_eq!(joined.json()["campaigns"][1]["status"], "approved", "{}", joined.text);
    let jobs = world.ctx.store.jobs(&world.ann.organization, &crm_store::model::JobFilter::default(), None, 10).await?;
    let newest = jobs.first().expect("a job");
    assert_eq!(newest.new.set, ["Rekomi affiliate", "Two"]);
    assert_eq!(newest.new.all, ["Rekomi affiliate", "One", "Two"]);
    assert_eq!(newest.new.exclusive, "acme:acct-7/zoe@example.com");
    assert_eq!(newest.new.dedupe, format!("{}/{two}/{affiliate}", newest.new.lane));
    assert!(jobs.iter().all(|j| j.new.who.last.is_none() && j.new.who.first.as_deref() == Some("Zoë")));
    Ok(())
}

#[tokio::test]
async fn approving_many_is_in_pages_and_counts_right() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.connect().await?;
    let campaign = world.campaign("many", &[]).await?;
    let mut ids = Vec::new();
    for n in 0..150 {
        ids.push(world.affiliate(&campaign, &format!("p{n}@example.com")).await?);
    }
    let some = world.ann(Method::POST, "/v1/affiliates/approve", json!({ "ids": &ids[..5] })).await?.json();
    assert_eq!(some, json!({ "changed": 5, "already": 0, "syncs": 5, "folded": 0 }));
    let rest = world.ann(Method::POST, "/v1/affiliates/approve", json!({ "campaign": campaign, "all": true })).await?.json();
    assert_eq!(rest, json!({ "changed": 145, "already": 0, "syncs": 145, "folded": 0 }));
    // Every page, once.
    let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let page = world.ann(Method::GET, &format!("/v1/syncs?limit=40&campaign={campaign}{cursor}"), Value::Null).await?.json();
        for sync in page["data"].as_array().expect("data") {
            assert!(seen.insert(sync["id"].as_str().unwrap_or_default().to_owned()));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 150);
    for (order, field) in [
        (json!({}), "ids"),
        (json!({ "ids": [] }), "ids"),
        (json!({ "ids": ["a"], "all": true }), "ids"),
        (json!({ "campaign": campaign }), "all"),
        (json!({ "campaign": campaign, "all": false }), "all"),
        (json!({ "ids": vec!["a"; 1_001] }), "ids"),
    ] {
        let answer = world.ann(Method::POST, "/v1/affiliates/approve", order).await?;
        assert_eq!((answer.problem("order").as_str(), answer.json()["field"].as_str()), ("validation_failed", Some(field)));
    }
    Ok(())
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    assert_eq!(world.ann(Method::GET, "/v1/connections", Value::Null).await?.status, StatusCode::OK);
    let keys = crm_sync::services::keys::list_keys(&world.ctx, &world.ann.organization).await?;
    assert_eq!(keys.len(), 2);
    // Somebody else may still write, or it could not be revoked.
    crm_sync::services::keys::create_key(&world.ctx, &world.ann.organization, "other", crm_sync::domain::KeyScope::ReadWrite).await?;
    assert!(crm_sync::services::keys::revoke(&world.ctx, &world.bob.organization, &world.ann.key_id).await.is_err());
    crm_sync::services::keys::revoke(&world.ctx, &world.ann.organization, &world.ann.key_id).await?;
    assert_eq!(world.ann(Method::GET, "/v1/connections", Value::Null).await?.problem("revoked"), "unauthorized");
    Ok(())
}

#[tokio::test]
async fn no_answer_ever_holds_the_secret() -> anyhow::Result<()> {
    let world = World::new().await?;
    let id = world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let affiliate = world.affiliate(&campaign, "zoe@example.com").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{affiliate}/approve"), Value::Null).await?;
    for path in ["/v1/connections", "/v1/syncs", "/v1/connectors/acme", "/metrics", "/openapi.json"] {
        assert!(!world.ann(Method::GET, path, Value::Null).await?.text.contains(GOOD_KEY), "{path}");
    }
    let preview = world.ann(Method::POST, "/v1/syncs/preview", json!({ "connection": id, "affiliate": affiliate })).await?;
    assert!(!preview.text.contains(GOOD_KEY) && preview.text.contains("{secret:api_key}"));
    Ok(())
}
