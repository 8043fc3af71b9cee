//! Against an authorization server that others wrote (npm oidc-provider): what it takes and what it refuses is the truth.

use std::time::Duration;

use anyhow::{Context as _, Result};
use crm_oauth_tests::{Browser, Options, Real, World, start_real};
use crm_sync::worker::Workers;
use serde_json::{Value, json};
use url::Url;

const SECRET: &str = "secret of the app: 100% + more";
const HOUR: u64 = 3_600_000;

/// `None` = node is not here, which has been said.
async fn server() -> Result<Option<Real>> {
    tokio::task::spawn_blocking(start_real).await?
}

async fn world(real: &Real) -> Result<World> {
    let options = Options { operator: Some(("acme-app", SECRET)), ..Options::of(&real.url, &format!("{}/api", real.url)) };
    World::new(options).await
}

/// The merchant at the vendor; answers the callback's path and query.
async fn consent(start: Url, yes: bool) -> Result<String> {
    let back = tokio::task::spawn_blocking(move || Browser::default().consent(&start, yes)).await??;
    Ok(format!("{}?{}", back.path(), back.query().unwrap_or_default()))
}

async fn connect(world: &World) -> Result<String> {
    let back = consent(world.start(json!({})).await?, true).await?;
    let made = world.get(&back, &[]).await?.good()?;
    assert_eq!((&made["state"], &made["account"]["id"]), (&json!("live"), &json!("ann")), "{made}");
    Ok(made["id"].as_str().context("an id")?.to_owned())
}

async fn stored(world: &World, id: &str) -> Result<crm_contract::secrets::Token> {
    let whose = crm_store::Whose {
        organization: world.organization.clone(),
        connection: id.to_owned(),
        connector: "acme".into(),
        host: String::new(),
    };
    let token = world.ctx.store.credentials(&whose).token("main").await;
    token.map_err(|e| anyhow::anyhow!("{e}"))?.context("a token")
}

async fn spend(real: &Real, form: String) -> Result<u16> {
    let url = format!("{}/token", real.url);
    tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode("acme-app"), encode(SECRET));
        use base64::Engine;
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let request = config.new_agent().post(&url).header("authorization", basic);
        Ok(request.header("content-type", "application/x-www-form-urlencoded").send(form)?.status().as_u16())
    })
    .await?
}

#[tokio::test]
async fn real_code_with_pkce_connects_and_a_code_is_good_once() -> Result<()> {
    let Some(real) = server().await? else { return Ok(()) };
    let world = world(&real).await?;
    let start = world.start(json!({})).await?;
    let back = consent(start, true).await?;
    let made = world.get(&back, &[]).await?.good()?;
    assert_eq!(made["account"]["id"], "ann");
    assert_eq!(world.get(&back, &[]).await?.code(), "oauth_state_unknown");
    // The same code under another state of ours: the vendor refuses what was made for another verifier, and used.
    let fresh = world.start(json!({})).await?;
    let state = fresh.query_pairs().find(|(n, _)| n == "state").map(|(_, v)| v.into_owned()).unwrap_or_default();
    let code = Url::parse(&format!("https://x.example{back}"))?.query_pairs().find(|(n, _)| n == "code").map(|(_, v)| v.into_owned());
    let injected = world.get(&format!("/v1/oauth/acme/callback?state={state}&code={}", code.unwrap_or_default()), &[]).await?;
    assert_eq!(
        (injected.code().as_str(), injected.json()["detail"].as_str()),
        ("credentials_refused", Some("the vendor refused to exchange the code (invalid_grant)"))
    );
    // And a no at the consent page.
    let back = consent(world.start(json!({})).await?, false).await?;
    assert_eq!(world.get(&back, &[]).await?.code(), "oauth_denied", "{back}");
    Ok(())
}

#[tokio::test]
async fn real_refresh_rotates_and_goes_on_for_a_day() -> Result<()> {
    let Some(real) = server().await? else { return Ok(()) };
    let world = world(&real).await?;
    let id = connect(&world).await?;
    let mut seen = vec![stored(&world, &id).await?.refresh.clone()];
    for _ in 0..6 {
        world.forward(4 * HOUR);
        world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?.good()?;
        seen.push(stored(&world, &id).await?.refresh.clone());
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "a refresh token came back");
    Ok(())
}

#[tokio::test]
async fn real_reuse_of_a_refresh_token_kills_the_grant_and_the_connection_asks_for_a_new_one() -> Result<()> {
    let Some(real) = server().await? else { return Ok(()) };
    let world = world(&real).await?;
    let id = connect(&world).await?;
    let first = stored(&world, &id).await?.refresh.clone().context("a refresh token")?;
    world.forward(4 * HOUR);
    world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?.good()?;
    // Someone else plays the spent one again, as a thief or a second host would: the server ends the whole grant.
    assert_eq!(spend(&real, format!("grant_type=refresh_token&refresh_token={first}")).await?, 400);
    let workers = Workers::start(world.ctx.clone());
    world.approve("zoe@example.com").await?;
    let connection = world.until(&id, "needs_credentials").await?;
    assert_eq!(connection["trouble"], "the vendor refused to renew the token (invalid_grant): connect again");
    let back = consent(world.start(json!({ "connection": id })).await?, true).await?;
    world.get(&back, &[]).await?.good()?;
    world.poll("/v1/syncs", |syncs| syncs["data"][0]["state"] == "succeeded").await?;
    workers.drain(Duration::from_secs(5)).await?;
    Ok(())
}

#[tokio::test]
async fn real_revocation_at_disconnect_ends_the_grant() -> Result<()> {
    let Some(real) = server().await? else { return Ok(()) };
    let world = world(&real).await?;
    let id = connect(&world).await?;
    let refresh = stored(&world, &id).await?.refresh.clone().context("a refresh token")?;
    let done = world.ask("DELETE", &format!("/v1/connections/{id}"), Value::Null).await?.good()?;
    assert_eq!(done["revoked"], true);
    assert_eq!(spend(&real, format!("grant_type=refresh_token&refresh_token={refresh}")).await?, 400, "it still lives");
    Ok(())
}

#[tokio::test]
async fn real_client_credentials_connect_and_renew_without_a_merchant() -> Result<()> {
    let Some(real) = server().await? else { return Ok(()) };
    let world = world(&real).await?;
    let robot = |secret: &str| json!({ "connector": "acme", "mode": "robot", "credentials": { "client_id": "acme-robot", "client_secret": secret } });
    assert_eq!(world.ask("POST", "/v1/connections", robot("wrong-secret")).await?.code(), "credentials_refused");
    let made = world.ask("POST", "/v1/connections", robot("secret-of-the-robot-4711")).await?.good()?;
    assert_eq!(made["account"]["id"], "acme-robot");
    world.forward(4 * HOUR);
    let id = made["id"].as_str().context("an id")?;
    world.ask("POST", &format!("/v1/connections/{id}/reverify"), Value::Null).await?.good()?;
    Ok(())
}
