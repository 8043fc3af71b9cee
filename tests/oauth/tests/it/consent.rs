//! The way to the vendor and back: bound, single use, and with clear words for every way it can go wrong.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crm_oauth_tests::{Options, PUBLIC_URL, Reply, Stub, World};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn value(text: &str, name: &str) -> String {
    pairs(text).into_iter().find(|(n, _)| n == name).map(|(_, v)| v).unwrap_or_default()
}

#[tokio::test]
async fn a_merchant_who_says_yes_is_connected_and_no_secret_is_seen_on_the_way() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let detail = world.ask("GET", "/v1/connectors/acme", Value::Null).await?.good()?;
    assert_eq!(detail["consent"][0]["redirect_uri"], format!("{PUBLIC_URL}/v1/oauth/acme/callback"));
    assert_eq!((&detail["consent"][0]["mode"], &detail["consent"][0]["ready"]), (&json!("consent"), &json!(true)));
    assert_eq!(detail["form"][0]["required"], false, "the operator has set it");

    let started = world.ask("GET", "/v1/oauth/acme/start?name=Main+account", Value::Null).await?;
    let url = url::Url::parse(started.good()?["authorize_url"].as_str().unwrap_or_default())?;
    let asked = url.query().unwrap_or_default();
    assert!(url.as_str().starts_with(&format!("{}/auth?", stub.url)), "{url}");
    for (name, wanted) in [
        ("response_type", "code"),
        ("client_id", "acme-app"),
        ("redirect_uri", "https://crm.example/v1/oauth/acme/callback"),
        ("scope", "openid contacts.write"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(value(asked, name), wanted);
    }
    assert!(value(asked, "state").len() >= 43 && !asked.contains("secret"));

    let made = world.land(&url, "code=the+code%2F1&scope=more&iss=https://login.acme.example").await?;
    let connection = made.good()?;
    assert_eq!(
        (&connection["name"], &connection["account"]["id"], &connection["state"]),
        (&json!("Main account"), &json!("ann"), &json!("live"))
    );
    let exchange = &stub.to("/token")[0];
    assert_eq!(value(&exchange.body, "grant_type"), "authorization_code");
    assert_eq!(
        (value(&exchange.body, "code").as_str(), value(&exchange.body, "redirect_uri").as_str()),
        ("the code/1", "https://crm.example/v1/oauth/acme/callback")
    );
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(value(&exchange.body, "code_verifier").as_bytes()));
    assert_eq!(challenge, value(asked, "code_challenge"), "the verifier is the one that was promised");
    assert!(exchange.authorization.starts_with("Basic "));
    assert_eq!(stub.to("/me")[0].authorization, "Bearer access-canary-1");

    // Neither answers nor files hold anything of it in the clear.
    let verifier = value(&exchange.body, "code_verifier");
    let state = value(asked, "state");
    let disk = world.bytes_on_disk()?;
    for canary in ["access-canary-1", "refresh-canary-1", "operator-secret-canary", "the code/1", &verifier, &state] {
        assert!(!disk.windows(canary.len()).any(|w| w == canary.as_bytes()), "{canary} is on the disk");
        assert!(!made.text.contains(canary), "{canary} is in the answer");
    }
    Ok(())
}

#[tokio::test]
async fn a_state_is_good_once_for_one_connector_and_for_ten_minutes() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let url = world.start(json!({})).await?;
    let state = value(url.query().unwrap_or_default(), "state");
    let mut forged = state.clone().into_bytes();
    forged[7] = if forged[7] == b'x' { b'y' } else { b'x' };
    for target in [
        format!("/v1/oauth/other/callback?code=c&state={state}"),
        format!("/v1/oauth/acme/callback?code=c&state={}", String::from_utf8(forged)?),
        "/v1/oauth/acme/callback?code=c&state=".to_owned(),
        "/v1/oauth/acme/callback?code=c".to_owned(),
        format!("/v1/oauth/acme/callback?code=c&state={}", "%00".repeat(43)),
    ] {
        let answer = world.get(&target, &[]).await?;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::CONFLICT, "oauth_state_unknown"), "{target}");
    }
    assert!(stub.to("/token").is_empty(), "a code was spent on nothing");
    assert_eq!(world.land(&url, "code=c").await?.status, StatusCode::OK);
    assert_eq!(world.land(&url, "code=c").await?.code(), "oauth_state_unknown", "used twice");
    let late = world.start(json!({})).await?;
    world.forward(10 * 60 * 1_000);
    assert_eq!(world.land(&late, "code=c").await?.code(), "oauth_state_unknown", "used late");
    assert_eq!(stub.to("/token").len(), 1);
    // The next start clears away what nobody came back for.
    world.start(json!({})).await?;
    let waiting = world.ctx.store.page("", crm_store::model::Kind::Authorization, None, 10).await?;
    assert_eq!(waiting.len(), 1);
    Ok(())
}

