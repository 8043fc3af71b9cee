//! One merchant's organization over the store's model, on virtual time: the services that the API calls, the real workers, and a vendor
//! that keeps books.

use std::sync::Arc;
use std::time::Duration;

use crm_catalog::model::Manifest;
use crm_contract::types::Pair;
use crm_store::model::{Job, JobFilter, Kind, Put, RecordKey};
use crm_store::model_store::MemoryModel;
use crm_sync::context::{Config, Context};
use crm_sync::domain::*;
use crm_sync::services::affiliates::{self, AffiliateChange, NewAffiliate};
use crm_sync::services::approval::{self, Changed, Order, Whom};
use crm_sync::services::campaigns::{self, NewCampaign};
use crm_sync::services::resync::{self, Resynced, Scope};
use crm_sync::services::settings::{self, ConnectionChange};
use crm_sync::worker::Workers;

use crate::crm::{Crm, Style};
use crate::world::{ORGANIZATION, VirtualClock};

/// Long enough for every retry of [`Config`]'s schedule here.
const LONG: Duration = Duration::from_secs(24 * 3600);

pub struct Shop {
    pub context: Context,
    pub crm: Arc<Crm>,
    pub store: MemoryModel,
    workers: Option<Workers>,
}

impl Shop {
    pub async fn new(style: Style) -> Self {
        Self::with(style, |_| {}).await
    }

    /// With a connector that can do other things.
    pub async fn with(style: Style, change: impl FnOnce(&mut Manifest)) -> Self {
        let parsed = crm_catalog::parse(include_str!("crm.toml"), "crm.toml");
        let mut manifest = parsed.unwrap_or_else(|errors| panic!("{errors:?}"));
        change(&mut manifest);
        let crm = Crm::new(style, manifest);
        let store = MemoryModel::new();
        let config = Config { retry_schedule_s: vec![10; 20], jitter_percent: 0, ..Config::default() };
        let clock = Arc::new(VirtualClock::start());
        let context = Context::new(Arc::new(store.clone()), crm.clone(), crm.clone(), clock, config);
        let shop = Self { context, crm, store, workers: None };
        let organization = Organization {
            id: ORGANIZATION.into(),
            name: "Shop".into(),
            test: false,
            portal_url: Some("https://portal.example".into()),
            site_url: Some("https://shop.example/".into()),
            created: shop.context.now(),
        };
        shop.put(Kind::Organization, ORGANIZATION, &organization).await;
        shop
    }

    async fn put(&self, kind: Kind, id: &str, document: &impl serde::Serialize) {
        let json = serde_json::to_string(document).expect("serialises");
        let record = RecordKey { organization: ORGANIZATION.into(), kind, id: id.into() };
        self.context.store.commit(vec![Put { record, expect: None, json: Some(json), unique: vec![] }], vec![]).await.expect("committed");
    }

    /// A connection whose contacts go into a list.
    pub async fn connect(&self, id: &str, list: &str) {
        let fresh = Connection::new(id, ORGANIZATION, "books", id, self.context.now());
        let connection = Connection { picked: vec![Pair::new("list", list)], ..fresh };
        self.put(Kind::Connection, id, &connection).await;
    }

    pub async fn set(&self, connection: &str, change: ConnectionChange) {
        settings::update(&self.context, ORGANIZATION, connection, None, change).await.expect("changed");
    }

    pub async fn campaign(&self, slug: &str, tags: &[&str]) -> String {
        let new = NewCampaign {
            name: slug.to_uppercase(),
            slug: slug.into(),
            description: None,
            terms_url: None,
            site_url: None,
            auto_approve: false,
            open: true,
            cookie_window_days: 30,
            attribution: Attribution::LastTouch,
            commission: Commission::RevShare { percent: "25".into() },
            extra_tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        campaigns::create(&self.context, ORGANIZATION, new).await.expect("a campaign").value.id
    }

    /// An affiliate, pending in these campaigns.
    pub async fn affiliate(&self, email: &str, campaigns: &[&str]) -> String {
        let new = NewAffiliate { email: email.into(), first: Some("Zoë".into()), ..NewAffiliate::default() };
        let (first, rest) = campaigns.split_first().expect("at least one campaign");
        let id = affiliates::create(&self.context, ORGANIZATION, first, new, false).await.expect("an affiliate").value.id;
        for campaign in rest {
            affiliates::join(&self.context, ORGANIZATION, &id, campaign, false).await.expect("joined");
        }
        id
    }

    pub async fn status(&self, affiliate: &str, campaign: &str, to: AffiliateStatus) -> Changed {
        let whom = Whom::Ids { ids: vec![affiliate.into()], campaign: Some(campaign.into()) };
        approval::change(&self.context, ORGANIZATION, whom, Order { to, reason: None }).await.expect("changed")
    }

    pub async fn approve(&self, affiliate: &str, campaign: &str) -> Changed {
        self.status(affiliate, campaign, AffiliateStatus::Approved).await
    }

    pub async fn pause(&self, affiliate: &str, campaign: &str) -> Changed {
        self.status(affiliate, campaign, AffiliateStatus::Paused).await
    }

    pub async fn email(&self, affiliate: &str, email: &str) {
        self.change(affiliate, AffiliateChange { email: Some(email.into()), ..AffiliateChange::default() }).await;
    }

    pub async fn change(&self, affiliate: &str, change: AffiliateChange) {
        affiliates::update(&self.context, ORGANIZATION, affiliate, None, change).await.expect("changed");
    }

    pub async fn resync(&self, connection: &str, scope: Scope) -> Resynced {
        resync::run(&self.context, ORGANIZATION, connection, scope).await.expect("resynced")
    }

    /// Every job, newest first.
    pub async fn jobs(&self) -> Vec<Job> {
        self.context.store.jobs(ORGANIZATION, &JobFilter::default(), None, 10_000).await.expect("listed")
    }

    pub fn start(&mut self) {
        self.workers = Some(Workers::start(self.context.clone()));
    }

    /// Lets the workers run until nothing is left to do, and stops them.
    pub async fn settle(&mut self) {
        if self.workers.is_none() {
            self.start();
        }
        let begun = tokio::time::Instant::now();
        loop {
            let counts = self.context.store.counts(ORGANIZATION, "con_", None).await.expect("counted");
            if counts.pending + counts.running + counts.waiting + counts.retrying == 0 {
                break;
            }
            assert!(begun.elapsed() < LONG, "jobs never end: {counts:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.stop().await;
    }

    pub async fn stop(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.drain(Duration::from_secs(60)).await.expect("drains");
        }
    }
}

/// Runs a test on virtual time.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("builds").block_on(future)
}
