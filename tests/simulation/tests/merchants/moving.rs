//! A new e-mail moves the contact: one before, one after, whatever happened on the way.

use std::time::Duration;

use crm_simulation::shop::run;
use crm_simulation::{Failing, Shop, Style};

use crate::{SYSTEM, books};

const STYLES: [Style; 2] = [Style::Ids, Style::Emails];
const A: &str = "a@x.example";
const B: &str = "b@x.example";
const C: &str = "c@x.example";

/// A shop with Zoë approved under the address A, her contact not yet there.
async fn shop(style: Style) -> (Shop, String, String) {
    let shop = Shop::new(style).await;
    shop.connect("con_a", "a").await;
    let spring = shop.campaign("spring", &["Spring"]).await;
    let zoe = shop.affiliate(A, &[&spring]).await;
    shop.approve(&zoe, &spring).await;
    (shop, zoe, spring)
}

/// The same with vendors of either style: the style, the shop, Zoë and the campaign.
fn each(test: impl AsyncFn(Style, Shop, String, String)) {
    run(async {
        for style in STYLES {
            let (shop, zoe, spring) = shop(style).await;
            test(style, shop, zoe, spring).await;
        }
    });
}

fn emails(shop: &Shop) -> Vec<String> {
    shop.crm.list("a").into_iter().map(|contact| contact.email).collect()
}

#[test]
fn the_contact_moves_with_its_tags() {
    each(async |style, mut shop, zoe, _| {
        shop.settle().await;
        shop.email(&zoe, B).await;
        shop.settle().await;
        assert_eq!(shop.crm.tags("a"), books(&[(B, &[SYSTEM, "Spring"])]), "{style:?}");
        let last = shop.crm.heard().pop().expect("heard");
        assert_eq!(last.job.who.previous_email.as_deref(), Some(A), "the connector is told where the contact was");
    });
}

#[test]
fn two_changes_before_the_vendor_is_reached_are_one_move_from_where_the_contact_is() {
    each(async |style, mut shop, zoe, _| {
        shop.settle().await;
        shop.email(&zoe, B).await;
        shop.email(&zoe, C).await;
        shop.settle().await;
        assert_eq!(emails(&shop), [C], "{style:?}");
        assert_eq!(shop.crm.heard().len(), 2);
        // Before the first sync was made, too: nothing is known of either address.
        let (mut shop, zoe, _) = self::shop(style).await;
        shop.email(&zoe, B).await;
        shop.email(&zoe, C).await;
        shop.settle().await;
        assert_eq!(emails(&shop), [C], "{style:?} unknown");
    });
}

#[test]
fn a_change_while_the_sync_runs_moves_what_that_sync_made() {
    each(async |style, mut shop, zoe, _| {
        shop.crm.slow(Duration::from_secs(5));
        shop.start();
        while shop.crm.heard().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        shop.email(&zoe, B).await;
        shop.email(&zoe, C).await;
        shop.settle().await;
        assert_eq!(emails(&shop), [C], "{style:?}");
    });
}

#[test]
fn a_change_while_the_contact_is_being_moved_goes_on_from_where_it_arrives() {
    run(async {
        for style in STYLES {
            for (to, how) in [(C, None), (A, None), (C, Some(Failing::After)), (A, Some(Failing::After))] {
                let (mut shop, zoe, _) = shop(style).await;
                shop.settle().await;
                shop.crm.slow(Duration::from_secs(5));
                how.into_iter().for_each(|how| shop.crm.fail("a", how));
                shop.email(&zoe, B).await;
                shop.start();
                while shop.crm.heard().len() < 2 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                shop.email(&zoe, to).await;
                shop.settle().await;
                assert_eq!(emails(&shop), [to], "{style:?} {how:?}");
            }
        }
    });
}

#[test]
fn a_move_whose_first_attempt_failed_is_made_by_the_next() {
    run(async {
        for style in STYLES {
            for how in [Failing::Before, Failing::After] {
                for again in [false, true] {
                    let (mut shop, zoe, _) = shop(style).await;
                    shop.settle().await;
                    shop.crm.fail("a", how);
                    shop.email(&zoe, B).await;
                    shop.start();
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    let mut at = B;
                    if again {
                        // Changed once more while the move waits for its second attempt.
                        shop.email(&zoe, C).await;
                        at = C;
                    }
                    shop.settle().await;
                    assert_eq!(emails(&shop), [at], "{style:?} {how:?} {again}");
                }
            }
        }
    });
}

