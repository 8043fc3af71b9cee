//! What is let go with time: each kind by itself, for every organization, by the injected clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crm_api_tests::{World, json_request};
use crm_store::model::*;
use crm_sync::retention::{Sweep, once};
use crm_sync::services::ServiceError;
use http::Method;
use serde_json::json;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

async fn kept(world: &World, organization: &str) -> anyhow::Result<usize> {
    Ok(world.ctx.store.page(organization, Kind::Idempotency, None, 500).await?.len())
}

#[tokio::test]
async fn kept_answers_go_after_a_day_also_of_those_who_send_nothing_any_more() -> anyhow::Result<()> {
    let world = World::new().await?;
    let post = async |key: &str, n: u32| {
        let body = json!({ "name": "x", "slug": format!("slug-{n}"), "commission": { "model": "rev_share", "percent": "25" } });
        let mut request = json_request(&Method::POST, "/v1/campaigns", key, &body);
        request.headers_mut().insert("idempotency-key", format!("k{n}").parse()?);
        world.send(request).await
    };
    for n in 0..3 {
        assert_eq!(post(&world.ann.key, n).await?.status, 201);
        assert_eq!(post(&world.bob.key, n).await?.status, 201);
    }
    world.clock.0.fetch_add(23 * HOUR, Ordering::SeqCst);
    assert_eq!(post(&world.ann.key, 9).await?.status, 201);
    assert_eq!(crm_api::expire_answers(&world.ctx).await, Ok(0));
    world.clock.0.fetch_add(2 * HOUR, Ordering::SeqCst);
    assert_eq!(crm_api::expire_answers(&world.ctx).await, Ok(6));
    assert_eq!((kept(&world, &world.ann.organization).await?, kept(&world, &world.bob.organization).await?), (1, 0));
    // What is young is still an answer.
    assert_eq!(post(&world.ann.key, 9).await?.header("idempotency-replayed"), "true");
    Ok(())
}

#[tokio::test]
async fn finished_jobs_of_every_lane_go_with_their_journals_and_nothing_unfinished_does() -> anyhow::Result<()> {
    let world = World::new().await?;
    let connection = world.connect().await?;
    let mut ids = Vec::new();
    for (lane, ends) in [(connection.as_str(), true), ("whe_1", true), (&connection, false), ("whe_1", false)] {
        let now = world.ctx.now();
        let purpose = if lane == "whe_1" { Purpose::Webhook } else { Purpose::Sync };
        let id = crm_sync::ids::new_id("job", now);
        let blank = NewJob::new(id.clone(), &world.ann.organization, lane, purpose, now);
        let new = NewJob { campaign: "cmp_1".into(), affiliate: "aff_1".into(), payload: Some("{}".into()), ..blank };
        world.ctx.store.commit(vec![], vec![new]).await?;
        let claim = world.ctx.store.claim("w", world.ctx.now(), 60_000, &[(lane.into(), 1)]).await?.remove(0);
        let attempt = Attempt {
            job: id.clone(),
            number: 1,
            connector: String::new(),
            version: String::new(),
            digest: crm_contract::ports::Digest(String::new()),
            started: now,
            ended: now,
            outcome: Outcome::Interrupted,
            log: vec!["a line".into()],
            asked: None,
        };
        let state = if ends { JobState::Succeeded } else { JobState::Retrying };
        let job = Job { state, due: u64::MAX, attempts: 1, updated: world.ctx.now(), ..claim.job };
        world.ctx.store.finish(lane, claim.epoch, Finish { job, attempt: Some(attempt), known: None, jobs: vec![] }).await?;
        ids.push((id, ends));
    }
    let before = |days: u64| world.ctx.now().saturating_sub(days * DAY);
    assert_eq!(world.sled.expire(before(30)).await?, 0);
    world.clock.0.fetch_add(31 * DAY, Ordering::SeqCst);
    assert_eq!(world.sled.expire(before(30)).await?, 2);
    for (id, ends) in ids {
        let left = world.ctx.store.attempts(&world.ann.organization, &id).await?;
        assert_eq!(left.is_empty(), ends);
        assert_eq!(world.ctx.store.job(&world.ann.organization, &id).await?.is_none(), ends);
    }
    Ok(())
}

#[tokio::test]
async fn a_sweep_that_fails_or_panics_keeps_no_other_from_its_turn() -> anyhow::Result<()> {
    let world = World::new().await?;
    let turns = Arc::new(AtomicU64::new(0));
    let counting = |turns: &Arc<AtomicU64>| {
        let turns = turns.clone();
        move |_| {
            let turns = turns.clone();
            async move { Ok(turns.fetch_add(1, Ordering::SeqCst)) }
        }
    };
    let sweeps = [
        Sweep::new("one", counting(&turns)),
        Sweep::new("fails", |_| async { Err(ServiceError::Changed) }),
        Sweep::new("panics", |_| async { panic!("planted") }),
        Sweep::new("other", counting(&turns)),
    ];
    for round in 0..2 {
        let swept = once(&world.ctx, &sweeps).await;
        assert_eq!(swept.iter().map(|s| s.what).collect::<Vec<_>>(), ["one", "fails", "panics", "other"]);
        assert_eq!((&swept[0].gone, &swept[3].gone), (&Ok(2 * round), &Ok(2 * round + 1)));
        assert!(swept[1].gone.is_err() && swept[2].gone.is_err());
    }
    let of_services = once(&world.ctx, &crm_sync::retention::of_services()).await;
    assert!(of_services.len() >= 4 && of_services.iter().all(|swept| swept.gone.is_ok()), "{of_services:?}");
    Ok(())
}
