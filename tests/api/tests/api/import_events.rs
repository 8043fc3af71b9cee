//! Progress of an import as server-sent events: the state now, whatever comes, and the end; the same after a reconnect.

use std::time::Instant;

use axum::body::Body;
use crm_api_tests::World;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

/// Name, id and data of each event of a text.
fn events(text: &str) -> Vec<(String, String, Value)> {
    let line = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned()).unwrap_or_default()
    };
    let data = |event: &str| serde_json::from_str(&line(event, "data:")).unwrap_or(Value::Null);
    text.split("\n\n").filter(|e| e.contains("data:")).map(|e| (line(e, "event:"), line(e, "id:"), data(e))).collect()
}

async fn watch(world: &World, id: &str) -> anyhow::Result<Body> {
    let request = Request::get(format!("/v1/imports/{id}/events")).header("authorization", format!("Bearer {}", world.ann.read_key));
    let response = world.router.clone().oneshot(request.body(Body::empty())?).await?;
    anyhow::ensure!(response.headers()["content-type"] == "text/event-stream", "{:?}", response.headers());
    Ok(response.into_body())
}

#[tokio::test]
async fn the_end_is_told_however_late_one_asks() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let import = world.import(&format!("campaign={campaign}&format=custom"), "Email\na@example.com\n").await?;
    let id = import["id"].as_str().expect("an id");
    for _ in 0..2 {
        let text = watch(&world, id).await?.collect().await?.to_bytes();
        let told = events(std::str::from_utf8(&text)?);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].0.as_str(), &told[0].2), ("end", &import));
    }
    Ok(())
}

#[tokio::test]
async fn progress_is_told_from_the_present_state_to_the_end_and_not_too_often() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let mut file = String::from("Email\n");
    for n in 0..12_000 {
        file.push_str(&format!("p{n}@example.com\n"));
    }
    let answer = world.upload(&format!("campaign={campaign}&format=custom"), "text/csv", Body::from(file)).await?;
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    // One who comes, hears the present state, and goes away.
    let mut first = watch(&world, &id).await?;
    let frame = first.frame().await.expect("a frame")?.into_data().expect("data");
    let told = events(std::str::from_utf8(&frame)?);
    assert_eq!((told[0].0.as_str(), &told[0].2["state"]), ("progress", &Value::from("checking")));
    drop(first);
    let began = Instant::now();
    let reading = async { watch(&world, &id).await?.collect().await.map_err(anyhow::Error::from) };
    let working = async {
        world.settle().await?;
        world.start(&id).await
    };
    let (read, worked) = tokio::join!(reading, working);
    worked?;
    let text = read?.to_bytes();
    let told = events(std::str::from_utf8(&text)?);
    let took = began.elapsed().as_millis();
    let (name, version, last) = told.last().expect("events");
    assert_eq!((name.as_str(), &last["state"], &last["counts"]["created"]), ("end", &Value::from("finished"), &Value::from(12_000)));
    assert!(told[..told.len() - 1].iter().all(|(name, ..)| name == "progress"));
    assert!(told.windows(2).all(|pair| pair[0].1.parse::<u64>().ok() < pair[1].1.parse::<u64>().ok()), "each is newer than the one before");
    assert!(told.len() as u128 <= took / 250 + 2, "{} events in {took} ms", told.len());
    assert!(!version.is_empty());
    let answer = world.ann(Method::GET, "/v1/imports/imp_nothing/events", Value::Null).await?;
    assert_eq!(answer.problem("unknown"), "not_found");
    Ok(())
}
