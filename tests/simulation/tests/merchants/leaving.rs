//! Tags go when the last campaign that gives them is left, where the merchant wants it so, and come back with the approval.

use std::time::Duration;

use crm_simulation::shop::run;
use crm_simulation::{Failing, Shop, Style};
use crm_sync::domain::AffiliateStatus::{Paused, Rejected, Removed};
use crm_sync::services::settings::ConnectionChange;

use crate::{SYSTEM, books};

const STYLES: [Style; 2] = [Style::Ids, Style::Emails];
const ZOE: &str = "zoe@x.example";

/// A shop with two campaigns that share one tag, and Zoë approved in both, her contact up to date.
async fn shop(style: Style) -> (Shop, String, String, String) {
    let mut shop = Shop::new(style).await;
    shop.connect("con_a", "a").await;
    let spring = shop.campaign("spring", &["Spring", "Shared"]).await;
    let autumn = shop.campaign("autumn", &["Autumn", "shared"]).await;
    let zoe = shop.affiliate(ZOE, &[&spring, &autumn]).await;
    shop.approve(&zoe, &spring).await;
    shop.approve(&zoe, &autumn).await;
    shop.settle().await;
    (shop, zoe, spring, autumn)
}

#[test]
fn leaving_takes_off_what_no_other_approved_campaign_gives_and_the_system_tag_last() {
    run(async {
        for style in STYLES {
            for (first, then) in [(Paused, Removed), (Removed, Rejected), (Rejected, Paused)] {
                let (mut shop, zoe, spring, autumn) = shop(style).await;
                shop.status(&zoe, &autumn, first).await;
                shop.settle().await;
                let tags = &shop.crm.tags("a")[0].1;
                assert!(tags.contains(&SYSTEM.to_owned()) && tags.contains(&"Spring".to_owned()), "{style:?} {tags:?}");
                assert!(tags.iter().any(|tag| tag.eq_ignore_ascii_case("shared")) && !tags.contains(&"Autumn".to_owned()), "{tags:?}");
                shop.status(&zoe, &spring, then).await;
                shop.settle().await;
                let left = &shop.crm.tags("a")[0].1;
                assert!(!left.contains(&SYSTEM.to_owned()) && !left.contains(&"Spring".to_owned()), "{style:?} {left:?}");
                assert_eq!(shop.crm.list("a").len(), 1, "the contact stays");
            }
        }
    });
}

#[test]
fn approving_again_restores_what_leaving_took() {
    run(async {
        for style in STYLES {
            let (mut shop, zoe, spring, autumn) = shop(style).await;
            for campaign in [&spring, &autumn] {
                shop.pause(&zoe, campaign).await;
            }
            shop.settle().await;
            shop.approve(&zoe, &spring).await;
            shop.settle().await;
            assert_eq!(shop.crm.tags("a"), books(&[(ZOE, &[SYSTEM, "Spring", "Shared"])]), "{style:?}");
        }
    });
}

#[test]
fn each_connection_says_on_which_statuses_tags_go() {
    run(async {
        for style in STYLES {
            let mut shop = Shop::new(style).await;
            for (id, list) in [("con_a", "a"), ("con_b", "b"), ("con_c", "c")] {
                shop.connect(id, list).await;
            }
            shop.set("con_b", ConnectionChange { untag_on: Some(vec![Removed]), ..ConnectionChange::default() }).await;
            shop.set("con_c", ConnectionChange { untag_on: Some(vec![]), ..ConnectionChange::default() }).await;
            let spring = shop.campaign("spring", &["Spring"]).await;
            let zoe = shop.affiliate(ZOE, &[&spring]).await;
            shop.approve(&zoe, &spring).await;
            shop.settle().await;
            let (on, off) = (books(&[(ZOE, &[SYSTEM, "Spring"])]), books(&[(ZOE, &[])]));
            let seen = |shop: &Shop| ["a", "b", "c"].map(|list| shop.crm.tags(list));
            assert_eq!(shop.pause(&zoe, &spring).await.syncs, 1);
            shop.settle().await;
            assert_eq!(seen(&shop), [off.clone(), on.clone(), on.clone()], "{style:?} paused");
            // Where pausing took them off already there is nothing left to do.
            assert_eq!(shop.status(&zoe, &spring, Removed).await.syncs, 1);
            shop.settle().await;
            assert_eq!(seen(&shop), [off.clone(), off.clone(), on.clone()], "{style:?} removed");
            assert_eq!(shop.approve(&zoe, &spring).await.syncs, 3);
            shop.settle().await;
            assert_eq!(seen(&shop), [on.clone(), on.clone(), on.clone()], "{style:?} again");
        }
    });
}

