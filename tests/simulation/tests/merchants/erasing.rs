//! Erasing one person while workers run.

use std::time::Duration;

use crm_simulation::shop::run;
use crm_simulation::world::ORGANIZATION;
use crm_simulation::{Shop, Style};
use crm_sync::services::ServiceError;
use crm_sync::services::person::erase::erase;
use crm_sync::services::resync::Scope;

const ZOE: &str = "zoe@x.example";

async fn shop() -> (Shop, String) {
    let mut shop = Shop::new(Style::Ids).await;
    shop.connect("con_a", "a").await;
    let spring = shop.campaign("spring", &["Spring"]).await;
    let zoe = shop.affiliate(ZOE, &[&spring]).await;
    shop.approve(&zoe, &spring).await;
    shop.settle().await;
    (shop, zoe)
}

#[test]
fn a_job_that_runs_is_waited_for_about_ten_seconds() {
    run(async {
        let (mut shop, zoe) = shop().await;
        for (takes, ends) in [(60, false), (5, true)] {
            shop.crm.slow(Duration::from_secs(takes));
            shop.resync("con_a", Scope::All { campaign: None }).await;
            let heard = shop.crm.heard().len();
            shop.start();
            while shop.crm.heard().len() == heard {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let begun = tokio::time::Instant::now();
            let erased = erase(&shop.context, ORGANIZATION, &zoe, ZOE).await;
            let waited = begun.elapsed();
            if ends {
                let erased = erased.expect("erased");
                assert_eq!((erased.contacts, erased.connections.len()), (1, 1));
                assert!(waited < Duration::from_secs(6), "{waited:?}");
            } else {
                assert!(matches!(erased, Err(ServiceError::Conflict { code: "sync_running", .. })), "{erased:?}");
                assert!((Duration::from_secs(9)..Duration::from_secs(11)).contains(&waited), "{waited:?}");
            }
            shop.settle().await;
        }
        assert_eq!(shop.jobs().await.len(), 0);
        assert!(shop.context.store.contacts("con_a", &[ZOE.into()]).await.expect("read").is_empty());
        assert_eq!(shop.crm.list("a").len(), 1, "the contact at the vendor stays");
    });
}
