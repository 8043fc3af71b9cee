//! Invitations: made in bulk, their links shown once, accepted once.

use crm_api_tests::{Answer, PUBLIC_URL, World, look, post, site};
use crm_sync::domain::ActorKind;
use http::{Method, Request};
use serde_json::{Value, json};

const FROM: &str = "192.0.2.7";
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

async fn invite(world: &World, campaign: &str, emails: &[&str]) -> anyhow::Result<Value> {
    let people: Vec<Value> = emails.iter().map(|email| json!({ "email": email })).collect();
    let answer = world.ann(Method::POST, "/v1/invites", json!({ "campaign": campaign, "people": people })).await?;
    assert_eq!(answer.status, 201, "{}", answer.text);
    Ok(answer.json())
}

/// The way of a result's link, on this host.
fn way(result: &Value) -> String {
    let link = result["link"].as_str().expect("a link");
    link.strip_prefix(PUBLIC_URL).expect("a link to this host").to_owned()
}

async fn accept(site: &axum::Router, way: &str) -> anyhow::Result<Answer> {
    post(site, way, FROM, &[("full", "Zoë Müller"), ("consent", "yes")]).await
}

async fn affiliates(world: &World) -> anyhow::Result<Vec<Value>> {
    Ok(world.ann(Method::GET, "/v1/affiliates", Value::Null).await?.json()["data"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn who_accepts_comes_in_with_consent_and_is_synced() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let known = world.affiliate(&campaign, "known@example.com").await?;
    // Closed to applicants, not to the invited.
    world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), json!({ "open": false })).await?;
    let made = invite(&world, &campaign, &["zoe@example.com", "Known@Example.com", "ZOE@example.com"]).await?;
    assert_eq!(made["results"][0]["outcome"], "invited");
    let already = &made["results"][1];
    assert_eq!((&already["outcome"], &already["affiliate"], &already["link"]), (&json!("already"), &json!(known), &Value::Null));
    let repeated = &made["results"][2];
    assert_eq!((&repeated["outcome"], &repeated["repeats"]), (&json!("repeated"), &json!(0)));
    assert_eq!((&made["invited"], &made["already"], &made["repeated"], &made["errors"]), (&json!(1), &json!(1), &json!(1), &json!(0)));

    let way = way(&made["results"][0]);
    let token = way.strip_prefix("/i/").expect("a token");
    assert!(world.kept().await?.iter().all(|json| !json.contains(token)), "the token is kept nowhere");
    let page = look(&site, &way).await?;
    assert_eq!((page.status.as_u16(), page.header("x-robots-tag")), (200, "noindex, nofollow"));
    for words in ["z•••@example.com", "25 % of every payment", "shop", "Accept the invitation"] {
        assert!(page.text.contains(words), "{words} in {}", page.text);
    }
    assert!(!page.text.contains("zoe@") && !page.text.contains("<script"));
    assert_eq!(affiliates(&world).await?.len(), 1, "looking spends nothing");

    let refused = post(&site, &way, FROM, &[("full", "\"><script>")]).await?;
    assert!(
        refused.status == 422 && refused.text.contains("id=\"consent-wrong\"") && !refused.text.contains("<script"),
        "{}",
        refused.text
    );
    let done = accept(&site, &way).await?;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/p/spring/joined"), "{}", done.text);
    assert_eq!(look(&site, "/p/spring/joined").await?.status, 200);

    let zoe = affiliates(&world).await?[1].clone();
    assert_eq!((&zoe["email"], &zoe["full"], &zoe["source"]), (&json!("zoe@example.com"), &json!("Zoë Müller"), &json!("invite")));
    assert_eq!((&zoe["campaigns"][0]["status"], &zoe["slug"]), (&json!("approved"), &json!("zoe-muller")));
    let id = made["results"][0]["invite"].as_str().expect("an id");
    assert_eq!(zoe["consent"]["source"], format!("{PUBLIC_URL}/i (invitation {id})"));
    assert_eq!(zoe["consent"]["ip"], FROM);
    let kept = world.ann(Method::GET, &format!("/v1/invites/{id}"), Value::Null).await?.json();
    assert_eq!((&kept["state"], &kept["affiliate"]), (&json!("accepted"), &zoe["id"]), "{kept}");
    assert!(kept["accepted"].is_string());
    let syncs = world.ann(Method::GET, "/v1/syncs", Value::Null).await?.json();
    assert_eq!(syncs["data"][0]["affiliate"], zoe["id"]);
    let audit = world.audit().await?;
    let of = |action: &str| audit.iter().filter(|e| e.action == action).map(|e| (e.actor.kind, e.target.as_str())).collect::<Vec<_>>();
    assert_eq!(of("invite.created"), [(ActorKind::ApiKey, id)]);
    assert_eq!(of("invite.accepted"), [(ActorKind::Public, id)]);
    assert_eq!(of("affiliate.accepted"), [(ActorKind::Public, zoe["id"].as_str().unwrap_or_default())]);
    Ok(())
}

