//! OAuth 2: renewal before expiry and once on 401, one refresher at a time, and the new token on disk before its first use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crm_contract::types::{Body, Request, Unanswered};
use parking_lot::Mutex;

use crate::support::{Book, Reply, Vault, Vendor, World, call, refusal};

fn manifest(oauth: &str) -> String {
    format!(
        r#"
[[credentials]]
name = "client_id"
label = "Id"
help = "h"
[[credentials]]
name = "client_secret"
label = "Secret"
help = "h"
[[credentials]]
name = "refresh"
label = "Refresh"
help = "h"
optional = true
[[auth]]
name = "main"
type = "oauth2"
token_endpoint = "accounts"
token_path = "/oauth/token"
client_id = "client_id"
client_secret = "client_secret"
refresh_token = "refresh"
{oauth}
[[endpoints]]
name = "accounts"
url = "https://accounts.acme.example"
[[endpoints]]
name = "api"
url = "https://api.acme.example"
auth = "main"
[[endpoints]]
name = "own"
url = "{{token.base}}"
auth = "main"
allow = ["*.acme.example"]
[[calls]]
name = "get"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/x"
effect = "read"
[[calls]]
name = "make"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/x"
effect = "write"
body = "json"
writes = ["/**"]
[[calls]]
name = "own"
endpoint = "own"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/x"
effect = "read"
"#
    )
}

/// A vendor that hands out `access-token-1`, `-2` ... and takes only the latest; `die` = a token of that number is refused.
struct Issuer {
    vendor: Vendor,
    issued: Arc<AtomicUsize>,
}

async fn issuer(answer: impl Fn(usize) -> Reply + Send + Sync + 'static, dead: Vec<usize>) -> Issuer {
    let issued = Arc::new(AtomicUsize::new(0));
    let count = issued.clone();
    let vendor = Vendor::start(move |seen| {
        if seen.target == "/oauth/token" {
            return answer(count.fetch_add(1, Ordering::SeqCst) + 1);
        }
        let token = seen.header("authorization").unwrap_or_default();
        if dead.iter().any(|n| token.ends_with(&format!("access-token-{n}"))) { Reply::json(401, "{}") } else { Reply::json(200, "{}") }
    })
    .await;
    Issuer { vendor, issued }
}

fn token(n: usize) -> Reply {
    Reply::json(200, &format!(r#"{{"access_token":"access-token-{n}","refresh_token":"refresh-token-{n}","expires_in":3600}}"#))
}

const CLIENT: &[(&str, &str)] = &[("client_id", "client-77"), ("client_secret", "shh-client-secret"), ("refresh", "typed-refresh")];

fn world(oauth: &str, vault: Vault, issuer: &Issuer) -> World {
    let url = &issuer.vendor.url;
    World::new(&manifest(oauth), vault, &[("accounts", url), ("api", url)])
}

#[tokio::test]
async fn a_token_is_fetched_saved_and_used_until_it_nearly_ends() {
    let issuer = issuer(token, vec![]).await;
    let world = world("grant = \"client_credentials\"\nscopes = [\"a\", \"b\"]\nprefix = \"Acme-token\"", Vault::new(CLIENT), &issuer);
    for _ in 0..3 {
        world.send(call("get")).await.unwrap();
    }
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 1);
    assert_eq!(issuer.vendor.last().header("authorization"), Some("Acme-token access-token-1"));
    let first = issuer.vendor.seen.lock()[0].clone();
    assert_eq!(first.body, "grant_type=client_credentials&scope=a+b");
    assert_eq!(first.header("authorization"), Some("Basic Y2xpZW50LTc3OnNoaC1jbGllbnQtc2VjcmV0"));
    world.clock.forward(3_600_000 - 29_000);
    world.send(call("get")).await.unwrap();
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 2, "renewed before it ends");
    assert_eq!(*world.vault.saves.lock(), ["access-token-1/refresh-token-1", "access-token-2/refresh-token-2"]);
}

