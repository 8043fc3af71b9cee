//! Syncing again: everyone, some, or those that failed.

use crm_simulation::shop::run;
use crm_simulation::{Failing, Shop, Style};
use crm_store::model::JobState;
use crm_sync::domain::AffiliateStatus;
use crm_sync::services::ServiceError;
use crm_sync::services::resync::{self, Scope};

use crate::{SYSTEM, books};

/// Two campaigns; of six people three are approved in one, one of them in both.
async fn shop() -> (Shop, Vec<String>, String, String) {
    let shop = Shop::new(Style::Ids).await;
    let (spring, autumn) = (shop.campaign("spring", &["Spring"]).await, shop.campaign("autumn", &["Autumn"]).await);
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(shop.affiliate(&format!("p{n}@x.example"), &[&spring, &autumn]).await);
    }
    for person in &people[..3] {
        shop.approve(person, &spring).await;
    }
    shop.approve(&people[2], &autumn).await;
    shop.approve(&people[3], &spring).await;
    shop.pause(&people[3], &spring).await;
    (shop, people, spring, autumn)
}

#[test]
fn who_was_approved_before_an_account_was_connected_is_counted_and_brought_over_on_demand() {
    run(async {
        let (mut shop, _, spring, autumn) = shop().await;
        assert_eq!(resync::approved(&shop.context, crm_simulation::world::ORGANIZATION, 100).await, Ok(4));
        assert_eq!(resync::approved(&shop.context, crm_simulation::world::ORGANIZATION, 3).await, Ok(3));
        shop.connect("con_a", "a").await;
        shop.connect("con_b", "b").await;
        shop.settle().await;
        assert_eq!(shop.jobs().await.len(), 0, "nobody asked for it");
        let done = shop.resync("con_a", Scope::All { campaign: Some(autumn) }).await;
        assert_eq!((done.affiliates, done.syncs), (1, 1));
        let done = shop.resync("con_b", Scope::All { campaign: Some(spring) }).await;
        assert_eq!((done.affiliates, done.syncs), (3, 3));
        let done = shop.resync("con_a", Scope::All { campaign: None }).await;
        assert_eq!((done.affiliates, done.syncs, done.folded), (4, 3, 1));
        shop.settle().await;
        let both: &[&str] = &[SYSTEM, "Spring", "Autumn"];
        let one: &[&str] = &[SYSTEM, "Spring"];
        let mut there = shop.crm.tags("a");
        there.sort();
        assert_eq!(there, books(&[("p0@x.example", one), ("p1@x.example", one), ("p2@x.example", both)]));
        assert_eq!(shop.crm.list("b").len(), 3);
    });
}

#[test]
fn some_are_synced_in_every_campaign_where_they_are_approved() {
    run(async {
        let (mut shop, people, ..) = shop().await;
        shop.connect("con_a", "a").await;
        let some = vec![people[2].clone(), people[3].clone(), people[5].clone(), people[2].clone()];
        let done = shop.resync("con_a", Scope::Affiliates(some)).await;
        assert_eq!((done.affiliates, done.syncs), (2, 2), "who is paused or pending is not brought over");
        shop.settle().await;
        assert_eq!(shop.crm.tags("a"), books(&[("p2@x.example", &[SYSTEM, "Spring", "Autumn"])]));
        let run = resync::run(&shop.context, crm_simulation::world::ORGANIZATION, "con_a", Scope::Affiliates(vec!["aff_0".into()])).await;
        assert_eq!(run, Err(ServiceError::NotFound("affiliate")));
    });
}

#[test]
fn those_that_failed_are_tried_again_and_nobody_else() {
    run(async {
        let (mut shop, people, spring, _) = shop().await;
        shop.connect("con_a", "a").await;
        shop.crm.fail("a", Failing::Forever);
        shop.resync("con_a", Scope::All { campaign: Some(spring.clone()) }).await;
        shop.settle().await;
        assert!(shop.jobs().await.iter().all(|job| job.state == JobState::Failed));
        shop.crm.well();
        // One of them came through since, by another way; one left; one is erased.
        shop.resync("con_a", Scope::Affiliates(vec![people[0].clone()])).await;
        shop.settle().await;
        let heard = shop.crm.heard().len();
        let done = shop.resync("con_a", Scope::Failed).await;
        assert_eq!((done.affiliates, done.syncs, done.folded), (2, 2, 0));
        shop.settle().await;
        assert_eq!(shop.crm.heard().len(), heard + 2);
        assert_eq!(shop.crm.list("a").len(), 3);
        assert_eq!(shop.resync("con_a", Scope::Failed).await.syncs, 0);
        // A failure of long ago, behind a success, does not count.
        assert_eq!(shop.jobs().await.iter().filter(|job| job.state == JobState::Failed).count(), 3);
    });
}

#[test]
fn tags_that_could_not_be_taken_off_are_tried_again_with_those_that_failed() {
    run(async {
        let (mut shop, people, spring, _) = shop().await;
        shop.connect("con_a", "a").await;
        shop.resync("con_a", Scope::All { campaign: Some(spring.clone()) }).await;
        shop.settle().await;
        shop.crm.fail("a", Failing::Forever);
        shop.status(&people[0], &spring, AffiliateStatus::Removed).await;
        shop.settle().await;
        assert_eq!(shop.jobs().await[0].state, JobState::Failed);
        shop.crm.well();
        let done = shop.resync("con_a", Scope::Failed).await;
        assert_eq!(done.syncs, 1);
        shop.settle().await;
        let there = shop.crm.tags("a");
        assert!(there.contains(&books(&[("p0@x.example", &[])])[0]), "{there:?}");
        // Who was removed is not brought over by a resync of everyone, and loses nothing twice.
        assert_eq!(shop.resync("con_a", Scope::Failed).await.syncs, 0);
    });
}