#[tokio::test]
async fn two_clicks_at_once_make_one_affiliate() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let elsewhere = world.campaign("elsewhere", &[]).await?;
    // Somebody new, and somebody the merchant knows.
    world.affiliate(&elsewhere, "known@example.com").await?;
    for email in ["zoe@example.com", "known@example.com"] {
        let way = way(&invite(&world, &campaign, &[email]).await?["results"][0]);
        let answers = futures_util::future::join_all((0..8).map(|_| accept(&site, &way))).await;
        let statuses: Vec<u16> = answers.into_iter().collect::<anyhow::Result<Vec<_>>>()?.iter().map(|a| a.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|s| **s == 303).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|s| **s == 404).count(), 7, "{statuses:?}");
    }
    assert_eq!(affiliates(&world).await?.len(), 2);
    let audit = world.audit().await?;
    for action in ["invite.accepted", "affiliate.accepted"] {
        assert_eq!(audit.iter().filter(|e| e.action == action).count(), 2, "{action}");
    }
    let syncs = world.ann(Method::GET, "/v1/syncs/counts", Value::Null).await?.json();
    assert_eq!(syncs["pending"], 2, "{syncs}");
    Ok(())
}

#[tokio::test]
async fn links_that_lead_nowhere_all_look_the_same() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    let campaign = world.campaign("spring", &[]).await?;
    let made = invite(&world, &campaign, &["used@example.com", "revoked@example.com", "old@example.com", "again@example.com"]).await?;
    let ways: Vec<String> = (0..4).map(|n| way(&made["results"][n])).collect();
    assert_eq!(accept(&site, &ways[0]).await?.status, 303);
    let revoke = format!("/v1/invites/{}/revoke", made["results"][1]["invite"].as_str().unwrap_or_default());
    for _ in 0..2 {
        assert_eq!(world.ann(Method::POST, &revoke, Value::Null).await?.json()["state"], "revoked");
    }
    invite(&world, &campaign, &["AGAIN@example.com"]).await?;
    world.later(14 * DAY_MS - 60_000);
    assert_eq!(look(&site, &ways[2]).await?.status, 200, "a minute before its end");
    world.later(60_000);
    let unknown = ["/i/x".to_owned(), format!("/i/{}", "a".repeat(43)), format!("/i/{}", "a".repeat(10_000)), "/i/%ff%00".to_owned()];
    let first = look(&site, &unknown[1]).await?;
    assert_eq!(first.status, 404);
    for way in ways.iter().chain(&unknown[..3]) {
        for answer in [look(&site, way).await?, accept(&site, way).await?, post(&site, way, FROM, &[]).await?] {
            assert_eq!((answer.status, &answer.text, &answer.headers), (first.status, &first.text, &first.headers), "{way}");
        }
    }
    assert_eq!(look(&site, &unknown[3]).await?.status, 404);
    assert_eq!(affiliates(&world).await?.len(), 1);
    let state = async |n: usize| {
        let id = made["results"][n]["invite"].as_str().unwrap_or_default();
        anyhow::Ok(world.ann(Method::GET, &format!("/v1/invites/{id}"), Value::Null).await?.json()["state"].clone())
    };
    assert_eq!([state(0).await?, state(1).await?, state(2).await?, state(3).await?], ["accepted", "revoked", "expired", "revoked"]);
    let spent = format!("/v1/invites/{}/revoke", made["results"][0]["invite"].as_str().unwrap_or_default());
    assert_eq!(world.ann(Method::POST, &spent, Value::Null).await?.problem("revoke"), "invite_accepted");
    Ok(())
}

