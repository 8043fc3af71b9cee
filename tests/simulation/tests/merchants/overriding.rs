//! What a campaign does differently on a connection: campaign, then connection, then nothing; and the preview says whose each value is.

use std::collections::BTreeMap;

use crm_simulation::shop::run;
use crm_simulation::world::ORGANIZATION;
use crm_simulation::{Shop, Style};
use crm_sync::domain::FieldSource::{AffiliateId, CampaignName, Coupon, Slug, Status};
use crm_sync::services::overrides::{self, NewOverride};
use crm_sync::services::preview::{self, Preview, Subject};
use crm_sync::services::settings::ConnectionChange;

use crate::{SYSTEM, books};

const ZOE: &str = "zoe@x.example";

/// One connection that maps fields, and two campaigns: `spring` does everything differently, `autumn` nothing.
async fn shop(style: Style) -> (Shop, String, String, String) {
    let shop = Shop::new(style).await;
    shop.connect("con_a", "a").await;
    let fields = BTreeMap::from([(Status, Some("a".to_owned())), (CampaignName, Some("b".to_owned()))]);
    shop.set("con_a", ConnectionChange { fields, default_tags: Some(vec!["VIP".into()]), ..ConnectionChange::default() }).await;
    let spring = shop.campaign("spring", &["Spring"]).await;
    let autumn = shop.campaign("autumn", &["Autumn"]).await;
    let new = NewOverride {
        off: false,
        picked: BTreeMap::from([("list".to_owned(), "b".to_owned())]),
        extra_tags: vec!["Extra".into()],
        fields: BTreeMap::from([(CampaignName, Some("c".to_owned())), (Status, None), (Slug, Some("main".to_owned()))]),
    };
    overrides::set(&shop.context, ORGANIZATION, &spring, "con_a", None, new).await.expect("set");
    let zoe = shop.affiliate(ZOE, &[&spring, &autumn]).await;
    for campaign in [&spring, &autumn] {
        shop.approve(&zoe, campaign).await;
    }
    (shop, zoe, spring, autumn)
}

async fn look(shop: &Shop, zoe: &str, campaign: &str) -> Preview {
    let subject = Subject::Affiliate { id: zoe.into(), campaign: Some(campaign.into()) };
    preview::run(&shop.context, ORGANIZATION, "con_a", subject).await.expect("a preview")
}

/// Tags, destination and fields with whose each is.
fn said(preview: &Preview) -> Vec<String> {
    let tags = preview.tags.iter().map(|tag| format!("tag {} {}", tag.name, tag.from));
    let picked = preview.destination.iter().map(|value| format!("{} {} {}", value.name, value.value, value.from));
    let fields =
        preview.fields.iter().map(|value| format!("{:?} {}={} {}", value.source.unwrap_or(Coupon), value.name, value.value, value.from));
    tags.chain(picked).chain(fields).collect()
}

#[test]
fn what_the_campaign_says_goes_before_what_the_connection_says() {
    run(async {
        for style in [Style::Ids, Style::Emails] {
            let (mut shop, ..) = shop(style).await;
            shop.settle().await;
            // Each campaign in its own destination, with its own mapping.
            let (a, b) = (&shop.crm.list("a")[0], &shop.crm.list("b")[0]);
            let fields = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
            assert_eq!(a.fields, fields(&[("a", "approved"), ("b", "AUTUMN")]));
            assert_eq!(b.fields, fields(&[("c", "SPRING"), ("main", "zoe")]));
            assert_eq!((a.email.as_str(), b.email.as_str()), (ZOE, ZOE));
            assert!(a.tags.contains("Autumn") && b.tags.contains("Extra") && b.tags.contains("Spring"), "{a:?} {b:?}");
            if style == Style::Ids {
                assert_eq!(shop.crm.tags("a"), books(&[(ZOE, &[SYSTEM, "VIP", "Autumn"])]));
                assert_eq!(shop.crm.tags("b"), books(&[(ZOE, &[SYSTEM, "VIP", "Spring", "Extra"])]));
            }
        }
    });
}

