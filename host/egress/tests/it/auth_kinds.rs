//! Check 12: every kind of authentication, as the vendor receives it and as the journal shows it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crm_catalog::model::Stage;
use crm_contract::ports::{Gateway, Mode};
use crm_contract::types::{Body, Pair, Request};
use md5::{Digest, Md5};

use crate::support::{Book, Reply, Seen, Vault, Vendor, World, call};

fn manifest(auth: &str) -> String {
    format!(
        r#"
[[credentials]]
name = "api_key"
label = "Key"
help = "h"
[[credentials]]
name = "app_id"
label = "App"
help = "h"
[[credentials]]
name = "pair"
label = "Pair"
help = "h"
split = {{ on = ":", into = ["key_id", "key_secret"] }}
[[credentials]]
name = "domain"
label = "Domain"
help = "h"
secret = false
[[derived]]
name = "dc"
from = "api_key"
capture = "-([a-z]+[0-9]+)$"
[[auth]]
name = "main"
{auth}
[[endpoints]]
name = "api"
url = "https://api.acme.example"
auth = "main"
[[calls]]
name = "get"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/x"
effect = "read"
query = ["q"]
[[calls]]
name = "post"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/x"
effect = "idempotent"
body = "json"
writes = ["/**"]
[[calls]]
name = "form"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/x"
effect = "idempotent"
body = "form"
writes = ["form:a"]
"#
    )
}

/// What the vendor saw and what the journal shows.
async fn exchange(auth: &str, slots: &[(&str, &str)], request: Request) -> (Seen, crm_contract::ports::ShownRequest) {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let world = World::new(&manifest(auth), Vault::new(slots), &[("api", &vendor.url)]).setting("domain", "shop.example");
    let book = Book::new();
    world.open(&book).send(request).await.unwrap();
    let shown = book.steps.lock()[0].request.clone();
    for (slot, secret) in slots {
        assert!(secret.len() < 6 || !book.text().contains(secret), "{slot} is in the journal: {}", book.text());
    }
    (vendor.last(), shown)
}

fn shown_header(shown: &crm_contract::ports::ShownRequest, name: &str) -> Option<String> {
    shown.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
}

const KEY: (&str, &str) = ("api_key", "s3cret-key-us21");

#[tokio::test]
async fn headers_are_filled_from_templates_and_left_out_without_a_value() {
    let auth = r#"type = "header"
headers = { Api-Key = "Key {api_key}", Api-Appid = "{app_id}", X-Domain = "{domain}", X-Dc = "{dc}", X-Part = "{key_secret}" }"#;
    let (seen, shown) = exchange(auth, &[KEY, ("pair", "id-1:hidden-part")], call("get")).await;
    assert_eq!(seen.header("api-key"), Some("Key s3cret-key-us21"));
    assert_eq!(seen.header("api-appid"), None, "an empty slot sends no header");
    assert_eq!(seen.header("x-domain"), Some("shop.example"));
    assert_eq!(seen.header("x-dc"), Some("us21"));
    assert_eq!(seen.header("x-part"), Some("hidden-part"));
    assert_eq!(shown_header(&shown, "api-key").as_deref(), Some("Key {secret:api_key}"));
    assert_eq!(shown_header(&shown, "api-appid"), None);
    assert_eq!(shown_header(&shown, "x-domain").as_deref(), Some("shop.example"));
    assert_eq!(shown_header(&shown, "x-part").as_deref(), Some("{secret:key_secret}"));
}

