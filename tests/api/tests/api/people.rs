//! One person: everything that is kept of them in one document, and erased so that no row of the store knows them any more.

mod lived;

use std::collections::BTreeSet;

use crm_api_tests::World;
use crm_store::model::*;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use lived::{claim, erase, lived, ran, rows};

/// Words that stand in nobody's record but this person's.
const PERSON: [&str; 7] =
    ["zoe@private.example", "zoe@former.example", "zoe@long-ago.example", "Zoë Quiet", "Zq Works", "zoe-quiet", "203.0.113.77"];

#[tokio::test]
async fn the_export_holds_everything_that_is_kept_of_the_person_and_nothing_of_another() -> anyhow::Result<()> {
    let world = World::new().await?;
    let lived = lived(&world).await?;
    let answer = world.ann(Method::GET, &format!("/v1/affiliates/{}/export", lived.zoe), Value::Null).await?;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"), "{}", answer.text);
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{}.json\"", lived.zoe));
    let all = answer.json();
    let own = world.ann(Method::GET, &format!("/v1/affiliates/{}", lived.zoe), Value::Null).await?.json();
    assert_eq!(all["affiliate"], own);
    assert_eq!(all["affiliate"]["consent"]["ip"], "203.0.113.77");
    assert_eq!(all["former_emails"], json!(["zoe@former.example"]));
    let mut contacts: Vec<(&str, &str)> =
        all["contacts"].as_array().expect("contacts").iter().map(|c| (text(&c["email"]), text(&c["destination"]))).collect();
    contacts.sort_unstable();
    let wanted = [("zoe@former.example", ""), ("zoe@long-ago.example", "list=gone"), ("zoe@private.example", "")];
    assert_eq!(contacts, wanted, "{}", all["contacts"]);
    assert_eq!(all["contacts"][0]["contact_id"], "77");
    let invited: Vec<&str> = all["invites"].as_array().expect("invites").iter().map(|invite| text(&invite["email"])).collect();
    assert_eq!(invited, ["Zoe@Private.example"], "{}", all["invites"]);
    let actions: Vec<&str> = all["audit"].as_array().expect("audit").iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(actions, ["affiliate.updated", "affiliate.approved", "affiliate.joined", "affiliate.created"]);
    assert_eq!((text(&all["audit"][3]["by"]), text(&all["audit"][3]["ip"])), ("public", "203.0.113.77"));
    assert_eq!(all["audit"][1]["ip"], Value::Null);
    // As the syncs' own route shows them.
    let syncs = all["syncs"].as_array().expect("syncs");
    let listed = world.ann(Method::GET, &format!("/v1/syncs?affiliate={}", lived.zoe), Value::Null).await?.json();
    assert_eq!(syncs.len(), listed["data"].as_array().map_or(0, Vec::len));
    assert!(syncs.len() >= 4, "{}", syncs.len());
    for sync in syncs {
        assert_eq!(*sync, world.ann(Method::GET, &format!("/v1/syncs/{}", text(&sync["id"])), Value::Null).await?.json());
    }
    let step = &syncs[0]["history"][0]["steps"][0];
    assert!(text(&step["request"]["url"]).ends_with("email=zoe@long-ago.example"), "{step}");
    assert_eq!(text(&step["response"]["body"]), "{\"you\":\"zoe@long-ago.example\"}");
    assert_eq!(syncs[0]["history"][0]["log"], json!(["saved zoe@long-ago.example"]));
    let deliveries = all["deliveries"].as_array().expect("deliveries");
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().all(|d| d["endpoint"] == "whe_1" && text(&d["body"]).contains(&lived.zoe)));
    assert!(deliveries.iter().any(|d| d["state"] == "succeeded" && d["history"][0]["steps"].as_array().is_some_and(|s| !s.is_empty())));
    // Nothing of Bea, and nothing that opens a door.
    for foreign in ["a.zoe@private.example", lived.bea.as_str(), "secret-hash", crm_api_tests::GOOD_KEY] {
        assert!(!answer.text.contains(foreign), "{foreign} is in the export");
    }
    // What the document says is what the OpenAPI document says.
    let schema = &world.openapi().await?["components"]["schemas"]["PersonExport"];
    let named: BTreeSet<&str> = schema["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
    assert_eq!(all.as_object().expect("an object").keys().map(String::as_str).collect::<BTreeSet<_>>(), named);
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test]
async fn after_erasing_no_row_of_the_store_knows_the_person_and_the_others_stay() -> anyhow::Result<()> {
    let world = World::new().await?;
    let lived = lived(&world).await?;
    let before = rows(&world)?;
    for word in PERSON {
        assert!(before.contains(word), "{word} was never there: the test proves nothing");
    }
    let answer = erase(&world, &lived.zoe, " ZOE@private.example").await?;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let erased = answer.json();
    assert_eq!((erased["id"].as_str(), &erased["may_remain_at"]), (Some(lived.zoe.as_str()), &json!([lived.connection])));
    assert_eq!((erased["deliveries"].as_u64(), erased["contacts"].as_u64(), erased["invites"].as_u64()), (Some(2), Some(3), Some(1)));
    assert_eq!(erased["answers"].as_u64(), Some(2), "{erased}");
    assert!(erased["syncs"].as_u64().is_some_and(|n| n >= 4), "{erased}");
    let after = rows(&world)?;
    for word in PERSON {
        assert!(!after.replace("a.zoe@private.example", "").contains(word), "{word} is still in the store");
    }
    // The id stands in the audit log and nowhere else.
    let with_id: Vec<&str> = after.lines().filter(|line| line.contains(&lived.zoe)).collect();
    assert!(with_id.iter().all(|line| line.contains("\"kind\":\"audit\"")), "{with_id:?}");
    assert!(with_id.iter().any(|line| line.contains("affiliate.erased")));
    let logged = with_id.iter().find(|line| line.contains("affiliate.created")).expect("what was done stays in the log");
    assert!(!logged.contains("req_1"), "who came by a page is not to be found by their request either");
    // Gone for every route; Bea is whole.
    for path in ["", "/export"] {
        assert_eq!(world.ann(Method::GET, &format!("/v1/affiliates/{}{path}", lived.zoe), Value::Null).await?.problem("gone"), "not_found");
    }
    assert_eq!(erase(&world, &lived.zoe, "zoe@private.example").await?.problem("again"), "not_found");
    let bea = world.ann(Method::GET, &format!("/v1/affiliates/{}/export", lived.bea), Value::Null).await?.json();
    assert_eq!((bea["syncs"].as_array().map(Vec::len), bea["deliveries"].as_array().map(Vec::len)), (Some(1), Some(1)));
    assert_eq!(bea["contacts"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        world.ctx.store.page(&world.ann.organization, Kind::Idempotency, None, 9).await?.len(),
        2,
        "answers that say nothing of her stay"
    );
    let counts = world.ann(Method::GET, "/v1/syncs/counts", Value::Null).await?.json();
    assert_eq!((counts["succeeded"].as_u64(), counts["retrying"].as_u64()), (Some(1), Some(0)), "{counts}");
    // Who applies again is somebody new, with the old names free.
    let new = json!({ "campaign": lived.campaign, "email": "zoe@private.example", "slug": "zoe-quiet" });
    let again = world.ann(Method::POST, "/v1/affiliates", new).await?;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text);
    assert_ne!(again.json()["id"].as_str(), Some(lived.zoe.as_str()));
    assert_eq!(again.json()["consent"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn nobody_is_erased_by_a_slip() -> anyhow::Result<()> {
    let world = World::new().await?;
    let lived = lived(&world).await?;
    let before = rows(&world)?;
    for confirm in ["", "yes", "zoe@former.example", "a.zoe@private.example", lived.zoe.as_str()] {
        let answer = erase(&world, &lived.zoe, confirm).await?;
        assert_eq!((answer.problem(confirm).as_str(), answer.json()["field"].as_str()), ("validation_failed", Some("confirm")));
        assert!(!answer.text.contains("zoe@private.example"), "the address is not told to who does not know it");
    }
    let empty = world.ann(Method::POST, &format!("/v1/affiliates/{}/erase", lived.zoe), json!({})).await?;
    assert_eq!(empty.problem("no confirmation"), "validation_failed");
    assert_eq!(rows(&world)?, before);
    Ok(())
}

#[tokio::test]
async fn a_running_sync_is_waited_for_and_the_rest_goes_at_once() -> anyhow::Result<()> {
    let world = std::sync::Arc::new(World::new().await?);
    let lived = lived(&world).await?;
    world.ann(Method::PATCH, &format!("/v1/affiliates/{}", lived.zoe), json!({ "first": "Z" })).await?;
    let running = claim(&world, &lived.connection).await?;
    assert_eq!(running.job.new.affiliate, lived.zoe);
    // A wish behind it, made while it runs.
    world.ann(Method::PATCH, &format!("/v1/affiliates/{}", lived.zoe), json!({ "first": "Y" })).await?;
    let erasing = {
        let (world, zoe) = (world.clone(), lived.zoe.clone());
        tokio::spawn(async move { erase(&world, &zoe, "zoe@private.example").await })
    };
    let filter = JobFilter { affiliate: Some(lived.zoe.clone()), ..JobFilter::default() };
    while world.ctx.store.jobs(&world.ann.organization, &filter, None, 9).await?.len() > 1 {
        assert!(!erasing.is_finished(), "it does not wait");
        tokio::task::yield_now().await;
    }
    assert!(world.ctx.store.job(&world.ann.organization, &running.job.new.id).await?.is_some(), "what runs is left alone");
    let job = Job { state: JobState::Retrying, due: u64::MAX, ..running.job.clone() };
    world.ctx.store.finish(&lived.connection, running.epoch, Finish { job, attempt: None, known: None, jobs: vec![] }).await?;
    let answer = erasing.await??;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let after = rows(&world)?;
    for word in PERSON {
        assert!(!after.replace("a.zoe@private.example", "").contains(word), "{word} is still in the store");
    }
    Ok(())
}

#[tokio::test]
async fn erasing_that_broke_off_is_finished_by_the_next_call() -> anyhow::Result<()> {
    let world = World::new().await?;
    let lived = lived(&world).await?;
    // As far as a call gets that dies before its last write: every job is gone, nothing says so yet.
    let filter = JobFilter { affiliate: Some(lived.zoe.clone()), ..JobFilter::default() };
    let jobs = world.ctx.store.jobs(&world.ann.organization, &filter, None, 100).await?;
    let ids: Vec<String> = jobs.into_iter().map(|job| job.new.id).filter(|id| id.starts_with("job_")).collect();
    world.ctx.store.erase(&world.ann.organization, &ids, &[], vec![]).await?;
    let answer = erase(&world, &lived.zoe, "zoe@private.example").await?;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["may_remain_at"], json!([lived.connection]), "what is known of the contact goes last");
    let after = rows(&world)?;
    assert!(!after.replace("a.zoe@private.example", "").contains("zoe@private.example"));
    Ok(())
}

#[tokio::test]
async fn what_is_known_under_a_former_address_that_is_another_persons_now_stays_theirs() -> anyhow::Result<()> {
    let world = World::new().await?;
    let lived = lived(&world).await?;
    let other = world.affiliate(&lived.campaign, "zoe@former.example").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{other}/approve"), Value::Null).await?;
    let known = |email: &'static str| world.ctx.store.contact(&lived.connection, email);
    assert!(known("zoe@former.example").await?.is_some());
    let export = world.ann(Method::GET, &format!("/v1/affiliates/{}/export", lived.zoe), Value::Null).await?.json();
    assert!(export["contacts"].as_array().expect("contacts").iter().all(|c| c["email"] != "zoe@former.example"), "it is not Zoë's to see");
    assert_eq!(erase(&world, &lived.zoe, "zoe@private.example").await?.status, StatusCode::OK);
    assert!(known("zoe@former.example").await?.is_some());
    assert!(known("zoe@private.example").await?.is_none());
    let syncs = world.ann(Method::GET, &format!("/v1/syncs?affiliate={other}"), Value::Null).await?.json();
    assert_eq!(syncs["data"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn an_address_that_falls_out_of_memory_takes_with_it_what_was_known_under_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let connection = world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let zoe = world.affiliate(&campaign, "zoe0@private.example").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{zoe}/approve"), Value::Null).await?;
    for n in 1..=6 {
        ran(&world, &connection, JobState::Succeeded).await?;
        let change = json!({ "email": format!("zoe{n}@private.example") });
        assert_eq!(world.ann(Method::PATCH, &format!("/v1/affiliates/{zoe}"), change).await?.status, StatusCode::OK);
    }
    // Five former addresses are remembered; the first is not.
    assert!(world.ctx.store.contact(&connection, "zoe0@private.example").await?.is_none());
    assert!(world.ctx.store.contact(&connection, "zoe5@private.example").await?.is_some());
    // The journal goes with time; what is known goes with the person.
    world.sled.expire(u64::MAX).await?;
    assert_eq!(erase(&world, &zoe, "zoe6@private.example").await?.status, StatusCode::OK);
    let after = rows(&world)?;
    assert!(!after.contains("@private.example"), "something is left");
    Ok(())
}

#[tokio::test]
async fn what_is_enqueued_by_somebody_who_read_the_record_just_before_is_not_left_behind() -> anyhow::Result<()> {
    let world = World::new().await?;
    let connection = world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let other = world.affiliate(&campaign, "other@x.example").await?;
    for round in 0..30 {
        let email = format!("p{round}@private.example");
        let person = world.affiliate(&campaign, &email).await?;
        world.ann(Method::POST, &format!("/v1/affiliates/{person}/approve"), Value::Null).await?;
        let order = json!({ "affiliates": [person, other] });
        let again = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            world.ann(Method::POST, &format!("/v1/connections/{connection}/resync"), order).await
        };
        let (erased, again) = tokio::join!(erase(&world, &person, &email), again);
        assert_eq!(erased?.status, StatusCode::OK);
        let again = again?;
        assert!(again.status == StatusCode::ACCEPTED || again.status == StatusCode::NOT_FOUND, "{}", again.text);
        let filter = JobFilter { affiliate: Some(person.clone()), ..JobFilter::default() };
        assert_eq!(world.ctx.store.jobs(&world.ann.organization, &filter, None, 9).await?, vec![], "round {round}");
    }
    assert!(!rows(&world)?.contains("@private.example"));
    Ok(())
}