#[tokio::test]
async fn of_two_returns_at_once_one_is_taken() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let url = world.start(json!({})).await?;
    let (a, b, c) = tokio::join!(world.land(&url, "code=c"), world.land(&url, "code=c"), world.land(&url, "code=c"));
    let mut statuses = [a?.status.as_u16(), b?.status.as_u16(), c?.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!((statuses, stub.to("/token").len()), ([200, 409, 409], 1));
    Ok(())
}

#[tokio::test]
async fn a_browser_that_set_out_is_the_one_that_must_come_back() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let html = ("accept", "text/html,application/xhtml+xml");
    let bearer = format!("Bearer {}", world.key);
    let mut outcomes = Vec::new();
    for sends_cookie in [false, true] {
        let start = world.get("/v1/oauth/acme/start", &[html, ("authorization", &bearer)]).await?;
        assert_eq!(start.status, StatusCode::SEE_OTHER);
        let set = start.header("set-cookie").to_owned();
        for part in ["Path=/v1/oauth/", "HttpOnly", "SameSite=Lax", "Secure", "Max-Age=600"] {
            assert!(set.contains(part), "{set}");
        }
        let cookie = set.split(';').next().unwrap_or_default().to_owned();
        let url = url::Url::parse(start.header("location"))?;
        let state = value(url.query().unwrap_or_default(), "state");
        assert!(!cookie.contains(&state));
        let target = format!("/v1/oauth/acme/callback?code=c&state={state}");
        let headers = if sends_cookie { vec![html, ("cookie", cookie.as_str())] } else { vec![html, ("cookie", "oauth_x=y")] };
        let back = world.get(&target, &headers).await?;
        assert_eq!(back.header("referrer-policy"), "no-referrer");
        outcomes.push((back.status.as_u16(), back.header("location").to_owned()));
        // Whoever it was: the state is spent.
        let again = world.get(&target, &[("cookie", cookie.as_str())]).await?;
        assert_eq!(again.code(), "oauth_state_unknown");
    }
    assert_eq!(outcomes[0], (303, "/integrations/acme/not-connected?code=oauth_other_browser".to_owned()));
    assert_eq!(outcomes[1], (303, "/integrations/acme/connected".to_owned()));
    assert_eq!(stub.to("/token").len(), 1, "the other browser's code was not spent");
    Ok(())
}