#[tokio::test]
async fn the_rotated_refresh_token_replaces_the_typed_one() {
    let issuer = issuer(token, vec![]).await;
    let world = world("grant = \"refresh_token\"\nclient_auth = \"form\"\nrotates = true", Vault::new(CLIENT), &issuer);
    world.send(call("get")).await.unwrap();
    world.clock.forward(3_600_000);
    world.send(call("get")).await.unwrap();
    let bodies: Vec<String> = issuer.vendor.seen.lock().iter().filter(|s| s.target == "/oauth/token").map(|s| s.body.clone()).collect();
    let client = "client_id=client-77&client_secret=shh-client-secret";
    assert_eq!(bodies[0], format!("grant_type=refresh_token&refresh_token=typed-refresh&{client}"));
    assert_eq!(bodies[1], format!("grant_type=refresh_token&refresh_token=refresh-token-1&{client}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_runs_at_once_make_one_refresh() {
    let issuer = issuer(token, vec![]).await;
    let mut timeouts = crate::support::fast();
    timeouts.total = std::time::Duration::from_secs(10);
    timeouts.read = timeouts.total;
    let url = issuer.vendor.url.clone();
    let vault = Vault::new(CLIENT).with_token("stale", Some("stored-refresh"), Some(1), None);
    let world = Arc::new(World::timed(&manifest("grant = \"code\""), vault, &[("accounts", &url), ("api", &url)], timeouts));
    let runs: Vec<_> = (0..50)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.send(call("get")).await })
        })
        .collect();
    for run in runs {
        run.await.unwrap().unwrap();
    }
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 1);
    assert_eq!(world.vault.saves.lock().len(), 1);
    assert!(
        issuer.vendor.seen.lock().iter().filter(|s| s.target == "/x").all(|s| s.header("authorization") == Some("Bearer access-token-1"))
    );
}

#[tokio::test]
async fn a_token_that_ended_early_is_renewed_once_and_the_call_resent() {
    let issuer = issuer(token, vec![1]).await;
    let vault = Vault::new(CLIENT);
    let world = world("grant = \"client_credentials\"", vault, &issuer);
    let request = Request { body: Body::Json("{}".into()), ..call("make") };
    assert_eq!(world.send(request).await.unwrap().status, 200);
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 2);
    assert_eq!(issuer.vendor.seen.lock().iter().filter(|s| s.target == "/x").count(), 2);
}

