//! Checks 9 and 15: limits across runs and connections, and what vendors teach.

use std::sync::atomic::{AtomicUsize, Ordering};

use crm_catalog::model::Stage;
use crm_contract::ports::{Gateway, Mode, Scope};
use crm_contract::types::{Throttle, Unanswered};

use crate::support::{Book, Reply, Vault, Vendor, World, call};

fn manifest(limits: &str, used: &str) -> String {
    format!(
        r#"
[[endpoints]]
name = "api"
url = "https://api.acme.example"
{limits}
[[calls]]
name = "one"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/1"
effect = "read"
limits = [{used}]
[[calls]]
name = "two"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/2"
effect = "read"
limits = [{used}]
[[calls]]
name = "free"
doc = "d"
stages = ["lookup", "sync"]
method = "GET"
path = "/3"
effect = "read"
"#
    )
}

const RATE: &str = r#"
[[limits]]
name = "rate"
scope = "account"
requests = 3
per_s = 60
headers = { limit = "X-Limit", remaining = "X-Left", reset = "X-Reset" }
"#;

fn throttled(after: u32, limit: Option<&str>) -> Result<crm_contract::types::Response, Unanswered> {
    Err(Unanswered::Throttled(Throttle { after_seconds: Some(after), limit: limit.map(Into::into) }))
}

#[tokio::test]
async fn a_spent_limit_throttles_and_names_itself_and_its_wait() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let world = World::new(&manifest(RATE, "\"rate\""), Vault::new(&[]), &[("api", &vendor.url)]);
    for _ in 0..3 {
        world.send(call("one")).await.unwrap();
    }
    assert_eq!(world.send(call("two")).await, throttled(61, Some("rate")));
    assert_eq!(vendor.requests(), 3);
    world.send(call("free")).await.unwrap();
    assert!(world.egress.ready_at(&world.scope(Stage::Sync), 1).is_some_and(|at| at > world.clock.0.load(Ordering::SeqCst) + 59_000));
    assert_eq!(world.egress.ready_at(&world.scope(Stage::Lookup), 1), None, "a stage that does not draw on it may start");
    world.clock.forward(60_100);
    assert_eq!(world.egress.ready_at(&world.scope(Stage::Sync), 1), None);
    world.send(call("two")).await.unwrap();
}

#[tokio::test]
async fn connections_of_one_account_share_its_limit_and_strangers_do_not() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let world = World::new(&manifest(RATE, "\"rate\""), Vault::new(&[]), &[("api", &vendor.url)]);
    let scope = |connection: &str, account: &str| Scope {
        connection: connection.into(),
        account: Some(account.into()),
        ..world.scope(Stage::Sync)
    };
    let send = |scope: Scope| {
        let run = world.egress.open(scope, Mode::Live, Book::new());
        async move { run.send(call("one")).await }
    };
    send(scope("c1", "acct")).await.unwrap();
    send(scope("c2", "acct")).await.unwrap();
    send(scope("c1", "acct")).await.unwrap();
    assert!(matches!(send(scope("c2", "acct")).await, Err(Unanswered::Throttled(_))));
    send(scope("c3", "other")).await.unwrap();
}

#[tokio::test]
async fn runs_admitted_in_one_instant_do_not_oversubscribe() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let text = manifest(&RATE.replace("requests = 3", "requests = 6"), "\"rate\"");
    let world = World::new(&text, Vault::new(&[]), &[("api", &vendor.url)]);
    let scope = world.scope(Stage::Sync);
    let admitted = (0..10).filter(|_| world.egress.ready_at(&scope, 2).is_none()).count();
    assert_eq!(admitted, 3);
    let runs: Vec<_> = (0..3).map(|_| world.open(&Book::new())).collect();
    for run in &runs {
        run.send(call("one")).await.unwrap();
        run.send(call("two")).await.unwrap();
    }
    assert_eq!(vendor.requests(), 6);
}

#[tokio::test]
async fn a_lanes_promise_serves_whatever_its_job_turns_out_to_be() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let text = manifest(&RATE.replace("requests = 3", "requests = 2"), "\"rate\"").replace("[\"sync\"]", "[\"sync\", \"untag\"]");
    let world = World::new(&text, Vault::new(&[]), &[("api", &vendor.url)]);
    assert_eq!(world.egress.ready_at(&world.scope(Stage::Sync), 2), None);
    let run = world.egress.open(world.scope(Stage::Untag), Mode::Live, Book::new());
    run.send(call("one")).await.unwrap();
    run.send(call("two")).await.unwrap();
}

#[tokio::test]
async fn the_vendors_figures_win_over_the_manifests() {
    let count = AtomicUsize::new(0);
    let vendor = Vendor::start(move |_| {
        let left = 9usize.saturating_sub(count.fetch_add(1, Ordering::SeqCst));
        Reply::json(200, "{}").with("x-limit", "10").with("x-left", &left.to_string()).with("x-reset", "60")
    })
    .await;
    let world = World::new(&manifest(RATE, "\"rate\""), Vault::new(&[]), &[("api", &vendor.url)]);
    for n in 0..10 {
        world.send(call("one")).await.unwrap_or_else(|e| panic!("call {n}: {e:?}"));
    }
    assert!(matches!(world.send(call("one")).await, Err(Unanswered::Throttled(_))));
}

#[tokio::test]
async fn what_strangers_use_of_the_account_is_respected() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}").with("x-limit", "3").with("x-left", "0").with("x-reset", "17")).await;
    let world = World::new(&manifest(RATE, "\"rate\""), Vault::new(&[]), &[("api", &vendor.url)]);
    world.send(call("one")).await.unwrap();
    assert_eq!(world.send(call("one")).await, throttled(17, Some("rate")));
}