#[test]
fn the_preview_says_where_each_value_comes_from() {
    run(async {
        let (shop, zoe, spring, autumn) = shop(Style::Ids).await;
        let expected = [
            "tag Rekomi affiliate system",
            "tag VIP connection",
            "tag Spring campaign",
            "tag Extra override",
            "list b override",
            "Slug main=zoe override",
            "CampaignName c=SPRING override",
        ];
        assert_eq!(said(&look(&shop, &zoe, &spring).await), expected);
        let expected = [
            "tag Rekomi affiliate system",
            "tag VIP connection",
            "tag Autumn campaign",
            "list a connection",
            "Status a=approved connection",
            "CampaignName b=AUTUMN connection",
        ];
        assert_eq!(said(&look(&shop, &zoe, &autumn).await), expected);
        // Only what the campaign names is its own.
        let new = NewOverride { fields: BTreeMap::from([(AffiliateId, Some("c".to_owned()))]), ..NewOverride::default() };
        overrides::set(&shop.context, ORGANIZATION, &autumn, "con_a", None, new).await.expect("set");
        let own = format!("AffiliateId c={zoe} override");
        let expected = [
            "tag Rekomi affiliate system",
            "tag VIP connection",
            "tag Autumn campaign",
            "list a connection",
            &own,
            "Status a=approved connection",
            "CampaignName b=AUTUMN connection",
        ];
        assert_eq!(said(&look(&shop, &zoe, &autumn).await), expected);
        assert!(shop.crm.heard().iter().all(|heard| heard.job.who.email == ZOE));
    });
}

#[test]
fn a_campaign_that_is_off_sends_nothing_and_says_so() {
    run(async {
        let (mut shop, zoe, spring, autumn) = shop(Style::Ids).await;
        // Before the worker ran: the job that waits is given up.
        let off = NewOverride { off: true, ..NewOverride::default() };
        overrides::set(&shop.context, ORGANIZATION, &spring, "con_a", None, off).await.expect("set");
        let preview = look(&shop, &zoe, &spring).await;
        assert!(preview.off && preview.requests.is_empty() && preview.tags.is_empty());
        shop.settle().await;
        assert_eq!(shop.crm.tags("b"), books(&[]));
        assert_eq!(shop.crm.tags("a"), books(&[(ZOE, &[SYSTEM, "VIP", "Autumn"])]), "its tags count nowhere");
        shop.pause(&zoe, &spring).await;
        assert_eq!(shop.approve(&zoe, &spring).await.syncs, 0);
        // Back to what the connection says.
        overrides::clear(&shop.context, ORGANIZATION, &spring, "con_a").await.expect("cleared");
        shop.resync("con_a", crm_sync::services::resync::Scope::All { campaign: Some(spring.clone()) }).await;
        shop.settle().await;
        let tags = &shop.crm.tags("a")[0].1;
        assert!(tags.contains(&"Spring".to_owned()), "{tags:?}");
        assert!(!look(&shop, &zoe, &spring).await.off && !look(&shop, &zoe, &autumn).await.off);
    });
}

#[test]
fn another_destination_is_another_contact_and_each_is_moved_and_untagged_there() {
    run(async {
        for style in [Style::Ids, Style::Emails] {
            let (mut shop, zoe, spring, _) = shop(style).await;
            shop.settle().await;
            shop.email(&zoe, "new@x.example").await;
            shop.settle().await;
            for list in ["a", "b"] {
                let emails: Vec<String> = shop.crm.list(list).into_iter().map(|contact| contact.email).collect();
                assert_eq!(emails, ["new@x.example"], "{style:?} {list}");
            }
            shop.pause(&zoe, &spring).await;
            shop.settle().await;
            let heard = shop.crm.heard().pop().expect("heard");
            assert_eq!((heard.untag, heard.list.as_str()), (true, "b"));
            let tags = &shop.crm.tags("b")[0].1;
            assert!(!tags.contains(&"Spring".to_owned()) && !tags.contains(&"Extra".to_owned()), "{style:?} {tags:?}");
        }
    });
}