#[tokio::test]
async fn inviting_again_makes_a_new_link_in_place_of_the_older_one() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    let campaign = world.campaign("spring", &[]).await?;
    let mut ways = Vec::new();
    for _ in 0..3 {
        ways.push(way(&invite(&world, &campaign, &["zoe@example.com"]).await?["results"][0]));
    }
    let alive = async |way: &str| anyhow::Ok(look(&site, way).await?.status == 200);
    assert_eq!([alive(&ways[0]).await?, alive(&ways[1]).await?, alive(&ways[2]).await?], [false, false, true]);
    // Two merchants' programs at once end up with one open invitation as well.
    let both = futures_util::future::join_all((0..6).map(|_| invite(&world, &campaign, &["zoe@example.com"]))).await;
    let mut open = 0;
    for made in both {
        open += u32::from(alive(&way(&made?["results"][0])).await?);
    }
    assert_eq!(open, 1);
    let list = async |query: &str| anyhow::Ok(world.ann(Method::GET, &format!("/v1/invites?{query}"), Value::Null).await?.json());
    assert_eq!(list("state=open").await?["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(list("state=revoked&email=ZOE@example.com").await?["data"].as_array().map(Vec::len), Some(8));
    // One for each campaign.
    let autumn = world.campaign("autumn", &[]).await?;
    invite(&world, &autumn, &["zoe@example.com"]).await?;
    assert_eq!(list("state=open").await?["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(list(&format!("state=open&campaign={autumn}")).await?["data"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn who_applied_meanwhile_is_approved_by_the_invitation_and_the_merchants_later_word_stands() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let made = invite(&world, &campaign, &["waits@example.com", "gone@example.com"]).await?;
    let waits = world.affiliate(&campaign, "waits@example.com").await?;
    let gone = world.affiliate(&campaign, "gone@example.com").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{gone}/reject"), Value::Null).await?;
    for n in 0..2 {
        assert_eq!(accept(&site, &way(&made["results"][n])).await?.status, 303);
        assert_eq!(accept(&site, &way(&made["results"][n])).await?.status, 404, "spent");
    }
    let status = async |id: &str| {
        anyhow::Ok(world.ann(Method::GET, &format!("/v1/affiliates/{id}"), Value::Null).await?.json()["campaigns"][0]["status"].clone())
    };
    assert_eq!((status(&waits).await?, status(&gone).await?), (json!("approved"), json!("rejected")));
    assert_eq!(world.ann(Method::GET, "/v1/syncs/counts", Value::Null).await?.json()["pending"], 1);

    let order = json!({ "campaign": campaign, "people": [{ "email": "zoe@example.com", "name": "Zoë" }], "approve": false });
    let made = world.ann(Method::POST, "/v1/invites", order).await?.json();
    let way = way(&made["results"][0]);
    assert!(look(&site, &way).await?.text.contains("value=\"Zoë\""));
    post(&site, &way, FROM, &[("consent", "yes")]).await?;
    let zoe = affiliates(&world).await?[2].clone();
    assert_eq!((&zoe["campaigns"][0]["status"], &zoe["full"]), (&json!("pending"), &json!("Zoë")));
    Ok(())
}

#[tokio::test]
async fn a_list_is_taken_whole_or_not_at_all() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let bad = json!({ "campaign": campaign, "people": [{ "email": "ok@example.com" }, { "email": "odd" }, { "email": "b@example.com", "name": "a\nb" }] });
    let answer = world.ann(Method::POST, "/v1/invites", bad).await?;
    assert_eq!(answer.problem("bad people"), "validation_failed");
    let fields: Vec<Value> = answer.json()["errors"].as_array().into_iter().flatten().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["people.1.email", "people.2.name"]);
    let one = |extra: Value| {
        let mut body = json!({ "campaign": campaign, "people": [{ "email": "ok@example.com" }] });
        body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        body
    };
    let many: Vec<Value> = (0..1_001).map(|n| json!({ "email": format!("p{n}@example.com") })).collect();
    for (body, field) in [
        (one(json!({ "expires_days": 0 })), "expires_days"),
        (one(json!({ "expires_days": 91 })), "expires_days"),
        (one(json!({ "note": "x".repeat(501) })), "note"),
        (one(json!({ "people": [] })), "people"),
        (one(json!({ "people": many })), "people"),
    ] {
        let answer = world.ann(Method::POST, "/v1/invites", body).await?;
        assert_eq!((answer.problem(field).as_str(), answer.json()["field"].as_str()), ("validation_failed", Some(field)));
    }
    assert_eq!(world.ann(Method::GET, "/v1/invites", Value::Null).await?.json()["data"], json!([]));
    let thousand = world.ann(Method::POST, "/v1/invites", one(json!({ "people": many[..1_000], "expires_days": 90 }))).await?;
    assert_eq!((thousand.status.as_u16(), &thousand.json()["invited"]), (201, &json!(1_000)));
    // Every page, once.
    let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let page = world.ann(Method::GET, &format!("/v1/invites?limit=100{cursor}"), Value::Null).await?.json();
        seen.extend(page["data"].as_array().into_iter().flatten().map(|i| i["id"].to_string()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 1_000);
    Ok(())
}

#[tokio::test]
async fn links_are_not_kept_for_an_idempotency_key_either() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let body = json!({ "campaign": campaign, "people": [{ "email": "zoe@example.com" }] }).to_string();
    let ask = async || {
        let request = Request::post("/v1/invites").header("authorization", format!("Bearer {}", world.ann.key));
        let request = request.header("content-type", "application/json").header("idempotency-key", "k1");
        world.send(request.body(axum::body::Body::from(body.clone()))?).await
    };
    let first = ask().await?;
    let way = way(&first.json()["results"][0]);
    assert!(world.kept().await?.iter().all(|json| !json.contains(way.trim_start_matches("/i/"))));
    assert_eq!(ask().await?.problem("again"), "idempotency_answered");
    assert_eq!(look(&site(&world), &way).await?.status, 200, "the link of the first answer is still good");
    Ok(())
}

#[tokio::test]
async fn invitations_leave_thirty_days_after_their_end() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    let campaign = world.campaign("spring", &[]).await?;
    let short = invite(&world, &campaign, &["used@example.com", "left@example.com"]).await?;
    accept(&site, &way(&short["results"][0])).await?;
    let long = json!({ "campaign": campaign, "people": [{ "email": "long@example.com" }], "expires_days": 90 });
    let long = way(&world.ann(Method::POST, "/v1/invites", long).await?.json()["results"][0]);
    let left = async || {
        crm_sync::services::invites::sweep(&world.ctx).await;
        let all = world.ann(Method::GET, "/v1/invites", Value::Null).await?.json();
        let emails = all["data"].as_array().into_iter().flatten().filter_map(|i| i["email"].as_str()).map(str::to_owned);
        anyhow::Ok(emails.collect::<Vec<_>>())
    };
    world.later(29 * DAY_MS);
    assert_eq!(left().await?.len(), 3);
    world.later(2 * DAY_MS);
    assert_eq!(left().await?, ["left@example.com", "long@example.com"]);
    world.later(14 * DAY_MS);
    assert_eq!(left().await?, ["long@example.com"]);
    assert_eq!(look(&site, &long).await?.status, 200);
    world.later(76 * DAY_MS);
    assert_eq!(left().await?, [""; 0]);
    let kind = crm_store::model::Kind::Invite;
    assert!(world.ctx.store.page("", kind, None, 10).await?.is_empty(), "no ticket is left");
    Ok(())
}

#[tokio::test]
async fn erasing_finds_every_invitation_of_a_person() -> anyhow::Result<()> {
    let world = World::new().await?;
    let spring = world.campaign("spring", &[]).await?;
    let autumn = world.campaign("autumn", &[]).await?;
    for campaign in [&spring, &autumn, &spring] {
        invite(&world, campaign, &["Zoe@example.com", "zoe@example.com.au"]).await?;
    }
    let (ctx, ann, bob) = (&world.ctx, &world.ann.organization, &world.bob.organization);
    let found = crm_sync::services::invites::of_email(ctx, ann, " zoe@EXAMPLE.com").await?;
    assert_eq!(found.len(), 3);
    assert!(crm_sync::services::invites::of_email(ctx, bob, "zoe@example.com").await?.is_empty());
    let puts = found.iter().flat_map(crm_sync::services::invites::erasing).collect();
    ctx.store.erase(ann, &[], &[], puts).await?;
    assert!(world.kept().await?.iter().all(|json| !json.contains("Zoe@example.com")));
    assert_eq!(world.ann(Method::GET, "/v1/invites", Value::Null).await?.json()["data"].as_array().map(Vec::len), Some(3));
    Ok(())
}
