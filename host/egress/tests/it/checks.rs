//! Checks 1 to 4: what the manifest does not let through is refused before a socket is opened.

use crm_catalog::model::Stage;
use crm_contract::ports::{Gateway, Mode};
use crm_contract::types::{Body, Pair, Request};

use crate::support::{Book, Reply, Vault, Vendor, World, call, refusal};

const MANIFEST: &str = r#"
[[credentials]]
name = "api_key"
label = "Key"
help = "h"
[[auth]]
name = "main"
type = "header"
headers = { Acme-Key = "{api_key}" }
[[endpoints]]
name = "api"
url = "https://{choice}/v1"
choices = { us = "us.acme.example", eu = "eu.acme.example" }
choose = "verify"
auth = "main"
headers = { Acme-Version = "7" }
[[calls]]
name = "ping"
doc = "d"
stages = ["verify"]
method = "GET"
path = "/ping"
effect = "read"
[[calls]]
name = "find"
doc = "d"
stages = ["sync", "lookup"]
method = "GET"
path = "/lists/{list}/people/{email}"
effect = "read"
slash_in = ["email"]
query = ["filter[email]", "page"]
fixed_query = { per_page = "50" }
headers = ["If-Match", "Host"]
ok = [404]
found = { status = [200], pointer = "/id" }
[[calls]]
name = "save"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/people"
effect = "idempotent"
body = "json"
writes = ["/email", "/fields/{setting:tag_field}", "/list/*", "/status"]
fixed = { "/resubscribe" = false }
guard = "find"
new_only = ["/status"]
[[calls]]
name = "tag"
doc = "d"
stages = ["sync"]
method = "PUT"
path = "/tags"
effect = "idempotent"
body = "form"
writes = ["form:name", "form:json#/vars/*"]
fixed = { "form:kind" = "contact" }
[[calls]]
name = "raw"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/raw"
effect = "idempotent"
body = "bytes"
"#;

