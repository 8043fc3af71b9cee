//! Checks 6 to 10 and 16: what is recalled, what is announced, what is kept, and in which order.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crm_catalog::model::Stage;
use crm_contract::ports::{Gateway, Mode};
use crm_contract::types::{Body, Pair, Request, Unanswered};

use crate::support::{Book, Reply, Seen, Vault, Vendor, World, answered, call, refusal};

const MANIFEST: &str = r#"
[[credentials]]
name = "api_key"
label = "Key"
help = "h"
[[auth]]
name = "main"
type = "bearer"
token = "{api_key}"
[[endpoints]]
name = "api"
url = "https://api.acme.example"
auth = "main"
[[calls]]
name = "look"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/tags"
effect = "read"
query = ["name"]
sample = { status = 404, body = "{\"tags\":[]}" }
[[calls]]
name = "fresh"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/fresh"
effect = "read"
fresh_s = 60
[[calls]]
name = "save"
doc = "d"
stages = ["sync"]
method = "PUT"
path = "/people"
effect = "idempotent"
body = "json"
writes = ["/**"]
sample = { body = "{\"id\":\"5\"}", headers = { Location = "/5" } }
[[calls]]
name = "make"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/tags"
effect = "write"
body = "json"
writes = ["/**"]
"#;

const SLOTS: &[(&str, &str)] = &[("api_key", "k3y-of-the-merchant")];