#[tokio::test]
async fn too_many_requests_stops_everyone_for_as_long_as_told() {
    for (header, value, seconds) in [("retry-after", "23", 23), ("retry-after", "Mon, 23 Nov 2026 12:00:09 GMT", 9), ("x-reset", "31", 31)]
    {
        let vendor = Vendor::start(move |_| Reply::json(429, "slow down").with(header, value)).await;
        let world = World::new(&manifest(RATE, "\"rate\""), Vault::new(&[]), &[("api", &vendor.url)]);
        assert_eq!(world.send(call("one")).await.unwrap().status, 429, "the guest sees the answer");
        assert_eq!(world.send(call("one")).await, throttled(seconds, Some("rate")), "{header}: {value}");
        assert_eq!(vendor.requests(), 1);
    }
}

#[tokio::test]
async fn throttling_without_a_declared_limit_pauses_the_connection() {
    let vendor = Vendor::start(|_| Reply::json(503, "busy").with("retry-after", "12")).await;
    let world = World::new(&manifest("", ""), Vault::new(&[]), &[("api", &vendor.url)]);
    assert_eq!(world.send(call("free")).await.unwrap().status, 503);
    assert_eq!(world.send(call("one")).await, throttled(12, None));
    assert!(world.egress.ready_at(&world.scope(Stage::Sync), 1).is_some());
}

#[tokio::test]
async fn a_guests_word_about_throttling_counts_as_the_vendors() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let world = World::new(&manifest(RATE, "\"rate\""), Vault::new(&[]), &[("api", &vendor.url)]);
    world.egress.throttled(&world.scope(Stage::Sync), Some("rate"), Some(40));
    assert_eq!(world.send(call("one")).await, throttled(40, Some("rate")));
    world.send(call("free")).await.unwrap();
    world.egress.throttled(&world.scope(Stage::Sync), None, Some(50));
    assert_eq!(world.send(call("free")).await, throttled(50, None));
    world.egress.throttled(&world.scope(Stage::Sync), Some("no such limit"), Some(70));
    assert_eq!(world.send(call("free")).await, throttled(70, None));
}

#[tokio::test]
async fn a_limit_on_bad_requests_stops_before_the_vendor_bans_the_host() {
    let vendor = Vendor::start(|seen| if seen.target == "/1" { Reply::json(400, "{}") } else { Reply::json(200, "{}") }).await;
    let ban = "[[limits]]\nname = \"ban\"\nscope = \"host-ip\"\nrequests = 2\nper_s = 600\ncounts = \"bad-requests\"\n";
    let world = World::new(&manifest(ban, "\"ban\""), Vault::new(&[]), &[("api", &vendor.url)]);
    for _ in 0..10 {
        world.send(call("two")).await.unwrap();
    }
    world.send(call("one")).await.unwrap();
    world.send(call("one")).await.unwrap();
    let stranger = Scope { organization: "someone-else".into(), ..world.scope(Stage::Sync) };
    let result = world.egress.open(stranger, Mode::Live, Book::new()).send(call("two")).await;
    assert!(matches!(result, Err(Unanswered::Throttled(_))), "the ban would hit every merchant");
}

#[tokio::test]
async fn equal_credentials_share_a_limit_of_scope_credential() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let text = manifest(&RATE.replace("\"account\"", "\"credential\""), "\"rate\"");
    let world = World::new(&text, Vault::new(&[("key", "the-same-key")]), &[("api", &vendor.url)]);
    let scope = |connection: &str| Scope { connection: connection.into(), ..world.scope(Stage::Sync) };
    for connection in ["c1", "c2", "c3"] {
        world.egress.open(scope(connection), Mode::Live, Book::new()).send(call("one")).await.unwrap();
    }
    assert!(matches!(world.egress.open(scope("c4"), Mode::Live, Book::new()).send(call("one")).await, Err(Unanswered::Throttled(_))));
}

#[tokio::test]
async fn a_call_that_its_limits_held_back_never_was() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let world = World::new(&manifest(&RATE.replace("requests = 3", "requests = 1"), "\"rate\""), Vault::new(&[]), &[("api", &vendor.url)]);
    let book = Book::new();
    let run = world.open(&book);
    run.send(call("two")).await.unwrap();
    assert!(matches!(run.send(call("one")).await, Err(Unanswered::Throttled(_))));
    world.clock.forward(60_100);
    run.send(call("one")).await.unwrap();
    let occurrences: Vec<u32> = book.steps.lock().iter().map(|s| s.key.occurrence).collect();
    assert_eq!(occurrences, [0, 0], "a retry after a pause is found again by the next attempt");
}

#[tokio::test]
async fn what_is_made_once_per_account_is_made_one_at_a_time() {
    let vendor = Vendor::start(|_| Reply::Hang(vec![])).await;
    let text = manifest("", "").replace("path = \"/1\"", "path = \"/1\"\nexclusive = \"account\"");
    let world = World::new(&text, Vault::new(&[]), &[("api", &vendor.url)]);
    let (first, second) = (world.open(&Book::new()), world.open(&Book::new()));
    let (first, second) = tokio::join!(first.send(call("one")), second.send(call("one")));
    assert_eq!(first, Err(Unanswered::TimedOut));
    assert_eq!(second, throttled(1, None), "the second waited in vain and was never sent");
    assert_eq!(vendor.requests(), 1);
}
