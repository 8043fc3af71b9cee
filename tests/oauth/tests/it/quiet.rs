//! Invariant 1 for grants: whatever happens to them, no token, code, verifier or secret is logged, journalled or answered.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use crm_oauth_tests::{Options, Reply, Stub, World};
use crm_sync::worker::Workers;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn invariant_1_a_grant_leaves_no_trace_in_logs_journal_and_answers() -> Result<()> {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_env_filter("trace").with_writer(log.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let stub = Stub::start(move |seen, before| match seen.path.as_str() {
        "/token" if is_gone.load(Ordering::SeqCst) => {
            Reply(400, r#"{"error":"invalid_grant","error_description":"refresh-canary-2 is dead"}"#.into())
        }
        "/token" => Reply::tokens(before + 1),
        "/token/revocation" => Reply(400, r#"{"error":"no such refresh-canary-2"}"#.into()),
        // The vendor tells everything that it was told.
        path => Reply(200, format!(r#"{{"id":"ann","name":"{} {path}"}}"#, seen.authorization)),
    })
    .await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let mut answers = String::new();
    let start = world.start(json!({})).await?;
    let made = world.land(&start, "code=code-canary").await?;
    answers.push_str(&made.text);
    let id = made.good()?["id"].as_str().context("an id")?.to_owned();
    let workers = Workers::start(world.ctx.clone());
    world.forward(3_600_000);
    world.approve("zoe@example.com").await?;
    world.poll("/v1/syncs", |syncs| syncs["data"][0]["state"] == "succeeded").await?;
    gone.store(true, Ordering::SeqCst);
    world.forward(3_600_000);
    world.approve("ann@example.com").await?;
    world.until(&id, "needs_credentials").await?;
    let syncs = world.ask("GET", "/v1/syncs", Value::Null).await?;
    for sync in syncs.json()["data"].as_array().into_iter().flatten() {
        answers.push_str(&world.ask("GET", &format!("/v1/syncs/{}", sync["id"].as_str().unwrap_or_default()), Value::Null).await?.text);
    }
    let retried = world.land(&world.start(json!({ "connection": id })).await?, "code=code-canary").await?;
    assert_eq!(retried.code(), "credentials_refused");
    let ended = world.ask("DELETE", &format!("/v1/connections/{id}"), Value::Null).await?;
    assert_eq!(ended.good()?["revoked"], false);
    answers.push_str(&format!("{}{}{}", syncs.text, retried.text, ended.text));
    answers.push_str(&world.ask("GET", "/v1/connections", Value::Null).await?.text);
    workers.drain(Duration::from_secs(5)).await?;

    let log = String::from_utf8_lossy(&log.0.lock()).into_owned();
    assert!(log.contains("waits for its merchant") && log.contains("did not end the grant"), "nothing was logged");
    assert!(answers.contains("Bearer {token:main}") && answers.contains("[redacted]"), "{answers}");
    let verifier = stub.to("/token")[0].body.clone();
    let verifier = url::form_urlencoded::parse(verifier.as_bytes()).find(|(n, _)| n == "code_verifier").map(|(_, v)| v.into_owned());
    let verifier = verifier.context("a verifier")?;
    for canary in ["access-canary", "refresh-canary", "code-canary", "operator-secret-canary", verifier.as_str()] {
        let line = log.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary} is logged: {line:?}");
        assert!(!answers.contains(canary), "{canary} is answered: {answers}");
    }
    Ok(())
}