async fn world(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (World, Vendor) {
    let vendor = Vendor::start(handler).await;
    let world = World::new(MANIFEST, Vault::new(SLOTS), &[("api", &vendor.url)]);
    (world, vendor)
}

fn save(body: &str) -> Request {
    Request { body: Body::Json(body.into()), ..call("save") }
}

fn make(body: &str) -> Request {
    Request { body: Body::Json(body.into()), ..call("make") }
}

#[tokio::test]
async fn a_write_is_announced_before_a_byte_leaves_and_recorded_after_its_answer() {
    let book = Book::new();
    let order = book.order.clone();
    let (world, _vendor) = world(move |seen| {
        order.lock().push(format!("wire {}", seen.method));
        Reply::json(200, "{}")
    })
    .await;
    let run = world.open(&book);
    run.send(make("{}")).await.unwrap();
    run.send(save("{}")).await.unwrap();
    assert_eq!(*book.order.lock(), ["intent make", "wire POST", "record make", "wire PUT", "record save"]);
}

#[tokio::test]
async fn an_attempt_that_lost_its_job_sends_nothing() {
    let (world, vendor) = world(|_| Reply::json(200, "{}")).await;
    let book = Book::new();
    book.fenced.store(true, Ordering::SeqCst);
    assert!(refusal(world.open(&book).send(make("{}")).await).contains("no longer owns"));
    assert_eq!(vendor.requests(), 0);
}

#[tokio::test]
async fn a_resumed_run_reuses_what_is_done_and_sends_only_the_rest() {
    let (world, vendor) =
        world(|seen| if seen.method == "POST" { Reply::json(500, "{}") } else { Reply::json(200, r#"{"id":"5"}"#) }).await;
    let book = Book::new();
    let run = world.open(&book);
    run.send(call("look")).await.unwrap();
    run.send(save(r#"{"email":"a"}"#)).await.unwrap();
    run.send(save(r#"{"email":"b"}"#)).await.unwrap();
    assert_eq!(run.send(make("{}")).await.unwrap().status, 500);
    assert_eq!(vendor.requests(), 4);

    let next = book.next_attempt();
    let run = world.open(&next);
    run.send(call("look")).await.unwrap();
    let again = run.send(save(r#"{"email":"a"}"#)).await.unwrap();
    assert_eq!(again.body, br#"{"id":"5"}"#);
    run.send(save(r#"{"email":"b"}"#)).await.unwrap();
    run.send(make("{}")).await.unwrap();
    let sent: Vec<String> = vendor.seen.lock()[4..].iter().map(|s| s.method.clone()).collect();
    assert_eq!(sent, ["GET", "POST"], "the read is asked afresh, the failed write is sent again, the saves are not");
    let reused: Vec<(String, bool)> = next.steps.lock().iter().map(|s| (s.key.call.clone(), s.reused)).collect();
    assert_eq!(reused, [("look".into(), false), ("save".into(), true), ("save".into(), true), ("make".into(), false)]);

    // A third attempt finds everything in the second one's record alone.
    let third = next.next_attempt();
    world.open(&third).send(save(r#"{"email":"a"}"#)).await.unwrap();
    assert_eq!(vendor.requests(), 6);
}

#[tokio::test]
async fn another_branch_than_last_time_is_legal_and_equal_requests_are_told_apart_by_occurrence() {
    let (world, vendor) = world(|_| Reply::json(200, "{}")).await;
    let book = Book::new();
    let run = world.open(&book);
    run.send(save(r#"{"n":1}"#)).await.unwrap();
    run.send(save(r#"{"n":1}"#)).await.unwrap();
    let next = book.next_attempt();
    let run = world.open(&next);
    run.send(save(r#"{"n":2}"#)).await.unwrap();
    run.send(save(r#"{"n":1}"#)).await.unwrap();
    run.send(save(r#"{"n":1}"#)).await.unwrap();
    run.send(save(r#"{"n":1}"#)).await.unwrap();
    assert_eq!(vendor.requests(), 4, "two of the first run, the new one, and the third equal one");
    let occurrences: Vec<u32> = next.steps.lock().iter().map(|s| s.key.occurrence).collect();
    assert_eq!(occurrences, [0, 0, 1, 2]);
}

#[tokio::test]
async fn a_write_with_a_lost_answer_is_unknown_now_and_next_time_until_it_is_written_again() {
    let (world, vendor) =
        world(|seen| if seen.method == "POST" && seen.body.contains("lost") { Reply::Raw(vec![]) } else { Reply::json(200, "{}") }).await;
    let book = Book::new();
    assert_eq!(world.open(&book).send(make(r#"{"name":"lost"}"#)).await, Err(Unanswered::UnknownOutcome));
    assert_eq!(book.intents.lock().len(), 1, "the intent stands");
    assert!(book.steps.lock().is_empty());
    // The next attempt is told before anything is sent, may look, and may then write again.
    let next = book.next_attempt();
    let run = world.open(&next);
    assert_eq!(run.send(make(r#"{"name":"lost"}"#)).await, Err(Unanswered::UnknownOutcome));
    assert_eq!(vendor.requests(), 1, "it was sent again without looking");
    run.send(call("look")).await.unwrap();
    assert_eq!(run.send(make(r#"{"name":"lost"}"#)).await, Err(Unanswered::UnknownOutcome), "sent a second time, lost a second time");
    assert_eq!(vendor.requests(), 3);
}

#[tokio::test]
async fn a_fresh_read_is_reused_only_where_the_rule_allows() {
    let (world, vendor) = world(|_| Reply::json(200, "{}")).await;
    let book = Book::new();
    world.open(&book).send(call("fresh")).await.unwrap();
    let later = |resumed: bool| {
        let next = book.next_attempt();
        next.resumed.store(resumed, Ordering::SeqCst);
        next
    };
    world.open(&later(false)).send(call("fresh")).await.unwrap();
    assert_eq!(vendor.requests(), 1, "it is fresh");
    world.open(&later(true)).send(call("fresh")).await.unwrap();
    assert_eq!(vendor.requests(), 2, "never in a resumed run");
    let after_unknown = World { after_unknown: true, ..world };
    after_unknown.open(&later(false)).send(call("fresh")).await.unwrap();
    assert_eq!(vendor.requests(), 3, "never after an unknown outcome");
    let world = World { after_unknown: false, ..after_unknown };
    world.clock.forward(60_001);
    world.open(&later(false)).send(call("fresh")).await.unwrap();
    assert_eq!(vendor.requests(), 4, "it is no longer fresh");
}

#[tokio::test]
async fn equal_requests_have_equal_hashes_and_nothing_secret_counts() {
    let (world, _vendor) = world(|_| Reply::json(200, "{}")).await;
    let hash = |world: &World, request: Request| {
        let (egress, scope) = (world.egress.clone(), world.scope(Stage::Sync));
        async move {
            let book = Book::new();
            egress.open(scope, Mode::Live, book.clone()).send(request).await.unwrap();
            book.steps.lock()[0].key.hash.clone()
        }
    };
    let look = |pairs: &[(&str, &str)]| Request { query: pairs.iter().map(|(k, v)| Pair::new(*k, *v)).collect(), ..call("look") };
    let base = hash(&world, look(&[("name", "a"), ("name", "b")])).await;
    assert_eq!(base, hash(&world, look(&[("name", "b"), ("name", "a")])).await, "the query is sorted");
    assert_ne!(base, hash(&world, look(&[("name", "ab")])).await);
    assert_ne!(hash(&world, save("{}")).await, hash(&world, save("{ }")).await);
    let rotated = World { vault: Arc::new(Vault::new(&[("api_key", "another-key-altogether")])), ..world };
    rotated.egress.forget("org", "con");
    assert_eq!(base, hash(&rotated, look(&[("name", "a"), ("name", "b")])).await, "a rotated key changes nothing");
}

#[tokio::test]
async fn a_preview_shows_the_exact_request_and_sends_nothing() {
    let (world, vendor) = world(|_| Reply::json(200, "{}")).await;
    let book = Book::new();
    let run = world.egress.open(world.scope(Stage::Sync), Mode::Preview, book.clone());
    let look = run.send(Request { query: vec![Pair::new("name", "x y")], ..call("look") }).await.unwrap();
    assert_eq!((look.status, look.body.as_slice()), (404, br#"{"tags":[]}"#.as_slice()));
    let saved = run.send(save(r#"{"email":"a@example.com"}"#)).await.unwrap();
    assert_eq!(saved.headers, vec![Pair::new("location", "/5")]);
    assert_eq!(run.send(make("{}")).await.unwrap().status, 200, "without a sample: an empty good answer");
    let steps = book.steps.lock();
    assert_eq!(steps[0].request.url, format!("{}/tags?name=x%20y", vendor.url));
    assert_eq!(steps[1].request.method, "PUT");
    assert_eq!(steps[1].request.body.as_deref(), Some(r#"{"email":"a@example.com"}"#));
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("authorization".to_owned(), "Bearer {secret:api_key}".to_owned()),
    ];
    assert_eq!(steps[1].request.headers, headers);
    assert!(book.intents.lock().is_empty());
    assert_eq!(vendor.sockets.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_preview_without_credentials_shows_the_slots_all_the_same() {
    let vault = Vault::empty();
    let world = World::new(MANIFEST, vault, &[]);
    let book = Book::new();
    world.egress.open(world.scope(Stage::Sync), Mode::Preview, book.clone()).send(save("{}")).await.unwrap();
    let steps = book.steps.lock();
    assert_eq!(steps[0].request.url, "https://api.acme.example/people");
    assert_eq!(steps[0].request.headers[1].1, "Bearer {secret:api_key}");
}

#[tokio::test]
async fn without_credentials_a_live_call_is_a_credentials_refusal() {
    let vault = Vault::empty();
    let world = World::new(MANIFEST, vault, &[]);
    assert!(refusal(world.send(call("look")).await).starts_with(crm_egress::CREDENTIALS_REFUSED));
}

#[tokio::test]
async fn invariant_9_a_replay_answers_from_the_record_and_sends_nothing() {
    let (world, vendor) = world(|seen| if seen.method == "POST" { Reply::Raw(vec![]) } else { Reply::json(200, r#"{"id":"5"}"#) }).await;
    let book = Book::new();
    let run = world.open(&book);
    let first = run.send(save(r#"{"n":1}"#)).await.unwrap();
    let look = run.send(call("look")).await.unwrap();
    assert_eq!(run.send(make("{}")).await, Err(Unanswered::UnknownOutcome));
    let sent = vendor.requests();
    let replay = book.next_attempt();
    let run = world.egress.open(world.scope(Stage::Sync), Mode::Replay, replay.clone());
    assert_eq!(run.send(save(r#"{"n":1}"#)).await.unwrap(), first);
    assert_eq!(run.send(call("look")).await.unwrap(), look);
    assert_eq!(run.send(make("{}")).await, Err(Unanswered::UnknownOutcome));
    assert!(refusal(run.send(save(r#"{"n":2}"#)).await).contains("holds no answer"));
    assert_eq!(vendor.requests(), sent);
    let keys = |book: &Book| book.steps.lock().iter().map(|s| (s.key.clone(), s.request.clone())).collect::<Vec<_>>();
    assert_eq!(keys(&book), keys(&replay), "same inputs, same requests");
}

#[tokio::test]
async fn an_unanswered_read_is_recorded_as_such() {
    let world = World::new(MANIFEST, Vault::new(SLOTS), &[("api", "http://127.0.0.1:1")]);
    let book = Book::new();
    assert_eq!(world.open(&book).send(call("look")).await, Err(Unanswered::Unreachable));
    let steps = book.steps.lock();
    assert_eq!(steps.len(), 1);
    assert!(!steps[0].good && answered(&steps[0]).is_none());
}
