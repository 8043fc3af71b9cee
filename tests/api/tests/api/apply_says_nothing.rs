//! Who is known must not show at the application page: the same status, headers, bytes and way for everyone, whatever the merchant thinks of
//! them, and as much work behind it.

use crm_api_tests::{Answer, World, look, site};
use http::Method;
use serde_json::{Value, json};

const FROM: &str = "192.0.2.7";

/// All that somebody at the page gets to see.
fn seen(answer: &Answer) -> (u16, String, String) {
    (answer.status.as_u16(), format!("{:?}", answer.headers), answer.text.clone())
}

/// Ann's people: somebody of each status in the campaign, somebody of another campaign, and somebody in as many as can be.
async fn people(world: &World, campaign: &str) -> anyhow::Result<Vec<String>> {
    let mut known = Vec::new();
    for change in ["", "approve", "reject", "pause", "remove"] {
        let email = format!("{change}x@example.com");
        let id = world.affiliate(campaign, &email).await?;
        if !change.is_empty() {
            let path = format!("/v1/affiliates/{id}/{change}");
            assert_eq!(world.ann(Method::POST, &path, json!({ "campaign": campaign })).await?.status, 202);
        }
        known.extend([email.clone(), email.to_uppercase()]);
    }
    let elsewhere = world.campaign("elsewhere", &[]).await?;
    world.affiliate(&elsewhere, "elsewhere@example.com").await?;
    known.push("elsewhere@example.com".to_owned());
    let everywhere = world.affiliate(&elsewhere, "everywhere@example.com").await?;
    for n in 0..24 {
        let one = world.campaign(&format!("one-of-{n}"), &[]).await?;
        let path = format!("/v1/affiliates/{everywhere}/campaigns");
        assert_eq!(world.ann(Method::POST, &path, json!({ "campaign": one })).await?.status, 200);
    }
    known.push("everywhere@example.com".to_owned());
    Ok(known)
}

#[tokio::test]
async fn known_and_unknown_people_see_the_same() -> anyhow::Result<()> {
    for auto_approve in [false, true] {
        let world = World::new().await?;
        let campaign = world.campaign("spring", &[]).await?;
        let known = people(&world, &campaign).await?;
        world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), json!({ "auto_approve": auto_approve })).await?;
        let unknown = world.apply(&site(&world), "spring", FROM, &[("email", "new@example.com"), ("consent", "yes")]).await?;
        assert_eq!((unknown.status.as_u16(), unknown.header("location")), (303, "/p/spring/thanks"));
        let thanks = look(&site(&world), unknown.header("location")).await?;
        for email in known.iter().map(String::as_str).chain(["new@example.com", "newer@example.com"]) {
            let full_of_words = [("email", email), ("consent", "yes"), ("full", "Someone"), ("slug", "somebodys"), ("company", "C")];
            for fields in [&full_of_words[..2], &full_of_words] {
                // New pages each time: addresses are not counted here.
                let answer = world.apply(&site(&world), "spring", FROM, fields).await?;
                assert_eq!(seen(&answer), seen(&unknown), "{email}");
                assert_eq!(seen(&look(&site(&world), answer.header("location")).await?), seen(&thanks), "{email}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn applying_again_changes_nothing_and_is_written_down_like_the_first_time() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.connect().await?;
    let campaign = world.campaign("spring", &[]).await?;
    world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), json!({ "auto_approve": true })).await?;
    let id = world.affiliate(&campaign, "zoe@example.com").await?;
    world.ann(Method::POST, &format!("/v1/affiliates/{id}/remove"), Value::Null).await?;
    let kept = async || anyhow::Ok(world.ann(Method::GET, &format!("/v1/affiliates/{id}"), Value::Null).await?.json());
    let (before, entries) = (kept().await?, world.audit().await?.len());
    let syncs = world.ann(Method::GET, "/v1/syncs/counts", Value::Null).await?.json();
    let fields = [("email", "Zoe@example.com"), ("consent", "yes"), ("company", "Somebody else's"), ("slug", "stolen")];
    world.apply(&site, "spring", FROM, &fields).await?;
    assert_eq!(kept().await?, before);
    assert_eq!(world.ann(Method::GET, "/v1/syncs/counts", Value::Null).await?.json(), syncs);
    let audit = world.audit().await?;
    let last = audit.last().expect("an entry");
    assert_eq!((audit.len(), last.action.as_str(), &last.target), (entries + 1, "affiliate.applied_again", &id));
    Ok(())
}

#[tokio::test]
async fn a_full_disk_and_a_stopped_store_look_the_same_for_everyone() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &[]).await?;
    world.affiliate(&campaign, "known@example.com").await?;
    let apply = async |email: &str| world.apply(&site(&world), "spring", FROM, &[("email", email), ("consent", "yes")]).await;
    world.sled.set_free_space_gate(crm_store::SpaceGate::Bytes(u64::MAX));
    let (known, unknown) = (apply("known@example.com").await?, apply("unknown@example.com").await?);
    assert_eq!((known.status.as_u16(), seen(&known)), (503, seen(&unknown)));
    world.sled.set_free_space_gate(crm_store::SpaceGate::Bytes(0));
    world.ctx.store.close().await?;
    let (known, unknown) = (apply("known@example.com").await?, apply("unknown@example.com").await?);
    assert_eq!((known.status.as_u16(), seen(&known)), (503, seen(&unknown)));
    Ok(())
}

#[tokio::test]
async fn a_link_name_that_somebody_has_turns_nobody_away() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.campaign("spring", &[]).await?;
    for (email, slug) in [("a@example.com", "Wanted"), ("b@example.com", "wanted")] {
        let answer = world.apply(&site, "spring", FROM, &[("email", email), ("consent", "yes"), ("slug", slug)]).await?;
        assert_eq!(answer.header("location"), "/p/spring/thanks");
    }
    let all = world.ann(Method::GET, "/v1/affiliates", Value::Null).await?.json();
    assert_eq!((&all["data"][0]["slug"], &all["data"][1]["slug"]), (&json!("Wanted"), &Value::Null));
    Ok(())
}

#[tokio::test]
async fn ten_at_once_with_one_address_are_one_affiliate() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.campaign("spring", &[]).await?;
    let site = site(&world);
    let apply = |_| world.apply(&site, "spring", FROM, &[("email", "zoe@example.com"), ("consent", "yes")]);
    for answer in futures_util::future::join_all((0..10).map(apply)).await {
        assert_eq!(answer?.header("location"), "/p/spring/thanks");
    }
    let all = world.ann(Method::GET, "/v1/affiliates", Value::Null).await?.json();
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1));
    Ok(())
}
