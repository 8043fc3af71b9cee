//! The pages: readable without a key where they say nothing about anyone, and only one's own behind the sign-in.

use axum::Router;
use axum::body::Body;
use crm_api_tests::{Answer, World, send};
use crm_web::WebState;
use http::{Method, Request};
use serde_json::Value;

async fn get(router: &Router, path: &str, cookie: &str) -> anyhow::Result<Answer> {
    send(router, Request::get(path).header("cookie", cookie).body(Body::empty())?).await
}

async fn sign_in(router: &Router, key: &str) -> anyhow::Result<Answer> {
    let request = Request::post("/console").header("content-type", "application/x-www-form-urlencoded");
    send(router, request.body(Body::from(format!("key={key}")))?).await
}

#[tokio::test]
async fn the_directory_and_the_setup_page_come_from_the_manifest() -> anyhow::Result<()> {
    let world = World::new().await?;
    // As the host serves it: both rooms on one port.
    let site = world.router.clone().merge(crm_web::router(WebState {
        ctx: world.ctx.clone(),
        gate: world.state.gate.clone(),
        secure_cookies: true,
    }));
    let directory = get(&site, "/integrations", "").await?;
    assert!(directory.text.contains("Acme Mail") && directory.text.contains("Letters for everyone."));
    let page = get(&site, "/integrations/acme", "").await?;
    for words in
        ["What syncs", "Open Settings &gt; API", "The key was revoked.", "Contacts stay as they are.", "/contacts/{id}/tags", "180 in 60 s"]
    {
        assert!(page.text.contains(words), "{words}");
    }
    assert!(!page.text.contains("<script") && !page.text.contains("style="));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(get(&site, "/integrations/nothing", "").await?.status, 404);
    assert_eq!(get(&site, "/assets/site.css", "").await?.header("content-type"), "text/css");
    assert_eq!(get(&site, "/nothing", "").await?.problem("the API's fallback"), "not_found");
    Ok(())
}

#[tokio::test]
async fn the_directory_is_searched_by_word_and_by_category() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = crm_web::router(WebState { ctx: world.ctx.clone(), gate: world.state.gate.clone(), secure_cookies: true });
    for (query, found) in [
        ("", true),
        ("?q=MAIL", true),
        ("?q=letters+acme", true),
        ("?category=e-mail", true),
        ("?q=letters&category=E-mail&utm_source=x", true),
        ("?q=nothing", false),
        ("?q=letters+nothing", false),
        ("?category=CRM", false),
    ] {
        let page = get(&site, &format!("/integrations{query}"), "").await?;
        assert_eq!(page.text.contains("/integrations/acme"), found, "{query}");
        assert_eq!(page.text.contains("0 of 1 integrations"), !found, "{query}");
        let answer = world.ann(Method::GET, &format!("/v1/connectors{}", query.replace("&utm_source=x", "")), Value::Null).await?;
        let cards = answer.json()["data"].as_array().map_or(0, Vec::len);
        assert_eq!(cards == 1, found, "{query}: {}", answer.text);
    }
    let words = get(&site, "/integrations?q=%22%3E%3Cscript%3E", "").await?;
    assert!(!words.text.contains("<script"), "what was looked for is shown, and never believed");
    assert_eq!(world.ann(Method::GET, "/v1/connectors", Value::Null).await?.json()["data"][0]["status"], "live");
    Ok(())
}

#[tokio::test]
async fn the_console_shows_ones_own_syncs_only_and_only_while_the_key_lives() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = crm_web::router(WebState { ctx: world.ctx.clone(), gate: world.state.gate.clone(), secure_cookies: false });
    world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let affiliate = world.affiliate(&campaign, "zoe@example.com").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{affiliate}/approve"), Value::Null).await?;
    let sync = world.ann(Method::GET, "/v1/syncs", Value::Null).await?.json()["data"][0]["id"].as_str().unwrap_or_default().to_owned();

    assert_eq!(get(&site, "/console/syncs", "").await?.header("location"), "/console");
    assert_eq!(get(&site, "/console/syncs", "console=forged").await?.header("location"), "/console");
    assert_eq!(sign_in(&site, "rk_live_wrong").await?.status, 401);
    let signed_in = sign_in(&site, &world.ann.read_key).await?;
    let set = signed_in.header("set-cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && !set.contains(&world.ann.read_key), "{set}");
    let cookie = set.split(';').next().unwrap_or_default().to_owned();
    let list = get(&site, "/console/syncs", &cookie).await?;
    assert!(list.text.contains("zoe@example.com") && list.text.contains("pending"));
    let page = get(&site, &format!("/console/syncs/{sync}"), &cookie).await?;
    assert!(page.text.contains("Rekomi affiliate"), "{}", page.text);

    let theirs = sign_in(&site, &world.bob.key).await?.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    assert_eq!(get(&site, &format!("/console/syncs/{sync}"), &theirs).await?.status, 404);
    assert!(!get(&site, "/console/syncs", &theirs).await?.text.contains("zoe@"));

    let foreign = Request::post("/console/sign-out").header("cookie", &cookie).header("sec-fetch-site", "cross-site");
    assert_eq!(send(&site, foreign.body(Body::empty())?).await?.status, 403);
    let keys = crm_sync::services::keys::list_keys(&world.ctx, &world.ann.organization).await?;
    // The last key that may write cannot be revoked; the one that signed in may only read.
    for key in keys.iter().filter(|key| key.scope == crm_sync::domain::KeyScope::Read) {
        crm_sync::services::keys::revoke(&world.ctx, &world.ann.organization, &key.id).await?;
    }
    assert_eq!(get(&site, "/console/syncs", &cookie).await?.header("location"), "/console");
    Ok(())
}
