//! The door: wrong keys are counted by the address that shows them, and nobody else is shut out by it.

use std::net::IpAddr;

use axum::body::Body;
use crm_api_tests::{Answer, Setup, World, json_request, send};
use crm_sync::client::ClientAddr;
use crm_sync::services::gate::GateConfig;
use crm_web::WebState;
use http::{Method, Request, StatusCode};
use serde_json::Value;

async fn guarded() -> anyhow::Result<World> {
    World::set_up(Setup { gate: GateConfig::default(), ..Setup::default() }).await
}

/// A request as if it came from this address.
async fn from(world: &World, address: &str, key: &str) -> anyhow::Result<Answer> {
    let mut request = json_request(&Method::GET, "/v1/campaigns", key, &Value::Null);
    request.extensions_mut().insert(ClientAddr(address.parse::<IpAddr>()?));
    world.send(request).await
}

#[tokio::test]
async fn who_shows_sixty_wrong_keys_in_a_minute_is_not_listened_to_for_a_while() -> anyhow::Result<()> {
    let world = guarded().await?;
    for _ in 0..60 {
        assert_eq!(from(&world, "203.0.113.7", "rk_live_wrong").await?.problem("wrong"), "unauthorized");
    }
    let refused = from(&world, "203.0.113.7", "rk_live_wrong").await?;
    assert_eq!((refused.problem("61st").as_str(), refused.header("retry-after")), ("rate_limited", "1"));
    // Not even a right guess: it would tell that it is one.
    assert_eq!(from(&world, "203.0.113.7", &world.ann.key).await?.problem("a guess"), "rate_limited");
    assert_eq!(from(&world, "203.0.113.8", &world.ann.key).await?.status, StatusCode::OK, "elsewhere the key works");
    world.clock.0.fetch_add(1_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(from(&world, "203.0.113.7", &world.ann.key).await?.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn a_key_that_was_let_in_from_an_address_still_is_when_others_there_guess() -> anyhow::Result<()> {
    let world = guarded().await?;
    assert_eq!(from(&world, "2001:db8:1:2::1", &world.ann.key).await?.status, StatusCode::OK);
    for n in 0..100 {
        from(&world, &format!("2001:db8:1:2::{n}"), "rk_live_wrong").await?;
    }
    assert_eq!(from(&world, "2001:db8:1:2::9", "rk_live_wrong").await?.problem("same network"), "rate_limited");
    assert_eq!(from(&world, "2001:db8:1:2::7", &world.ann.key).await?.status, StatusCode::OK, "known here");
    assert_eq!(from(&world, "2001:db8:1:2::7", &world.bob.key).await?.problem("not known here"), "rate_limited");
    Ok(())
}

#[tokio::test]
async fn requests_without_a_key_are_no_guesses() -> anyhow::Result<()> {
    let world = guarded().await?;
    for _ in 0..100 {
        assert_eq!(from(&world, "203.0.113.7", "").await?.problem("none"), "unauthorized");
    }
    assert_eq!(from(&world, "203.0.113.7", &world.ann.key).await?.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn guesses_at_the_sign_in_page_count_too() -> anyhow::Result<()> {
    let world = guarded().await?;
    let site = crm_web::router(WebState { ctx: world.ctx.clone(), gate: world.state.gate.clone(), secure_cookies: false });
    let sign_in = |key: &str| -> anyhow::Result<Request<Body>> {
        let request = Request::post("/console").header("content-type", "application/x-www-form-urlencoded");
        Ok(request.extension(ClientAddr("203.0.113.7".parse()?)).body(Body::from(format!("key={key}")))?)
    };
    for _ in 0..60 {
        assert_eq!(send(&site, sign_in("rk_live_wrong")?).await?.status, 401);
    }
    let refused = send(&site, sign_in(&world.ann.key)?).await?;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"));
    assert_eq!(from(&world, "203.0.113.7", &world.ann.key).await?.problem("the API shares the count"), "rate_limited");
    Ok(())
}