async fn world() -> (World, Vendor) {
    let vendor = Vendor::start(|seen| match seen.target.as_str() {
        t if t.contains("/people/new") => Reply::json(404, "{}"),
        t if t.contains("/people/broken") => Reply::json(500, "{}"),
        _ => Reply::json(200, r#"{"id":7}"#),
    })
    .await;
    let mut world = World::new(MANIFEST, Vault::new(&[("api_key", "k3y-of-the-merchant")]), &[("api", &vendor.url)]);
    world.choice = Some("eu".into());
    (world.setting("tag_field", "cf_9"), vendor)
}

fn json(name: &str, body: &str) -> Request {
    Request { body: Body::Json(body.into()), ..call(name) }
}

fn find(email: &str) -> Request {
    Request { path: vec![Pair::new("list", "1"), Pair::new("email", email)], ..call("find") }
}

#[tokio::test]
async fn invariant_4_no_request_leaves_without_a_declared_call() {
    let (world, vendor) = world().await;
    let with_path = |pairs: &[(&str, &str)]| Request { path: pairs.iter().map(|(k, v)| Pair::new(*k, *v)).collect(), ..call("find") };
    let with_query = |k: &str, v: &str| Request { query: vec![Pair::new(k, v)], ..find("a") };
    let with_header = |k: &str, v: &str| Request { headers: vec![Pair::new(k, v)], ..find("a") };
    let form = |pairs: &[(&str, &str)]| Request { body: Body::Form(pairs.iter().map(|(k, v)| Pair::new(*k, *v)).collect()), ..call("tag") };
    let deep = format!("{{\"email\":{}1{}}}", "[".repeat(70), "]".repeat(70));
    let cases: Vec<(Request, &str)> = vec![
        (call("delete_everything"), "is not declared"),
        (call("Find"), "is not declared"),
        (call(""), "is not declared"),
        (call("https://evil.example/"), "is not declared"),
        (call("ping"), "may not be made in stage Sync"),
        (call("find@eu"), "only verify may probe"),
        (call("find@nowhere"), "only verify may probe"),
        (with_path(&[("list", "1")]), "\"email\" is missing"),
        (with_path(&[("list", "1"), ("email", "a"), ("more", "x")]), "not in the template"),
        (with_path(&[("list", "1"), ("list", "2"), ("email", "a")]), "given twice"),
        (with_path(&[("list", ""), ("email", "a")]), "is empty"),
        (with_path(&[("list", ".."), ("email", "a")]), "dot segment"),
        (with_path(&[("list", "%2e%2E"), ("email", "a")]), "dot segment"),
        (with_path(&[("list", "1/../../admin"), ("email", "a")]), "slash"),
        (with_path(&[("list", "1%2fadmin"), ("email", "a")]), "slash"),
        (with_path(&[("list", "1\\admin"), ("email", "a")]), "backslash"),
        (with_path(&[("list", "1\r\nX: y"), ("email", "a")]), "control"),
        (with_path(&[("list", "1"), ("email", "a/../b")]), "dot segment"),
        (with_path(&[("list", "1"), ("email", "a//b")]), "dot segment or an empty one"),
        (with_path(&[("list", &"x".repeat(600)), ("email", "a")]), "longer than 512"),
        (with_query("admin", "1"), "query key \"admin\""),
        (with_query("per_page", "999"), "query key \"per_page\""),
        (with_query("page", &"9".repeat(5_000)), "longer than 4096"),
        (with_header("X-Other", "1"), "not declared"),
        (with_header("Host", "evil.example"), "may never be set"),
        (with_header("Acme-Key", "mine"), "may never be set"),
        (with_header("acme-version", "8"), "may never be set"),
        (with_header("Authorization", "Bearer x"), "may never be set"),
        (with_header("X-Forwarded-For", "127.0.0.1"), "may never be set"),
        (with_header("Transfer-Encoding", "chunked"), "may never be set"),
        (with_header("If-Match", "a\r\nEvil: 1"), "malformed"),
        (with_header("If-Match", "a\u{0}b"), "malformed"),
        (with_header("If-Match", &"x".repeat(9_000)), "malformed"),
        (with_header("If Match", "x"), "malformed"),
        (Request { headers: vec![Pair::new("if-match", "1"), Pair::new("If-Match", "2")], ..find("a") }, "malformed"),
        (Request { headers: vec![Pair::new("if-match", "1"); 65], ..find("a") }, "more than 64"),
        (Request { body: Body::Json("{}".into()), ..find("a") }, "declares a no body"),
        (Request { body: Body::Form(vec![]), ..call("save") }, "declares a json body and got form"),
        (Request { body: Body::Bytes(vec![1]), ..call("save") }, "declares a json body and got bytes"),
        (json("save", "{"), "no JSON"),
        (json("save", &deep), "deeper than 64"),
        (json("save", r#"{"email":"a","email":"b"}"#), "twice"),
        (json("save", r#"{"email":"a","admin":true}"#), "/admin"),
        (json("save", r#"{"fields":{"cf_1":"x"}}"#), "/fields/cf_1"),
        (json("save", r#"{"email":"a","resubscribe":true}"#), "/resubscribe"),
        (json("save", &format!("{{\"email\":\"{}\"}}", "x".repeat(1_100_000))), "larger than"),
        (json("save", r#"{"email":"a"}"#), "needs a fresh answer of \"find\""),
        (form(&[("owner", "1")]), "form:owner"),
        (form(&[("kind", "account")]), "form:kind"),
        (form(&[("json", r#"{"vars":{"a":1},"vars":{"b":2}}"#)]), "twice"),
        (form(&[("json", r#"{"admin":1}"#)]), "admin"),
        (Request { body: Body::Bytes(vec![1, 2]), ..call("raw") }, "bytes is refused"),
    ];
    for (request, wanted) in cases {
        let shown = format!("{request:?}").chars().take(200).collect::<String>();
        let result = world.send(request).await;
        assert!(result.is_err(), "{shown}\n  was let through");
        let text = refusal(result);
        assert!(text.contains(wanted), "{shown}\n  said: {text}\n  wanted: {wanted}");
        assert!(text.len() < 300, "a refusal is short: {text}");
    }
    assert_eq!(vendor.sockets.load(std::sync::atomic::Ordering::SeqCst), 0, "a socket was opened");
    assert_eq!(world.names.asked.load(std::sync::atomic::Ordering::SeqCst), 0, "a name was looked up");
}

#[tokio::test]
async fn what_is_declared_arrives_exactly() {
    let (world, vendor) = world().await;
    let run = world.open(&Book::new());
    let request = Request {
        path: vec![Pair::new("email", "team/ann+x@example.com"), Pair::new("list", "a b?#&%")],
        query: vec![Pair::new("filter[email]", "a+b@example.com"), Pair::new("page", "1"), Pair::new("page", "2 3")],
        headers: vec![Pair::new("if-match", "\"7\"")],
        ..call("find")
    };
    let response = run.send(request).await.unwrap();
    assert_eq!(response.status, 200);
    let seen = vendor.last();
    assert_eq!(seen.method, "GET");
    assert_eq!(
        seen.target,
        "/lists/a%20b%3F%23%26%25/people/team%2Fann%2Bx%40example.com?filter%5Bemail%5D=a%2Bb%40example.com&page=1&page=2%203&per_page=50"
    );
    assert_eq!(seen.header("if-match"), Some("\"7\""));
    assert_eq!(seen.header("acme-key"), Some("k3y-of-the-merchant"));
    assert_eq!(seen.header("acme-version"), Some("7"));
    assert_eq!(seen.header("user-agent"), Some("crm-host/0.1 (test)"));
    assert_eq!(seen.header("referer"), None);
    assert_eq!(seen.header("host").map(|h| h.starts_with("127.0.0.1:")), Some(true));

    let saved = run.send(json("save", r#"{"email":"a@example.com","fields":{"cf_9":"x"},"list":[1,12345678901234567890]}"#)).await.unwrap();
    assert_eq!(saved.status, 200);
    let seen = vendor.last();
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.body, r#"{"email":"a@example.com","fields":{"cf_9":"x"},"list":[1,12345678901234567890],"resubscribe":false}"#);

    let form = Body::Form(vec![Pair::new("name", "Rekomi affiliate"), Pair::new("json", r#"{"vars":{"a":1}}"#)]);
    run.send(Request { body: form, ..call("tag") }).await.unwrap();
    let seen = vendor.last();
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.body, "name=Rekomi+affiliate&json=%7B%22vars%22%3A%7B%22a%22%3A1%7D%7D&kind=contact");
}

#[tokio::test]
async fn consent_fields_are_for_new_contacts_only() {
    let (world, vendor) = world().await;
    let save = || json("save", r#"{"email":"a@example.com","status":"subscribed"}"#);
    // Someone is there: the rest may be written, the consent field not.
    let run = world.open(&Book::new());
    run.send(find("ann")).await.unwrap();
    assert!(refusal(run.send(save()).await).contains("/status"));
    run.send(json("save", r#"{"email":"a@example.com"}"#)).await.unwrap();
    // Nobody is there.
    let run = world.open(&Book::new());
    assert_eq!(run.send(find("new")).await.unwrap().status, 404);
    run.send(save()).await.unwrap();
    // A guard that failed after it had answered has no answer any more.
    let run = world.open(&Book::new());
    run.send(find("new")).await.unwrap();
    assert_eq!(run.send(find("broken")).await.unwrap().status, 500);
    assert!(refusal(run.send(save()).await).contains("needs a fresh answer"));
    // Another run's answer is not this run's.
    assert!(refusal(world.send(save()).await).contains("needs a fresh answer"));
    assert_eq!(vendor.seen.lock().iter().filter(|s| s.method == "POST").count(), 2);
}

#[tokio::test]
async fn only_verify_probes_an_endpoint_choice() {
    let (us, eu) = (Vendor::start(|_| Reply::json(401, "{}")).await, Vendor::start(|_| Reply::json(200, "{}")).await);
    let world = World::new(MANIFEST, Vault::new(&[("api_key", "k3y-of-the-merchant")]), &[("api@us", &us.url), ("api@eu", &eu.url)]);
    let run = world.egress.open(world.scope(Stage::Verify), Mode::Live, Book::new());
    assert_eq!(run.send(call("ping@us")).await.unwrap().status, 401);
    assert_eq!(run.send(call("ping@eu")).await.unwrap().status, 200);
    assert!(refusal(run.send(call("ping@asia")).await).contains("not declared"));
    assert!(refusal(run.send(call("ping")).await).contains("no choice is made yet"));
    assert_eq!((us.requests(), eu.requests()), (1, 1));
}
