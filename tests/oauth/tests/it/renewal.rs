//! Renewals under accidents: crashes, two hosts at once, a grant that is gone, limits, and the end at disconnect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use crm_oauth_tests::{Options, Reply, Stub, World};
use crm_sync::worker::Workers;
use parking_lot::Mutex;
use serde_json::{Value, json};

const HOUR: u64 = 3_600_000;

fn copy_all(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy_all(&entry.path(), &target)? } else { std::fs::copy(entry.path(), &target).map(drop)? }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_token_is_on_disk_before_its_first_use() -> Result<()> {
    // The vendor sees the new token for the first time: whatever is on disk at this moment is all that a crash would leave.
    let moment: Arc<Mutex<Option<(std::path::PathBuf, std::path::PathBuf)>>> = Arc::default();
    let at = moment.clone();
    let stub = Stub::start(move |seen, before| {
        if seen.path == "/token" {
            return Reply::tokens(before + 1);
        }
        if seen.authorization.ends_with("access-canary-2")
            && let Some((from, to)) = at.lock().take()
        {
            drop(copy_all(&from, &to));
        }
        Reply(200, r#"{"id":"ann"}"#.into())
    })
    .await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let id = world.connect().await?;
    let image = world.beside("image");
    *moment.lock() = Some((world.store_dir(), image.clone()));
    world.forward(HOUR);
    world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?.good()?;
    assert_eq!(stub.to("/token").len(), 2);
    let store: Arc<dyn crm_store::Store> = world.after_a_crash(&image).context("the files of the crash")?;
    let whose =
        crm_store::Whose { organization: world.organization.clone(), connection: id, connector: "acme".into(), host: String::new() };
    let kept = store.credentials(&whose).token("main").await.map_err(|e| anyhow::anyhow!("{e}"))?.context("a token")?;
    assert_eq!((kept.access.as_str(), kept.refresh.as_deref()), ("access-canary-2", Some("refresh-canary-2")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_over_one_store_spend_a_refresh_token_once() -> Result<()> {
    let together = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (together.clone(), most.clone());
    let stub = Stub::start(move |seen, before| {
        if seen.path != "/token" {
            return Reply(200, r#"{"id":"ann"}"#.into());
        }
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(150));
        now.fetch_sub(1, Ordering::SeqCst);
        Reply::tokens(before + 1)
    })
    .await?;
    let options = Options::of(&stub.url, &stub.url);
    let world = World::new(options.clone()).await?;
    let id = world.connect().await?;
    let hosts = [world.ctx.clone(), world.another_host(&options)?, world.another_host(&options)?];
    for round in 2..5 {
        world.forward(HOUR);
        let runs: Vec<_> = (0..9)
            .map(|n| {
                let (host, organization, id) = (hosts[n % 3].clone(), world.organization.clone(), id.clone());
                tokio::spawn(async move { crm_sync::services::connections::reverify(&host, &organization, &id, None).await })
            })
            .collect();
        for run in runs {
            // Several verifies of one record may meet in its last write; what counts is that each could make its call.
            if let Err(error) = run.await? {
                assert_eq!(error, crm_sync::services::ServiceError::Changed);
            }
        }
        assert_eq!(stub.to("/token").len(), round, "spent more than once");
        let spent = stub.to("/token").last().map(|s| s.body.clone()).unwrap_or_default();
        assert!(spent.contains(&format!("refresh_token=refresh-canary-{}", round - 1)), "{spent}");
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
    let tokens: Vec<String> = stub.to("/me").iter().map(|s| s.authorization.clone()).collect();
    assert!(tokens.iter().all(|t| t.starts_with("Bearer access-canary-")), "{tokens:?}");
    Ok(())
}

#[tokio::test]
async fn a_grant_that_is_gone_parks_the_connection_and_a_new_consent_resumes_its_jobs() -> Result<()> {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let stub = Stub::start(move |seen, before| match seen.path.as_str() {
        "/token" if is_gone.load(Ordering::SeqCst) && seen.body.contains("grant_type=refresh_token") => {
            Reply(400, r#"{"error":"invalid_grant","error_description":"refresh-canary-1 was revoked"}"#.into())
        }
        "/token" => Reply::tokens(before + 1),
        _ => Reply(200, r#"{"id":"ann"}"#.into()),
    })
    .await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let id = world.connect().await?;
    let workers = Workers::start(world.ctx.clone());
    gone.store(true, Ordering::SeqCst);
    world.forward(HOUR);
    world.approve("zoe@example.com").await?;
    let connection = world.until(&id, "needs_credentials").await?;
    assert_eq!(connection["trouble"], "the vendor refused to renew the token (invalid_grant): connect again");
    let sync = world.poll("/v1/syncs", |syncs| syncs["data"][0]["state"] == "retrying").await?;
    assert!(!sync.to_string().contains("canary") && !connection.to_string().contains("canary"), "{sync} {connection}");
    assert!(stub.to("/contacts").is_empty());
    // The test call says the same, without asking the vendor again and again.
    let verified = world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?;
    assert_eq!(verified.code(), "credentials_refused", "{}", verified.text);

    world.land(&world.start(json!({ "connection": id })).await?, "code=again").await?.good()?;
    world.until(&id, "live").await?;
    world.poll("/v1/syncs", |syncs| syncs["data"][0]["state"] == "succeeded").await?;
    assert_eq!(stub.to("/contacts").len(), 1);
    workers.drain(Duration::from_secs(5)).await?;
    Ok(())
}

#[tokio::test]
async fn token_calls_draw_on_the_limit_that_the_manifest_names() -> Result<()> {
    // Tokens that the API never takes: each call asks for a new one.
    let stub = Stub::start(|seen, before| if seen.path == "/token" { Reply::tokens(before + 1) } else { Reply(401, "{}".into()) }).await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let robot = json!({ "connector": "acme", "mode": "robot", "credentials": { "client_id": "robot", "client_secret": "robot-secret" } });
    for _ in 0..3 {
        assert_eq!(world.ask("POST", "/v1/connections", robot.clone()).await?.code(), "credentials_refused");
    }
    assert_eq!(stub.to("/token").len(), 6, "one token and one renewal each: every try is a connection of its own");

    let stub = Stub::start(|seen, before| match (seen.path.as_str(), before) {
        ("/token", _) => Reply::tokens(before + 1),
        (_, 0) => Reply(200, r#"{"id":"ann"}"#.into()),
        _ => Reply(401, "{}".into()),
    })
    .await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let id = world.connect().await?;
    let mut last = String::new();
    for _ in 0..12 {
        last = world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?.code();
    }
    assert_eq!(last, "vendor_rate_limited");
    assert_eq!(stub.to("/token").len(), 10, "ten in ten minutes");
    world.forward(601_000);
    world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?;
    assert_eq!(stub.to("/token").len(), 11);
    Ok(())
}

#[tokio::test]
async fn disconnecting_ends_the_grant_and_forgets_it_whatever_the_vendor_says() -> Result<()> {
    for (status, revoked) in [(200, json!(true)), (400, json!(false)), (503, json!(false))] {
        let stub = Stub::start(move |seen, before| match seen.path.as_str() {
            "/token" => Reply::tokens(before + 1),
            "/token/revocation" => Reply(status, "{}".into()),
            _ => Reply(200, r#"{"id":"ann"}"#.into()),
        })
        .await?;
        let world = World::new(Options::of(&stub.url, &stub.url)).await?;
        let id = world.connect().await?;
        let done = world.ask("DELETE", &format!("/v1/connections/{id}"), Value::Null).await?.good()?;
        assert_eq!((&done["revoked"], &done["connection"]["state"]), (&revoked, &json!("disconnected")));
        let asked = stub.to("/token/revocation");
        assert_eq!(asked.len(), 1);
        assert!(asked[0].body.contains("token=refresh-canary-1&token_type_hint=refresh_token"), "{}", asked[0].body);
        // Nothing is left to revoke, or to use.
        let again = world.ask("DELETE", &format!("/v1/connections/{id}"), Value::Null).await?.good()?;
        assert_eq!(again["revoked"], Value::Null);
        assert_eq!(world.ask("POST", "/v1/oauth/acme/start", json!({ "connection": id })).await?.code(), "disconnected");
    }
    Ok(())
}

#[tokio::test]
async fn a_reader_who_goes_away_does_not_cost_the_token_that_is_under_way() -> Result<()> {
    let stub = Stub::start(|seen, before| match (seen.path.as_str(), before) {
        ("/token", 0) => Reply::tokens(1),
        ("/token", _) => {
            std::thread::sleep(Duration::from_millis(300));
            Reply::tokens(before + 1)
        }
        _ => Reply(200, r#"{"id":"ann"}"#.into()),
    })
    .await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let id = world.connect().await?;
    world.forward(HOUR);
    let path = format!("/v1/connections/{id}/reverify");
    let impatient = tokio::time::timeout(Duration::from_millis(100), world.ask("POST", &path, Value::Null)).await;
    assert!(impatient.is_err(), "it was answered after all");
    world.ask("POST", &path, Value::Null).await?.good()?;
    assert_eq!(stub.to("/token").len(), 2, "the answer of the first renewal was kept");
    Ok(())
}