#[tokio::test]
async fn a_vendor_that_refuses_every_token_gets_two_tries_not_a_storm() {
    let issuer = issuer(token, vec![1, 2, 3, 4]).await;
    let world = world("grant = \"client_credentials\"", Vault::new(CLIENT), &issuer);
    assert_eq!(world.send(call("get")).await.unwrap().status, 401);
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_did_not_reach_the_disk_is_never_used() {
    let issuer = issuer(token, vec![]).await;
    let world = world("grant = \"refresh_token\"", Vault::new(CLIENT), &issuer);
    world.vault.disk_dead.store(true, Ordering::SeqCst);
    assert_eq!(world.send(call("get")).await, Err(Unanswered::Unreachable));
    assert_eq!(issuer.vendor.seen.lock().iter().filter(|s| s.target == "/x").count(), 0, "it was used before it was saved");
    world.vault.disk_dead.store(false, Ordering::SeqCst);
    world.send(call("get")).await.unwrap();
}

#[tokio::test]
async fn a_token_saved_by_another_host_meanwhile_is_the_one_used() {
    let issuer = issuer(token, vec![]).await;
    let world = world("grant = \"refresh_token\"", Vault::new(CLIENT), &issuer);
    *world.vault.rival.lock() = Some("rival-access-token".into());
    world.send(call("get")).await.unwrap();
    assert_eq!(issuer.vendor.last().header("authorization"), Some("Bearer rival-access-token"));
}

#[tokio::test]
async fn a_refused_refresh_is_a_credentials_refusal_and_is_not_repeated_at_once() {
    let answers = Arc::new(Mutex::new(vec![
        Reply::json(400, r#"{"error":"invalid_grant","error_description":"typed-refresh is dead"}"#),
        Reply::json(200, r#"{"error":"invalid_client"}"#),
    ]));
    let issuer = issuer(move |n| answers.lock()[(n - 1).min(1)].clone(), vec![]).await;
    let world = world("grant = \"refresh_token\"", Vault::new(CLIENT), &issuer);
    for _ in 0..5 {
        let text = refusal(world.send(call("get")).await);
        assert_eq!(text, "credentials: the vendor refused to renew the token (invalid_grant)");
    }
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 1);
    world.clock.forward(31_000);
    assert!(refusal(world.send(call("get")).await).contains("invalid_client"), "an error in a 200 is an error");
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_old_refusal_says_nothing_about_credentials_typed_anew() {
    let issuer = issuer(|n| if n == 1 { Reply::json(401, r#"{"error":"invalid_client"}"#) } else { token(n) }, vec![]).await;
    let world = world("grant = \"client_credentials\"", Vault::new(CLIENT), &issuer);
    assert!(refusal(world.send(call("get")).await).contains("invalid_client"));
    let world = World { vault: Arc::new(Vault::new(&[("client_id", "client-77"), ("client_secret", "the-right-secret")])), ..world };
    world.egress.forget("org", "con");
    world.send(call("get")).await.unwrap();
}

#[tokio::test]
async fn a_token_server_that_is_down_is_no_fault_of_the_merchant() {
    let issuer = issuer(|_| Reply::json(503, "{}"), vec![]).await;
    let world = world("grant = \"client_credentials\"", Vault::new(CLIENT), &issuer);
    assert_eq!(world.send(call("get")).await, Err(Unanswered::Unreachable));
}

#[tokio::test]
async fn the_token_exchange_stays_out_of_the_journal_and_its_echo_out_of_the_guest() {
    let vendor = Vendor::start(|seen| {
        if seen.target == "/oauth/token" {
            token(1)
        } else {
            Reply::json(200, r#"{"you":"access-token-1 and refresh-token-1 and shh-client-secret"}"#)
        }
    })
    .await;
    let world =
        World::new(&manifest("grant = \"client_credentials\""), Vault::new(CLIENT), &[("accounts", &vendor.url), ("api", &vendor.url)]);
    let book = Book::new();
    let response = world.open(&book).send(call("get")).await.unwrap();
    assert_eq!(String::from_utf8(response.body).unwrap(), r#"{"you":"[redacted] and [redacted] and [redacted]"}"#);
    assert_eq!(book.steps.lock().len(), 1);
    let text = book.text();
    assert!(!text.contains("access-token") && !text.contains("refresh-token") && !text.contains("shh"), "{text}");
    assert!(text.contains("Bearer {token:main}"), "{text}");
}

#[tokio::test]
async fn a_base_url_from_a_token_must_match_the_manifest() {
    let hostile = [
        "https://evil.example",
        "https://127.0.0.1",
        "http://x.acme.example",
        "https://x.acme.example@evil.example",
        "https://a.b.acme.example",
    ];
    for base in hostile {
        let answer = format!(r#"{{"access_token":"access-token-1","expires_in":3600,"api":"{base}"}}"#);
        let issuer = issuer(move |_| Reply::json(200, &answer), vec![]).await;
        let world = world("grant = \"client_credentials\"\nbase_from = \"api\"", Vault::new(CLIENT), &issuer);
        refusal(world.send(call("own")).await);
        assert!(world.vault.saves.lock().is_empty(), "{base} was kept");
        assert_eq!(world.names.asked.load(Ordering::SeqCst), 0, "{base} was looked up");
    }
    let answer = r#"{"access_token":"access-token-1","expires_in":"3600","api":"https://my.acme.example/"}"#;
    let issuer = issuer(move |_| Reply::json(200, answer), vec![]).await;
    let world = world("grant = \"client_credentials\"\nbase_from = \"api\"", Vault::new(CLIENT), &issuer);
    assert_eq!(world.send(call("own")).await, Err(Unanswered::Unreachable), "the name is not known to the tests' resolver");
    assert_eq!(world.names.asked.load(Ordering::SeqCst), 1);
}
