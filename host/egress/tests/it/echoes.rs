//! Check 14 and invariant 1: a vendor that gives the secret back in every spelling gives the guest nothing.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use crm_contract::types::{Body, Request};

use crate::support::{Book, Reply, Vault, Vendor, World, call};

const MANIFEST: &str = r#"
[[credentials]]
name = "api_key"
label = "Key"
help = "h"
[[credentials]]
name = "user"
label = "User"
help = "h"
[[credentials]]
name = "site"
label = "Site"
help = "h"
secret = false
[[auth]]
name = "main"
type = "basic"
user = "{user}"
password = "{api_key}"
[[endpoints]]
name = "api"
url = "https://api.acme.example"
auth = "main"
[[calls]]
name = "get"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/x"
effect = "write"
body = "json"
writes = ["/**"]
read_headers = ["Location", "X-Echo"]
redact = ["/signed_url"]
"#;

/// 40 bytes that stand nowhere else, with characters that every encoding writes differently.
const CANARY: &str = "CANARY/9f+2&<k>\"q'=\u{fc}7-zzzzzzzzzzzzzzzzzz";
const USER: &str = "merchant-user";

fn spellings() -> Vec<String> {
    let json = serde_json::to_string(CANARY).unwrap();
    let json = &json[1..json.len() - 1];
    let pair = format!("{USER}:{CANARY}");
    vec![
        CANARY.into(),
        STANDARD.encode(CANARY),
        URL_SAFE.encode(CANARY),
        STANDARD.encode(&pair),
        STANDARD.encode(format!("a{CANARY}")),
        STANDARD.encode(format!("ab{CANARY}")),
        hex::encode(CANARY),
        hex::encode_upper(CANARY),
        percent_encoding::utf8_percent_encode(CANARY, percent_encoding::NON_ALPHANUMERIC).to_string(),
        percent_encoding::utf8_percent_encode(CANARY, percent_encoding::NON_ALPHANUMERIC)
            .to_string()
            .to_lowercase()
            .replace("canary", "CANARY"),
        url::form_urlencoded::byte_serialize(CANARY.as_bytes()).collect(),
        json.into(),
        json.replace('/', "\\/"),
        json.replace('\u{fc}', "\\u00fc"),
        json.replace('\u{fc}', "\\u00FC").replace('/', "\\/"),
        json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027"),
        CANARY.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;"),
    ]
}

#[tokio::test]
async fn invariant_1_no_spelling_of_a_secret_reaches_guest_or_journal() {
    for spelling in spellings() {
        let echo = spelling.clone();
        let vendor = Vendor::start(move |_| {
            let header = if echo.is_ascii() { echo.clone() } else { "none".into() };
            Reply::Full(
                200,
                vec![("X-Echo".into(), header), ("Content-Type".into(), "text/plain".into())],
                format!("you sent >{echo}<").into_bytes(),
            )
        })
        .await;
        let vault = Vault::new(&[("api_key", CANARY), ("user", USER), ("site", "acme-site")]);
        let world = World::new(MANIFEST, vault, &[("api", &vendor.url)]);
        let book = Book::new();
        // Not every one of these secrets can stand in a header; Basic encodes it, so this one always can.
        let request = Request { body: Body::Json("{}".into()), ..call("get") };
        let response = world.open(&book).send(request).await.unwrap();
        let guest = format!("{} {:?}", String::from_utf8_lossy(&response.body), response.headers);
        let all = format!("{guest} {}", book.text());
        for bad in spellings().into_iter().filter(|s| s.len() > 8) {
            assert!(!all.contains(&bad), "{spelling} came through as {bad}: {all}");
        }
        assert!(guest.starts_with("you sent >") && guest.contains("[redacted]"), "{guest}");
        assert!(!all.contains(USER), "{all}");
    }
}

#[tokio::test]
async fn only_readable_headers_reach_the_guest_in_lower_case() {
    let vendor = Vendor::start(|_| {
        Reply::json(201, r#"{"site":"acme-site"}"#).with("LOCATION", "/people/7").with("Set-Cookie", "session=1").with("X-Internal", "1")
    })
    .await;
    let world = World::new(MANIFEST, Vault::new(&[("api_key", CANARY), ("user", USER), ("site", "acme-site")]), &[("api", &vendor.url)]);
    let response = world.send(Request { body: Body::Json("{}".into()), ..call("get") }).await.unwrap();
    let headers: Vec<(&str, &str)> = response.headers.iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
    assert_eq!(headers, [("content-type", "application/json"), ("location", "/people/7")]);
    assert_eq!(response.body, br#"{"site":"acme-site"}"#, "what is no secret is not blanked");
}

#[tokio::test]
async fn a_secret_that_the_vendor_makes_is_blanked_in_the_journal_only() {
    let vendor = Vendor::start(|_| Reply::json(200, r#"{"id":1,"signed_url":"https://files.acme.example/x?sig=abc"}"#)).await;
    let world = World::new(MANIFEST, Vault::new(&[("api_key", CANARY), ("user", USER)]), &[("api", &vendor.url)]);
    let book = Book::new();
    let response = world.open(&book).send(Request { body: Body::Json("{}".into()), ..call("get") }).await.unwrap();
    assert!(String::from_utf8(response.body).unwrap().contains("sig=abc"));
    let kept = crate::support::answered(&book.steps.lock()[0]).unwrap().body.clone();
    assert_eq!(String::from_utf8(kept).unwrap(), r#"{"id":1,"signed_url":"[redacted]"}"#);
}