#[tokio::test]
async fn every_no_of_the_vendor_has_words_and_leaves_nothing_behind() -> Result<()> {
    let answers = [
        ("/token", 400, r#"{"error":"invalid_grant","error_description":"access-canary"}"#, 422, "credentials_refused"),
        ("/token", 200, r#"{"error":"invalid_client"}"#, 422, "credentials_refused"),
        ("/token", 503, "{}", 502, "vendor_unavailable"),
        ("/token", 200, "<html>", 502, "vendor_unavailable"),
        ("/token", 429, "{}", 503, "vendor_rate_limited"),
        ("/me", 401, "{}", 422, "credentials_refused"),
        ("/me", 500, "{}", 502, "vendor_unavailable"),
    ];
    for (path, status, text, answered, code) in answers {
        let stub = Stub::start(move |seen, before| match (seen.path.as_str(), seen.path == path) {
            (_, true) => Reply(status, text.into()),
            ("/token", _) => Reply::tokens(before + 1),
            _ => Reply(200, r#"{"id":"ann"}"#.into()),
        })
        .await?;
        let world = World::new(Options::of(&stub.url, &stub.url)).await?;
        let url = world.start(json!({})).await?;
        let answer = world.land(&url, "code=c").await?;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (answered, code), "{path} {status} {text}: {}", answer.text);
        assert!(!answer.text.contains("canary"), "{}", answer.text);
        assert_eq!(world.ask("GET", "/v1/connections", Value::Null).await?.json()["data"], json!([]));
    }
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    for (with, code) in [
        ("error=access_denied&error_description=%3Cscript%3E", "oauth_denied"),
        ("error=server_error", "oauth_refused"),
        ("error=%3Cscript%3E", "oauth_refused"),
        ("", "oauth_refused"),
        ("error=access_denied&code=c", "oauth_denied"),
    ] {
        let answer = world.land(&world.start(json!({})).await?, with).await?;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::CONFLICT, code), "{with}");
        assert!(!answer.text.contains('<'), "{}", answer.text);
    }
    assert!(stub.to("/token").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_platform_gets_its_merchant_back_on_its_own_page() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    for hostile in [
        "javascript:alert(1)",
        "//evil.example",
        "/\\evil.example",
        "http://evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "https://a b",
        "https://a/#x",
        "",
    ] {
        let answer = world.ask("POST", "/v1/oauth/acme/start", json!({ "return_to": hostile })).await?;
        assert_eq!(answer.code(), "validation_failed", "{hostile}");
    }
    let order = json!({ "return_to": "https://platform.example/done?tab=2" });
    let back = world.land(&world.start(order.clone()).await?, "code=c").await?;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    assert!(back.header("location").starts_with("https://platform.example/done?tab=2&connection=con_"), "{}", back.header("location"));
    let back = world.land(&world.start(order).await?, "error=access_denied").await?;
    assert_eq!(back.header("location"), "https://platform.example/done?tab=2&error=oauth_denied");
    Ok(())
}

#[tokio::test]
async fn a_merchants_own_client_is_used_whole_and_never_mixed_with_the_operators() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let half = world.ask("POST", "/v1/oauth/acme/start", json!({ "credentials": { "client_id": "own-app" } })).await?;
    assert_eq!((half.code().as_str(), half.json()["field"].as_str()), ("validation_failed", Some("credentials.client_secret")));
    let own = json!({ "credentials": { "client_id": "own-app", "client_secret": "own-secret-canary" } });
    let url = world.start(own).await?;
    assert_eq!(value(url.query().unwrap_or_default(), "client_id"), "own-app");
    let made = world.land(&url, "code=c").await?;
    let id = made.good()?["id"].as_str().unwrap_or_default().to_owned();
    let expected = base64::engine::general_purpose::STANDARD.encode("own-app:own-secret-canary");
    assert_eq!(stub.to("/token")[0].authorization, format!("Basic {expected}"));
    assert!(!made.text.contains("own-secret"), "{}", made.text);
    // A renewed consent goes on with the client that the connection has.
    let again = world.start(json!({ "connection": id })).await?;
    assert_eq!(value(again.query().unwrap_or_default(), "client_id"), "own-app");
    world.land(&again, "code=c2").await?.good()?;
    assert_eq!(stub.to("/token")[1].authorization, format!("Basic {expected}"));
    let disk = world.bytes_on_disk()?;
    assert!(!disk.windows(17).any(|w| w == b"own-secret-canary"));
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_said_to_whom_it_may_concern() -> Result<()> {
    let stub = Stub::obliging().await?;
    let options = Options::of(&stub.url, &stub.url);
    let world = World::new(Options { public_url: None, ..options.clone() }).await?;
    let answer = world.ask("GET", "/v1/oauth/acme/start", Value::Null).await?;
    assert_eq!(answer.code(), "public_url_missing");
    let world = World::new(Options { operator: None, ..options.clone() }).await?;
    let answer = world.ask("GET", "/v1/oauth/acme/start", Value::Null).await?;
    assert_eq!(answer.json()["field"], "credentials.client_id", "{}", answer.text);
    let world = World::new(options).await?;
    let direct = world.ask("POST", "/v1/connections", json!({ "connector": "acme" })).await?;
    assert_eq!(direct.code(), "authorization_needed");
    let robot = world.ask("GET", "/v1/oauth/acme/start?mode=robot", Value::Null).await?;
    assert_eq!(robot.code(), "unsupported");
    let reading = world.get("/v1/oauth/acme/start", &[("authorization", &format!("Bearer {}", world.read_key))]).await?;
    assert_eq!(reading.code(), "forbidden_scope");
    assert_eq!(world.ask("GET", "/v1/oauth/nothing/start", Value::Null).await?.code(), "validation_failed");
    Ok(())
}

#[tokio::test]
async fn consent_for_another_account_is_refused_and_the_old_one_stays() -> Result<()> {
    let stub = Stub::start(|seen, before| match seen.path.as_str() {
        "/token" => Reply::tokens(before + 1),
        _ if seen.authorization.ends_with("-1") => Reply(200, r#"{"id":"ann"}"#.into()),
        _ => Reply(200, r#"{"id":"bob"}"#.into()),
    })
    .await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let id = world.connect().await?;
    let answer = world.land(&world.start(json!({ "connection": id })).await?, "code=c").await?;
    assert_eq!(answer.code(), "other_account");
    let connection = world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?.good()?;
    assert_eq!(connection["account"]["id"], "ann");
    assert_eq!(stub.to("/me").last().map(|s| s.authorization.clone()).as_deref(), Some("Bearer access-canary-1"));
    Ok(())
}
