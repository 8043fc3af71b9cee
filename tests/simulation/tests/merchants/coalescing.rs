//! Many changes of one affiliate make one job, and what counts is the last of them.

use std::time::Duration;

use crm_simulation::shop::run;
use crm_simulation::{Shop, Style};
use crm_sync::services::affiliates::AffiliateChange;
use crm_sync::services::resync::Scope;

use crate::{SYSTEM, books};

async fn rename(shop: &Shop, affiliate: &str, times: u32) {
    for n in 1..=times {
        let change = AffiliateChange { first: Some(Some(format!("Zoë {n}"))), ..AffiliateChange::default() };
        shop.change(affiliate, change).await;
    }
}

#[test]
fn fifty_changes_while_the_job_waits_make_one_job_with_the_newest_values() {
    run(async {
        let mut shop = Shop::new(Style::Ids).await;
        shop.connect("con_a", "a").await;
        let campaign = shop.campaign("spring", &["Spring"]).await;
        let zoe = shop.affiliate("zoe@x.example", &[&campaign]).await;
        shop.approve(&zoe, &campaign).await;
        rename(&shop, &zoe, 50).await;
        assert_eq!(shop.jobs().await.len(), 1);
        shop.settle().await;
        let heard = shop.crm.heard();
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].job.who.first.as_deref(), Some("Zoë 50"));
        assert_eq!(shop.crm.tags("a"), books(&[("zoe@x.example", &[SYSTEM, "Spring"])]));
    });
}

#[test]
fn fifty_changes_while_the_job_runs_make_one_more() {
    run(async {
        let mut shop = Shop::new(Style::Ids).await;
        shop.connect("con_a", "a").await;
        let campaign = shop.campaign("spring", &[]).await;
        let zoe = shop.affiliate("zoe@x.example", &[&campaign]).await;
        shop.crm.slow(Duration::from_secs(10));
        shop.approve(&zoe, &campaign).await;
        shop.start();
        while shop.crm.heard().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        rename(&shop, &zoe, 50).await;
        assert_eq!(shop.jobs().await.len(), 1, "the newest wish waits behind the one that runs");
        shop.settle().await;
        let names: Vec<_> = shop.crm.heard().into_iter().map(|heard| heard.job.who.first.unwrap_or_default()).collect();
        assert_eq!(names, ["Zoë", "Zoë 50"]);
        assert_eq!(shop.crm.list("a")[0].first.as_deref(), Some("Zoë 50"));
        assert_eq!(shop.jobs().await.len(), 2);
    });
}

#[test]
fn approving_pausing_and_approving_before_the_worker_runs_ends_with_the_tags_set_by_one_job() {
    run(async {
        for style in [Style::Ids, Style::Emails] {
            let mut shop = Shop::new(style).await;
            shop.connect("con_a", "a").await;
            let campaign = shop.campaign("spring", &["Spring"]).await;
            let zoe = shop.affiliate("zoe@x.example", &[&campaign]).await;
            assert_eq!(shop.approve(&zoe, &campaign).await.syncs, 1);
            assert_eq!(shop.pause(&zoe, &campaign).await.folded, 1);
            assert_eq!(shop.approve(&zoe, &campaign).await.folded, 1);
            assert_eq!(shop.jobs().await.len(), 1);
            shop.settle().await;
            assert_eq!(shop.crm.heard().len(), 1);
            assert!(!shop.crm.heard()[0].untag);
            assert_eq!(shop.crm.tags("a"), books(&[("zoe@x.example", &[SYSTEM, "Spring"])]), "{style:?}");
        }
    });
}

#[test]
fn the_newest_wish_wins_also_while_an_older_one_runs_or_is_retried() {
    run(async {
        for (style, failing) in [(Style::Ids, false), (Style::Ids, true), (Style::Emails, false), (Style::Emails, true)] {
            let mut shop = Shop::new(style).await;
            shop.connect("con_a", "a").await;
            let campaign = shop.campaign("spring", &["Spring"]).await;
            let zoe = shop.affiliate("zoe@x.example", &[&campaign]).await;
            shop.crm.slow(Duration::from_secs(1));
            if failing {
                shop.crm.fail("a", crm_simulation::Failing::After);
            }
            shop.approve(&zoe, &campaign).await;
            shop.start();
            while shop.crm.heard().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if failing {
                // In the wait before the second attempt.
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            shop.approve(&zoe, &campaign).await;
            shop.pause(&zoe, &campaign).await;
            shop.settle().await;
            assert_eq!(shop.crm.tags("a"), books(&[("zoe@x.example", &[])]), "{style:?} {failing}");
        }
    });
}

#[test]
fn one_who_is_paused_before_the_vendor_ever_heard_of_them_is_not_made_there() {
    run(async {
        let mut shop = Shop::new(Style::Ids).await;
        shop.connect("con_a", "a").await;
        let campaign = shop.campaign("spring", &[]).await;
        let zoe = shop.affiliate("zoe@x.example", &[&campaign]).await;
        shop.approve(&zoe, &campaign).await;
        shop.pause(&zoe, &campaign).await;
        shop.settle().await;
        assert_eq!(shop.crm.tags("a"), books(&[]));
        assert_eq!(shop.jobs().await.len(), 1);
    });
}

#[test]
fn wishes_of_a_resync_join_the_jobs_that_wait() {
    run(async {
        let shop = Shop::new(Style::Ids).await;
        shop.connect("con_a", "a").await;
        let campaign = shop.campaign("spring", &[]).await;
        for n in 0..20 {
            let id = shop.affiliate(&format!("p{n}@x.example"), &[&campaign]).await;
            if n < 15 {
                shop.approve(&id, &campaign).await;
            }
        }
        for _ in 0..3 {
            let done = shop.resync("con_a", Scope::All { campaign: None }).await;
            assert_eq!((done.affiliates, done.syncs, done.folded), (15, 0, 15));
        }
        assert_eq!(shop.jobs().await.len(), 15);
    });
}
