//! Merchants' webhooks from outside: what an endpoint receives, what it can never be made to be, and what its answers become.
//! The wanted signatures were computed apart, with Python: `b64encode(hmac.digest(b64decode(secret[6:]), b"id.timestamp.body", "sha256"))`.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crm_contract::ports::CredentialSource;
use crm_contract::webhooks::{Delivery, DeliveryOutcome, NoWebhooks, WebhookSender};
use crm_egress::{DevEndpoints, Egress, EgressConfig};

use crate::support::{Hands, Names, Reply, Vault, Vendor, fast};

// Joined here, so that no scanner takes a test's words for somebody's secret.
const NEW: &str = concat!("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const OLD: &str = concat!("whsec_", "dGhlLW9sZC1zZWNyZXQtb2YtMzItYnl0ZXMtbG9uZyE=");
const BY_NEW: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const BY_OLD: &str = "v1,062YgQ7LzAhtzoqvnT87MDbbW0+sQhT7tcmXDh1hNxc=";

struct Host {
    egress: Arc<Egress>,
    clock: Arc<Hands>,
    names: Arc<Names>,
}

/// A host whose webhooks may go to this machine, or one as it is released.
fn host(development: bool) -> Host {
    let (clock, names) = (Hands::new(), Arc::new(Names::default()));
    let mut config = EgressConfig::new("crm-host/0.1 (test)", clock.clone(), names.clone());
    config.timeouts = fast();
    config.dev_endpoints = development.then(|| DevEndpoints::parse(&["webhooks=http://127.0.0.1"]).unwrap());
    Host { egress: Egress::new(config).unwrap(), clock, names }
}

fn to(url: &str, vault: Vault) -> Delivery {
    Delivery {
        url: url.to_owned(),
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
        timestamp_s: 1_614_265_330,
        body: r#"{"test": 2432232314}"#.into(),
        secrets: Arc::new(vault) as Arc<dyn CredentialSource>,
        slots: vec!["current".into(), "previous".into()],
    }
}

fn both() -> Vault {
    Vault::new(&[("previous", OLD), ("current", NEW)])
}

async fn answered(reply: Reply) -> (DeliveryOutcome, Vendor) {
    let endpoint = Vendor::start(move |_| reply.clone()).await;
    (host(true).egress.deliver(to(&endpoint.url, both())).await, endpoint)
}

fn why(outcome: &DeliveryOutcome) -> &str {
    match outcome {
        DeliveryOutcome::Refused { why } | DeliveryOutcome::Unanswered { why, .. } => why,
        DeliveryOutcome::Answered { .. } => panic!("answered: {outcome:?}"),
    }
}

#[tokio::test]
async fn the_standards_example_arrives_as_the_standard_says_it_must() {
    let endpoint = Vendor::start(|_| Reply::json(204, "")).await;
    let outcome = host(true).egress.deliver(to(&format!("{}/hooks?key=1", endpoint.url), Vault::new(&[("current", NEW)]))).await;
    assert!(matches!(outcome, DeliveryOutcome::Answered { status: 204, .. }), "{outcome:?}");
    let seen = endpoint.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/hooks?key=1"));
    assert_eq!(seen.body, r#"{"test": 2432232314}"#);
    let wanted = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", BY_NEW),
        ("content-type", "application/json"),
        ("user-agent", "crm-host/0.1 (test)"),
    ];
    for (name, value) in wanted {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    for name in ["cookie", "authorization", "referer", "accept-encoding"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn while_two_secrets_are_valid_both_sign_and_the_newest_first() {
    let (_, endpoint) = answered(Reply::json(200, "{}")).await;
    assert_eq!(endpoint.last().header("webhook-signature"), Some(format!("{BY_NEW} {BY_OLD}").as_str()));
    let mut only_new = to(&endpoint.url, both());
    only_new.slots = vec!["current".into()];
    host(true).egress.deliver(only_new).await;
    assert_eq!(endpoint.last().header("webhook-signature"), Some(BY_NEW), "a slot that is not asked for does not sign");
}

#[tokio::test]
async fn without_a_secret_nothing_is_sent() {
    let endpoint = Vendor::start(|_| Reply::json(200, "{}")).await;
    let vaults = [
        Vault::empty(),
        Vault::new(&[]),
        Vault::new(&[("other", NEW)]),
        Vault::new(&[("current", "whsec_short")]),
        Vault::new(&[("current", NEW), ("previous", "broken")]),
    ];
    for vault in vaults {
        let outcome = host(true).egress.deliver(to(&endpoint.url, vault)).await;
        assert!(matches!(outcome, DeliveryOutcome::Refused { .. }), "{outcome:?}");
        assert!(!why(&outcome).contains("broken") && !why(&outcome).contains("whsec_"), "{outcome:?}");
    }
    let mut stopped = to(&endpoint.url, both());
    stopped.id = "evt.1".into();
    assert!(matches!(host(true).egress.deliver(stopped).await, DeliveryOutcome::Refused { .. }), "a full stop could move the signed parts");
    assert_eq!(endpoint.sockets.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_spelling_of_an_address_or_a_local_name_is_ever_looked_up_or_dialled() {
    let listener = Vendor::start(|_| Reply::json(200, "{}")).await;
    let (port, corpus) = (listener.port, include_str!("ssrf/hostile.txt"));
    let mut urls: Vec<String> = corpus.lines().filter_map(|l| l.strip_prefix("url ")).map(str::to_owned).collect();
    urls.extend(
        ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"]
            .map(|h| format!("https://{h}:{port}/")),
    );
    assert!(urls.len() > 300);
    for development in [false, true] {
        for url in &urls {
            let host = host(development);
            let (checked, outcome) = (host.egress.check_url(url), host.egress.deliver(to(url, both())).await);
            // In development this machine's two plain names are what the switch is for.
            let plain = url.strip_prefix("http://").and_then(|rest| rest.split(['/', ':', '?', '#']).next());
            let meant = development && plain.is_some_and(|host| host == "127.0.0.1" || host == "localhost") && !url.contains(['@', '#']);
            assert!(meant || (checked.is_err() && matches!(outcome, DeliveryOutcome::Refused { .. })), "{url}: {checked:?} {outcome:?}");
            assert_eq!(host.names.asked.load(Ordering::SeqCst), 0, "{url}");
        }
    }
    assert_eq!(listener.sockets.load(Ordering::SeqCst), 0, "a socket was opened");
}

#[tokio::test]
async fn a_released_host_sends_nothing_to_this_machine() {
    let listener = Vendor::start(|_| Reply::json(200, "{}")).await;
    let (released, development) = (host(false).egress, host(true).egress);
    for url in [listener.url.clone(), format!("http://localhost:{}/x", listener.port)] {
        assert_eq!(released.check_url(&url), Err("the URL must begin with https://".into()));
        assert!(matches!(released.deliver(to(&url, both())).await, DeliveryOutcome::Refused { .. }));
        assert_eq!(development.check_url(&url), Ok(()));
        assert!(matches!(development.deliver(to(&url, both())).await, DeliveryOutcome::Answered { status: 200, .. }));
    }
    assert_eq!(listener.requests(), 2);
    for url in [
        "http://127.0.0.2:1/",
        "http://[::1]:1/",
        "http://user@127.0.0.1:1/",
        "http://127.0.0.1:1/#x",
        "http://10.0.0.1/",
        "http://acme.example/",
    ] {
        assert!(development.check_url(url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_name_with_one_private_address_is_refused_and_the_address_is_not_told() {
    for address in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"] {
        let host = host(true);
        let found: Vec<IpAddr> = vec!["93.184.215.14".parse().unwrap(), address.parse().unwrap()];
        host.names.known.lock().insert("hooks.acme.example".into(), found);
        let url = "https://hooks.acme.example/token-of-the-merchant";
        assert_eq!(host.egress.check_url(url), Ok(()), "its text is good");
        let outcome = host.egress.deliver(to(url, both())).await;
        let wanted = "hooks.acme.example has an address that is not on the public internet";
        assert_eq!(outcome, DeliveryOutcome::Refused { why: wanted.into() });
    }
}

#[tokio::test]
async fn what_does_not_answer_says_what_happened_and_no_secret() {
    let host = host(true);
    let dead = "http://127.0.0.1:1/token-of-the-merchant".to_owned();
    let silent = Vendor::start(|_| Reply::Hang(vec![])).await;
    let broken = Vendor::start(|_| Reply::Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec())).await;
    let cases = [
        ("https://nowhere.acme.example/token-of-the-merchant".to_owned(), "nowhere.acme.example does not exist, or has no address"),
        (dead, "localhost: it refused the connection"),
        (format!("{}/token-of-the-merchant", silent.url), "localhost: it did not answer in time"),
        (format!("{}/token-of-the-merchant", broken.url), "localhost: it broke off, or answered with something that is no HTTP"),
    ];
    for (url, wanted) in cases {
        let started = std::time::Instant::now();
        let outcome = host.egress.deliver(to(&url, both())).await;
        assert!(matches!(outcome, DeliveryOutcome::Unanswered { .. }), "{outcome:?}");
        assert_eq!(why(&outcome), wanted);
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_never_followed() {
    let elsewhere = Vendor::start(|_| Reply::json(200, "{}")).await;
    for status in [301, 302, 303, 307, 308] {
        let (outcome, _) = answered(Reply::json(status, "moved").with("location", &elsewhere.url)).await;
        assert!(matches!(&outcome, DeliveryOutcome::Answered { status: s, .. } if *s == status), "{outcome:?}");
    }
    assert_eq!(elsewhere.sockets.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_status_counts_however_long_the_answer_is() {
    let head = |rest: &str| format!("HTTP/1.1 202 Accepted\r\n{rest}\r\n\r\n").into_bytes();
    let chunk = b"4000\r\n".iter().copied().chain(std::iter::repeat_n(b'x', 0x4000)).chain(*b"\r\n").collect::<Vec<u8>>();
    let endless = Reply::Endless(head("transfer-encoding: chunked"), chunk);
    let stuck = Reply::Hang([head("content-length: 1000"), b"half".to_vec()].concat());
    let cut = Reply::Raw([head("content-length: 1000"), b"half".to_vec()].concat());
    for (reply, wanted) in [(endless, "x".repeat(512)), (stuck, "half".into()), (cut, "half".into())] {
        let (outcome, _) = answered(reply).await;
        match outcome {
            DeliveryOutcome::Answered { status: 202, body_start, retry_after_s: None, took_ms } => {
                assert_eq!(body_start, wanted);
                assert!(took_ms < 3_000);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_is_shown_as_text_without_what_it_echoes_of_the_secret() {
    let bare = NEW.strip_prefix("whsec_").unwrap();
    let (outcome, _) = answered(Reply::json(500, &format!("bad key {NEW} ({bare})\n"))).await;
    let DeliveryOutcome::Answered { body_start, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(body_start, "bad key whsec_[redacted] ([redacted])\\n");
    let packed = Reply::Full(200, vec![("content-encoding".into(), "gzip".into())], vec![0x1f, 0x8b, 8, 0]);
    let (outcome, _) = answered(packed).await;
    assert!(matches!(&outcome, DeliveryOutcome::Answered { status: 200, body_start, .. } if body_start.is_empty()), "{outcome:?}");
}

#[tokio::test]
async fn retry_after_is_read_as_seconds_and_as_a_date_on_the_hosts_clock() {
    // The clock stands at Mon, 23 Nov 2026 12:00:00 GMT.
    let cases = [
        ("120", Some(120)),
        ("0", Some(0)),
        ("Mon, 23 Nov 2026 12:05:00 GMT", Some(300)),
        ("Mon, 23 Nov 2026 11:00:00 GMT", Some(0)),
        ("soon", None),
    ];
    for (text, wanted) in cases {
        let (outcome, _) = answered(Reply::json(503, "").with("retry-after", text)).await;
        let DeliveryOutcome::Answered { retry_after_s, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(retry_after_s, wanted, "{text}");
    }
    let endpoint = Vendor::start(|_| Reply::json(503, "").with("retry-after", "Mon, 23 Nov 2026 12:05:00 GMT")).await;
    let host = host(true);
    host.clock.forward(240_000);
    let outcome = host.egress.deliver(to(&endpoint.url, both())).await;
    assert!(matches!(outcome, DeliveryOutcome::Answered { retry_after_s: Some(60), .. }), "{outcome:?}");
}

#[tokio::test]
async fn one_endpoint_keeps_its_connection_and_a_host_without_webhooks_says_so() {
    let endpoint = Vendor::start(|_| Reply::json(200, "{}")).await;
    let host = host(true);
    for _ in 0..10 {
        host.egress.deliver(to(&endpoint.url, both())).await;
    }
    assert_eq!((endpoint.requests(), endpoint.sockets.load(Ordering::SeqCst)), (10, 1));
    assert!(matches!(NoWebhooks.deliver(to(&endpoint.url, both())).await, DeliveryOutcome::Refused { .. }));
    assert!(NoWebhooks.check_url(&endpoint.url).is_err());
}

#[test]
fn a_url_that_is_refused_says_what_to_change() {
    let egress = host(false).egress;
    let cases = [
        ("acme.example/hooks", "this is no URL: it must look like https://example.com/webhooks"),
        ("ftp://acme.example", "the URL must begin with https://"),
        ("https://acme.example:8443/", "the URL must not name a port: webhooks go to port 443"),
        ("https://u:p@acme.example/", "the URL must not hold a user name or a password"),
        ("https://acme.example/#x", "the URL must not hold a fragment (#...)"),
        ("https://10.0.0.1/", "the URL must name its host: an IP address is not allowed"),
        ("https://intranet/", "the URL's host is no public name"),
        ("https://acme.example/a b", "the URL holds a space, a backslash or a character that cannot be seen"),
        ("https://acme.example/../x", "the path must not hold empty segments, dot segments or encoded slashes"),
    ];
    for (url, wanted) in cases {
        assert_eq!(egress.check_url(url), Err(wanted.to_owned()), "{url}");
    }
    assert_eq!(egress.check_url(&format!("https://acme.example/{}", "x".repeat(2_048))), Err("the URL is longer than 2048 bytes".into()));
    for good in ["https://acme.example", "https://hooks.acme.example:443/in?key=a%20b&x=/y", "https://bücher.example/in"] {
        assert_eq!(egress.check_url(good), Ok(()), "{good}");
    }
}
