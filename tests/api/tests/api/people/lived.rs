//! Two people who have lived through everything that leaves traces, and looks at what is left of them.

use crm_api_tests::{Answer, World, json_request};
use crm_contract::ports::{Digest, ShownRequest, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Change, Ending, Known, Response, Standing, Success};
use crm_store::model::*;
use crm_sync::domain::{Actor, ActorKind};
use crm_sync::services::affiliates::{self, NewAffiliate};
use http::{Method, StatusCode};
use serde_json::json;

/// Ends the next due job of a lane as a worker would, with steps, a log line and knowledge that all speak of the person.
pub(super) async fn ran(world: &World, lane: &str, state: JobState) -> anyhow::Result<Job> {
    let now = world.ctx.now();
    let claim = claim(world, lane).await?;
    let who = claim.job.new.who.email.clone();
    let record = StepRecord {
        key: StepKey { call: "save".into(), hash: "h".into(), occurrence: 0 },
        effect: crm_catalog::model::Effect::Idempotent,
        request: ShownRequest {
            method: "POST".into(),
            url: format!("https://acme.example/contacts?email={who}"),
            headers: vec![],
            body: Some(json!({ "email": who, "full": claim.job.new.who.full }).to_string()),
        },
        outcome: StepOutcome::Answered(Response { status: 200, headers: vec![], body: format!("{{\"you\":\"{who}\"}}").into_bytes() }),
        good: true,
        reused: false,
        at: now,
        took_ms: 1,
    };
    let number = claim.job.attempts + 1;
    let job_id = claim.job.new.id.clone();
    let step = Step { attempt: number, number: 1, kept: KeptStep::Done(record) };
    world.ctx.store.step(lane, claim.epoch, &job_id, step, true).await?;
    let success = Success { change: Change::Created, standing: Standing::Normal, warnings: vec![] };
    let attempt = Attempt {
        job: job_id,
        number,
        connector: "acme".into(),
        version: "1.0.0".into(),
        digest: Digest("ab".into()),
        started: now,
        ended: now,
        outcome: Outcome::Ended(Ending::Done(success)),
        log: vec![format!("saved {who}")],
        asked: None,
    };
    let job = Job { state, attempts: number, due: now + 3_600_000, updated: now, ..claim.job };
    let known = Known { contact_id: Some("77".into()), tags: vec!["Rekomi affiliate".into()], memo: Some(who) };
    let finish = Finish { job: job.clone(), attempt: Some(attempt), known: Some(known), jobs: vec![] };
    world.ctx.store.finish(lane, claim.epoch, finish).await?;
    Ok(job)
}

pub(super) async fn claim(world: &World, lane: &str) -> anyhow::Result<Claim> {
    let mut claims = world.ctx.store.claim("w", world.ctx.now() + 7_200_000, 60_000, &[(lane.to_owned(), 1)]).await?;
    anyhow::ensure!(claims.len() == 1, "nothing is due in {lane}");
    Ok(claims.remove(0))
}

/// A webhook that tells of an affiliate.
pub(super) fn delivery(world: &World, lane: &str, affiliate: &str, body: &str) -> NewJob {
    let now = world.ctx.now();
    let blank = NewJob::new(crm_sync::ids::new_id("dlv", now), &world.ann.organization, lane, Purpose::Webhook, now);
    NewJob { affiliate: affiliate.into(), payload: Some(body.into()), ..blank }
}

pub(super) struct Lived {
    pub(super) zoe: String,
    pub(super) bea: String,
    pub(super) connection: String,
    pub(super) campaign: String,
}

