//! The console's button: a signed-in merchant in a browser, off to the vendor and back.

use anyhow::Result;
use axum::body::Body;
use crm_oauth_tests::{Answer, Options, Stub, World};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

async fn post(world: &World, path: &str, cookie: &str, form: &str) -> Result<Answer> {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded").header("cookie", cookie);
    let response = world.router.clone().oneshot(request.body(Body::from(form.to_owned()))?).await?;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

fn state_of(answer: &Answer) -> Result<String> {
    let url = url::Url::parse(answer.header("location"))?;
    Ok(url.query_pairs().find(|(n, _)| n == "state").map(|(_, v)| v.into_owned()).unwrap_or_default())
}

#[tokio::test]
async fn an_integration_is_live_when_browsers_can_come_back() -> Result<()> {
    let stub = Stub::obliging().await?;
    let ready = World::new(Options::of(&stub.url, &stub.url)).await?;
    assert!(ready.get("/integrations", &[]).await?.text.contains(">live<"));
    let lost = Options { public_url: None, ..Options::of(&stub.url, &stub.url) };
    let otherwise = World::new(lost.clone()).await?;
    assert!(otherwise.get("/integrations", &[]).await?.text.contains(">live<"), "its other mode needs no browser");
    let page = World::new(Options { mode: Some("consent"), ..lost }).await?;
    let page = page.get("/integrations", &[]).await?;
    assert!(page.text.contains("not set up on this host yet") && !page.text.contains(">live<"), "{}", page.text);
    Ok(())
}

#[tokio::test]
async fn the_button_leads_to_the_vendor_and_back_to_the_connections() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let public = world.get("/integrations/acme", &[]).await?;
    assert!(public.text.contains("Connect with Acme") && public.text.contains("/console/connect/acme"), "{}", public.text);
    assert_eq!(world.get("/console/connect/acme", &[]).await?.header("location"), "/console", "nobody is signed in");

    let session = cookie_of(&post(&world, "/console", "", &format!("key={}", world.key)).await?);
    let page = world.get("/console/connect/acme", &[("cookie", &session)]).await?;
    assert!(page.text.contains("Connect with Acme") && page.text.contains("/v1/oauth/acme/callback"), "{}", page.text);
    assert!(
        page.header("content-security-policy").contains("form-action 'self' https://login.acme.example;"),
        "the redirect would be blocked"
    );

    let start = post(&world, "/console/connect/acme", &session, "name=Main&credential.client_id=&credential.client_secret=").await?;
    assert_eq!(start.status, StatusCode::SEE_OTHER, "{}", start.text);
    assert!(start.header("location").starts_with(&stub.url));
    let browser = cookie_of(&start);
    let target = format!("/v1/oauth/acme/callback?code=c&state={}", state_of(&start)?);
    let back = world.get(&target, &[("accept", "text/html"), ("cookie", &browser)]).await?;
    let next = back.header("location").to_owned();
    assert!(next.starts_with("/console/connections?connection=con_"), "{next}");
    assert!(back.header("set-cookie").contains("Max-Age=0"), "the cookie has done its work");
    let list = world.get(&next, &[("cookie", &session)]).await?;
    assert!(list.text.contains("connected just now") && list.text.contains("Connect again"), "{}", list.text);

    // The same button for new consent, and a no.
    let id = next.split('=').next_back().unwrap_or_default().to_owned();
    let again = post(&world, &format!("/console/connections/{id}/reconnect"), &session, "").await?;
    let target = format!("/v1/oauth/acme/callback?error=access_denied&state={}", state_of(&again)?);
    let back = world.get(&target, &[("accept", "text/html"), ("cookie", &cookie_of(&again))]).await?;
    assert_eq!(back.header("location"), "/console/connections?error=oauth_denied");
    let list = world.get(back.header("location"), &[("cookie", &session)]).await?;
    assert!(list.text.contains("without a yes"), "{}", list.text);
    assert_eq!(world.ask("GET", "/v1/connections", Value::Null).await?.json()["data"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn a_reading_key_a_foreign_form_and_a_wrong_field_connect_nothing() -> Result<()> {
    let stub = Stub::obliging().await?;
    let world = World::new(Options::of(&stub.url, &stub.url)).await?;
    let reader = cookie_of(&post(&world, "/console", "", &format!("key={}", world.read_key)).await?);
    assert_eq!(post(&world, "/console/connect/acme", &reader, "name=x").await?.status, StatusCode::FORBIDDEN);
    let session = cookie_of(&post(&world, "/console", "", &format!("key={}", world.key)).await?);
    let wrong = post(&world, "/console/connect/acme", &session, "credential.client_id=own-app").await?;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text.contains("Client secret is missing"), "{}", wrong.text);
    let result = world.get("/integrations/acme/not-connected?code=%3Cscript%3E", &[]).await?;
    assert!(result.text.contains("It did not work") && !result.text.contains("<script"), "{}", result.text);
    assert!(world.get("/integrations/acme/connected", &[]).await?.text.contains("Acme is connected"));
    assert!(stub.seen.lock().is_empty());
    Ok(())
}