#[test]
fn a_contact_moves_on_and_back() {
    each(async |style, mut shop, zoe, _| {
        shop.settle().await;
        for to in [B, C, A, C, B, A] {
            shop.email(&zoe, to).await;
            shop.settle().await;
            assert_eq!(shop.crm.tags("a"), books(&[(to, &[SYSTEM, "Spring"])]), "{style:?}");
        }
    });
}

#[test]
fn after_a_move_the_connector_is_not_told_of_it_again() {
    each(async |style, mut shop, zoe, spring| {
        shop.settle().await;
        shop.email(&zoe, B).await;
        shop.settle().await;
        shop.pause(&zoe, &spring).await;
        shop.settle().await;
        shop.approve(&zoe, &spring).await;
        shop.settle().await;
        let told: Vec<_> = shop.crm.heard().into_iter().map(|heard| heard.job.who.previous_email).collect();
        assert_eq!(told, [None, Some(A.to_owned()), None, None], "{style:?}");
    });
}

#[test]
fn each_campaign_and_each_destination_moves_its_contact_once() {
    each(async |style, mut shop, zoe, spring| {
        shop.connect("con_b", "b").await;
        let autumn = shop.campaign("autumn", &["Autumn"]).await;
        crm_sync::services::affiliates::join(&shop.context, crm_simulation::world::ORGANIZATION, &zoe, &autumn, true).await.expect("in");
        shop.resync("con_b", crm_sync::services::resync::Scope::All { campaign: Some(spring.clone()) }).await;
        shop.settle().await;
        shop.email(&zoe, B).await;
        shop.settle().await;
        for list in ["a", "b"] {
            assert_eq!(shop.crm.tags(list), books(&[(B, &[SYSTEM, "Spring", "Autumn"])]), "{style:?} {list}");
        }
    });
}

#[test]
fn one_who_moved_while_paused_is_moved_when_approved_again() {
    each(async |style, mut shop, zoe, spring| {
        shop.settle().await;
        shop.pause(&zoe, &spring).await;
        shop.settle().await;
        shop.email(&zoe, B).await;
        shop.email(&zoe, C).await;
        shop.settle().await;
        assert_eq!(emails(&shop), [A], "{style:?}: nobody is told of somebody who is paused");
        shop.approve(&zoe, &spring).await;
        shop.settle().await;
        assert_eq!(shop.crm.tags("a"), books(&[(C, &[SYSTEM, "Spring"])]), "{style:?}");
    });
}

#[test]
fn an_address_that_somebody_else_has_by_now_is_theirs() {
    run(async {
        for style in STYLES {
            // Zoë gives up A before the vendor hears of it; Yan takes it and arrives first.
            let (mut shop, zoe, spring) = shop(style).await;
            shop.settle().await;
            shop.crm.fail("a", Failing::Before);
            shop.email(&zoe, B).await;
            shop.start();
            tokio::time::sleep(Duration::from_secs(3)).await;
            let yan = shop.affiliate(A, &[&spring]).await;
            shop.approve(&yan, &spring).await;
            shop.settle().await;
            let mut there = emails(&shop);
            there.sort();
            assert_eq!(there, [A, B], "{style:?}: Yan's contact is not moved away under him");
        }
    });
}

#[test]
fn what_was_known_under_an_address_goes_with_the_contact() {
    each(async |style, mut shop, zoe, spring| {
        shop.settle().await;
        shop.email(&zoe, B).await;
        shop.settle().await;
        let yan = shop.affiliate(A, &[&spring]).await;
        shop.approve(&yan, &spring).await;
        shop.settle().await;
        assert_eq!(emails(&shop), [B, A], "{style:?}: a contact of his own, and Zoë's as it was");
        // And back again: A is taken, so Zoë's contact goes on to C and leaves Yan's alone.
        shop.email(&zoe, C).await;
        shop.settle().await;
        assert_eq!(emails(&shop), [C, A], "{style:?}");
    });
}

#[test]
fn tags_that_were_to_go_when_the_contact_moved_still_go() {
    each(async |style, mut shop, zoe, spring| {
        let autumn = shop.campaign("autumn", &["Autumn"]).await;
        crm_sync::services::affiliates::join(&shop.context, crm_simulation::world::ORGANIZATION, &zoe, &autumn, true).await.expect("in");
        shop.settle().await;
        shop.crm.fail("a", Failing::Before);
        shop.pause(&zoe, &autumn).await;
        shop.start();
        tokio::time::sleep(Duration::from_secs(3)).await;
        // The untag waits; the approved campaign moves the contact.
        shop.email(&zoe, B).await;
        shop.settle().await;
        assert_eq!(shop.crm.tags("a"), books(&[(B, &[SYSTEM, "Spring"])]), "{style:?} {spring:?}");
    });
}