/// Zoë has lived through everything that leaves traces; Bea, beside her, has too.
pub(super) async fn lived(world: &World) -> anyhow::Result<Lived> {
    let connection = world.connect().await?;
    let campaign = world.campaign("spring", &["Spring"]).await?;
    let other = world.campaign("autumn", &[]).await?;
    // She applied on the page, from an address of her own.
    let actor = Actor { kind: ActorKind::Public, id: String::new(), ip: Some("203.0.113.77".into()), request: Some("req_1".into()) };
    let new = NewAffiliate {
        email: "zoe@former.example".into(),
        full: Some("Zoë Quiet".into()),
        company: Some("Zq Works".into()),
        slug: Some("zoe-quiet".into()),
        consent: Some(crm_contract::types::Consent { at: 1, source: "the page".into(), ip: Some("203.0.113.77".into()) }),
        ..NewAffiliate::default()
    };
    let zoe = affiliates::create(&world.ctx.by(actor), &world.ann.organization, &campaign, new, false).await?.value.id;
    let bea = world.affiliate(&campaign, "a.zoe@private.example").await?;
    // Through the API with Idempotency-Key, so that answers are kept.
    for (path, body, key) in [
        ("/v1/affiliates".to_owned(), json!({ "campaign": campaign, "email": "ZOE@former.example" }), "k1"),
        (format!("/v1/affiliates/{zoe}/campaigns"), json!({ "campaign": other, "approve": true }), "k2"),
        (format!("/v1/affiliates/{zoe}/approve"), json!({ "campaign": campaign }), "k3"),
        (format!("/v1/affiliates/{bea}/campaigns"), json!({ "campaign": other }), "k4"),
    ] {
        let mut request = json_request(&Method::POST, &path, &world.ann.key, &body);
        request.headers_mut().insert("idempotency-key", key.parse()?);
        world.send(request).await?;
    }
    world.ann(Method::POST, &format!("/v1/affiliates/{bea}/approve"), json!({ "campaign": campaign })).await?;
    for _ in 0..3 {
        ran(world, &connection, JobState::Succeeded).await?;
    }
    world.ann(Method::PATCH, &format!("/v1/affiliates/{zoe}"), json!({ "email": "zoe@private.example" })).await?;
    ran(world, &connection, JobState::Retrying).await?;
    // A destination that no override names any more, under an address from long ago; and invitations.
    let old = NewJob {
        id: crm_sync::ids::new_id("job", world.ctx.now()),
        scope: "list=gone".into(),
        who: crm_contract::types::Person { email: "zoe@long-ago.example".into(), ..Default::default() },
        ..NewJob { lane: connection.clone(), purpose: Purpose::Sync, payload: None, ..delivery(world, "", &zoe, "") }
    };
    world.ctx.store.commit(vec![], vec![NewJob { due: 0, ..old }]).await?;
    ran(world, &connection, JobState::Succeeded).await?;
    let invited = world.campaign("invited", &[]).await?;
    let people = json!([{ "email": "Zoe@Private.example" }, { "email": "bea@x.example" }]);
    let links = world.ann(Method::POST, "/v1/invites", json!({ "campaign": invited, "people": people })).await?;
    assert_eq!(links.status, StatusCode::CREATED, "{}", links.text);
    let told = |id: &str, email: &str| json!({ "type": "affiliate.approved", "data": { "id": id, "email": email } }).to_string();
    let hooks = vec![
        delivery(world, "whe_1", &zoe, &told(&zoe, "zoe@private.example")),
        delivery(world, "whe_1", &zoe, &told(&zoe, "zoe@former.example")),
        delivery(world, "whe_1", &bea, &told(&bea, "a.zoe@private.example")),
    ];
    world.ctx.store.commit(vec![], hooks).await?;
    ran(world, "whe_1", JobState::Succeeded).await?;
    Ok(Lived { zoe, bea, connection, campaign })
}

pub(super) async fn erase(world: &World, id: &str, confirm: &str) -> anyhow::Result<Answer> {
    world.ann(Method::POST, &format!("/v1/affiliates/{id}/erase"), json!({ "confirm": confirm })).await
}

/// Every row of the store as text, keys of indexes included (a name stands in its record).
pub(super) fn rows(world: &World) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    world.sled.export(&mut bytes)?;
    let mut text = String::from_utf8(bytes)?;
    // Bodies of answers are kept as bytes, and shown as lists of numbers.
    let numbers = text.split('[').filter_map(|part| part.split(']').next()).filter(|list| list.len() > 8);
    let bodies: Vec<String> = numbers
        .filter_map(|list| list.split(',').map(|n| n.trim().parse().ok()).collect::<Option<Vec<u8>>>())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    text.push_str(&bodies.join("\n"));
    Ok(text)
}