#[test]
fn tags_that_the_merchant_leaves_on_stay_when_another_campaign_comes_and_goes() {
    run(async {
        for style in STYLES {
            let (mut shop, zoe, spring, autumn) = shop(style).await;
            shop.set("con_a", ConnectionChange { untag_on: Some(vec![Removed]), ..ConnectionChange::default() }).await;
            shop.pause(&zoe, &spring).await;
            shop.approve(&zoe, &autumn).await;
            shop.change(&zoe, crm_sync::services::affiliates::AffiliateChange { first: Some(None), ..Default::default() }).await;
            shop.settle().await;
            let tags = &shop.crm.tags("a")[0].1;
            assert!(tags.contains(&"Spring".to_owned()) && tags.contains(&"Autumn".to_owned()), "{style:?} {tags:?}");
            shop.status(&zoe, &autumn, Removed).await;
            shop.settle().await;
            let tags = &shop.crm.tags("a")[0].1;
            assert!(!tags.contains(&"Autumn".to_owned()), "{style:?} {tags:?}");
            for kept in [SYSTEM, "Spring", "Shared"] {
                assert!(tags.iter().any(|tag| tag.eq_ignore_ascii_case(kept)), "{style:?}: {kept} of a paused campaign, {tags:?}");
            }
        }
    });
}

#[test]
fn an_untag_that_comes_late_takes_nothing_that_was_given_since() {
    run(async {
        for style in STYLES {
            let (mut shop, zoe, spring, autumn) = shop(style).await;
            for campaign in [&spring, &autumn] {
                shop.status(&zoe, campaign, Removed).await;
                shop.settle().await;
            }
            shop.approve(&zoe, &spring).await;
            shop.settle().await;
            // The untag fails once; while it waits for its next attempt, the other campaign approves.
            shop.crm.fail("a", Failing::Before);
            shop.pause(&zoe, &spring).await;
            shop.start();
            tokio::time::sleep(Duration::from_secs(3)).await;
            shop.approve(&zoe, &autumn).await;
            shop.settle().await;
            let tags = &shop.crm.tags("a")[0].1;
            assert!(tags.contains(&SYSTEM.to_owned()) && tags.contains(&"Autumn".to_owned()), "{style:?} {tags:?}");
            assert!(!tags.contains(&"Spring".to_owned()), "{style:?} {tags:?}");
        }
    });
}

#[test]
fn a_sync_that_comes_late_undoes_nothing_of_another_campaign() {
    run(async {
        for style in STYLES {
            let mut shop = Shop::new(style).await;
            shop.connect("con_a", "a").await;
            let spring = shop.campaign("spring", &["Spring"]).await;
            let autumn = shop.campaign("autumn", &["Autumn"]).await;
            let zoe = shop.affiliate(ZOE, &[&spring, &autumn]).await;
            shop.crm.fail("a", Failing::Before);
            shop.approve(&zoe, &spring).await;
            shop.start();
            tokio::time::sleep(Duration::from_secs(3)).await;
            shop.approve(&zoe, &autumn).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(shop.crm.tags("a").len(), 1, "the newer one is through, the older one waits");
            shop.settle().await;
            assert_eq!(shop.crm.tags("a"), books(&[(ZOE, &[SYSTEM, "Spring", "Autumn"])]), "{style:?}");
        }
    });
}

#[test]
fn a_connector_that_cannot_take_tags_off_is_not_asked_to() {
    run(async {
        let mut shop = Shop::with(Style::Ids, |manifest| manifest.supports.untag = false).await;
        shop.connect("con_a", "a").await;
        let spring = shop.campaign("spring", &[]).await;
        let zoe = shop.affiliate(ZOE, &[&spring]).await;
        shop.approve(&zoe, &spring).await;
        shop.settle().await;
        assert_eq!(shop.pause(&zoe, &spring).await.syncs, 0);
        assert_eq!(shop.jobs().await.len(), 1);
    });
}

#[test]
fn who_was_never_approved_leaves_without_a_word_to_anybody() {
    run(async {
        let shop = Shop::new(Style::Ids).await;
        shop.connect("con_a", "a").await;
        let spring = shop.campaign("spring", &[]).await;
        let zoe = shop.affiliate(ZOE, &[&spring]).await;
        shop.status(&zoe, &spring, Rejected).await;
        shop.status(&zoe, &spring, Removed).await;
        assert_eq!(shop.jobs().await.len(), 0);
    });
}