#[tokio::test]
async fn basic_takes_the_credential_in_either_place() {
    let cases = [
        (r#"user = "{api_key}", password = "x""#, "s3cret-key-us21:x", "Basic {secret:api_key}:x (base64)"),
        (r#"user = "{api_key}", password = """#, "s3cret-key-us21:", "Basic {secret:api_key}: (base64)"),
        (r#"user = "any", password = "{api_key}""#, "any:s3cret-key-us21", "Basic any:{secret:api_key} (base64)"),
        (r#"user = "{app_id}", password = "{api_key}""#, "the-app:s3cret-key-us21", "Basic {secret:app_id}:{secret:api_key} (base64)"),
    ];
    for (fields, wire, label) in cases {
        let auth = format!("type = \"basic\"\n{}", fields.replace("\", ", "\"\n"));
        let (seen, shown) = exchange(&auth, &[KEY, ("app_id", "the-app")], call("get")).await;
        assert_eq!(seen.header("authorization"), Some(format!("Basic {}", STANDARD.encode(wire)).as_str()));
        assert_eq!(shown_header(&shown, "authorization").as_deref(), Some(label));
    }
}

#[tokio::test]
async fn bearer_query_and_body_place_the_secret_where_the_manifest_says() {
    let (seen, shown) = exchange("type = \"bearer\"\ntoken = \"{api_key}\"", &[KEY], call("get")).await;
    assert_eq!(seen.header("authorization"), Some("Bearer s3cret-key-us21"));
    assert_eq!(shown_header(&shown, "authorization").as_deref(), Some("Bearer {secret:api_key}"));

    let request = Request { query: vec![Pair::new("q", "a b")], ..call("get") };
    let (seen, shown) = exchange("type = \"query\"\nparams = { apikey = \"{api_key}\" }", &[("api_key", "s3cr&t=key")], request).await;
    assert_eq!(seen.target, "/x?q=a%20b&apikey=s3cr%26t%3Dkey");
    assert!(shown.url.ends_with("/x?q=a%20b&apikey={secret:api_key}"), "{}", shown.url);

    let request = Request { body: Body::Json(r#"{"a":1}"#.into()), ..call("post") };
    let (seen, shown) = exchange("type = \"body\"\nfields = { token = \"{api_key}\" }", &[KEY], request).await;
    assert_eq!(seen.body, r#"{"a":1,"token":"s3cret-key-us21"}"#);
    assert_eq!(shown.body.as_deref(), Some(r#"{"a":1,"token":"{secret:api_key}"}"#));

    let request = Request { body: Body::Form(vec![Pair::new("a", "1")]), ..call("form") };
    let (seen, _) = exchange("type = \"body\"\nfields = { token = \"{api_key}\" }", &[KEY], request).await;
    assert_eq!(seen.body, "a=1&token=s3cret-key-us21");
}

#[tokio::test]
async fn a_web_token_is_signed_per_request() {
    let auth = "type = \"jwt\"\nalg = \"HS256\"\nkey = \"key_secret\"\nkey_encoding = \"hex\"\nkid = \"{key_id}\"\naud = \"/admin/\"\nttl_s = 300\nprefix = \"Acme\"";
    let (seen, shown) = exchange(auth, &[("pair", "id-1:00ff00ff00ff")], call("get")).await;
    let header = seen.header("authorization").unwrap().to_owned();
    let token: Vec<&str> = header.strip_prefix("Acme ").unwrap().split('.').collect();
    assert_eq!(URL_SAFE_NO_PAD.decode(token[0]).unwrap(), br#"{"alg":"HS256","typ":"JWT","kid":"id-1"}"#);
    assert_eq!(URL_SAFE_NO_PAD.decode(token[1]).unwrap(), br#"{"iat":1795435200,"exp":1795435500,"aud":"/admin/"}"#);
    assert_eq!(shown_header(&shown, "authorization").as_deref(), Some("Acme {jwt:main}"));
}

#[tokio::test]
async fn a_signature_covers_all_values_in_query_and_form() {
    let auth = "type = \"signature\"\nkind = \"md5-sorted-values\"\nkey = \"app_id\"\nsecret = \"api_key\"\nkey_param = \"api_key\"\nsignature_param = \"sig\"\njson_param = \"json\"\nconstants = { format = \"json\" }";
    let slots = [KEY, ("app_id", "public-id-1")];
    let body = r#"{"id":"ann@example.com"}"#;
    let (seen, shown) = exchange(auth, &slots, Request { body: Body::Json(body.into()), ..call("post") }).await;
    let sig = hex::encode(Md5::digest(format!("s3cret-key-us21{}{}{}", "json", "public-id-1", body).as_bytes()));
    assert_eq!(seen.body, format!("format=json&api_key=public-id-1&json=%7B%22id%22%3A%22ann%40example.com%22%7D&sig={sig}"));
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(shown.body.unwrap().ends_with("sig=%7Bsignature%7D"));

    let (seen, shown) = exchange(auth, &slots, Request { query: vec![Pair::new("q", "zed")], ..call("get") }).await;
    let sig = hex::encode(Md5::digest(b"s3cret-key-us21jsonpublic-id-1zed"));
    assert_eq!(seen.target, format!("/x?q=zed&format=json&api_key=public-id-1&sig={sig}"));
    assert!(shown.url.ends_with("/x?q=zed&format=json&api_key={secret:app_id}&sig={signature}"), "{}", shown.url);
}

#[tokio::test]
async fn a_secret_that_no_header_can_carry_is_a_credentials_refusal() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let vault = Vault::new(&[("api_key", "line\nbreak\r\nEvil: 1")]);
    let world = World::new(&manifest("type = \"header\"\nheaders = { Api-Key = \"{api_key}\" }"), vault, &[("api", &vendor.url)]);
    let text = crate::support::refusal(world.send(call("get")).await);
    assert!(text.starts_with(crm_egress::CREDENTIALS_REFUSED), "{text}");
    assert!(!text.contains("break"), "{text}");
    assert_eq!(vendor.requests(), 0);
}

#[tokio::test]
async fn credentials_are_opened_once_for_runs_that_follow_each_other_and_afresh_for_verify() {
    let vendor = Vendor::start(|_| Reply::json(200, "{}")).await;
    let auth = "type = \"bearer\"\ntoken = \"{api_key}\"";
    let world = World::new(
        &manifest(auth).replace("stages = [\"sync\"]", "stages = [\"sync\", \"verify\"]"),
        Vault::new(&[KEY]),
        &[("api", &vendor.url)],
    );
    let opened = || world.vault.unsealed.load(std::sync::atomic::Ordering::SeqCst);
    for _ in 0..3 {
        world.send(call("get")).await.unwrap();
    }
    assert_eq!(opened(), 1);
    let run = world.egress.open(world.scope(Stage::Verify), Mode::Live, Book::new());
    run.send(call("get")).await.unwrap();
    assert_eq!(opened(), 2, "verify runs after a change");
    world.egress.forget("org", "con");
    world.send(call("get")).await.unwrap();
    assert_eq!(opened(), 3);
    let other = World {
        on: crm_contract::types::Connection { settings: vec![Pair::new("domain", "other.example")], ..Default::default() },
        ..world
    };
    other.send(call("get")).await.unwrap();
    assert_eq!(other.vault.unsealed.load(std::sync::atomic::Ordering::SeqCst), 4, "another host never gets what was opened for this one");
}

#[tokio::test(start_paused = true)]
async fn open_credentials_are_closed_after_seconds_even_if_nobody_comes() {
    let auth = "type = \"bearer\"\ntoken = \"{api_key}\"";
    let world = World::new(&manifest(auth), Vault::new(&[KEY]), &[]);
    let opened = || world.vault.unsealed.load(std::sync::atomic::Ordering::SeqCst);
    // Preview opens the credentials and sends nothing, so that no socket mixes with the stopped clock.
    for (wait, wanted) in [(0, 1), (1, 1), (4, 2)] {
        tokio::time::advance(std::time::Duration::from_secs(wait)).await;
        world.egress.open(world.scope(Stage::Sync), Mode::Preview, Book::new()).send(call("get")).await.unwrap();
        assert_eq!(opened(), wanted, "after {wait} more seconds");
    }
}
