//! One simulated host: the real workers over the store's model, on tokio's virtual time.

use std::sync::Arc;
use std::time::Duration;

use crm_catalog::model::Manifest;
use crm_contract::ports::Clock;
use crm_contract::types::Person;
use crm_store::model::{JobCounts, Kind, NewJob, Purpose, Put, RecordKey};
use crm_store::model_store::MemoryModel;
use crm_sync::context::{BreakerConfig, Config, Context};
use crm_sync::domain::{Connection, ConnectionState};
use crm_sync::worker::Workers;
use tokio::time::Instant;

use crate::courier::Courier;
use crate::vendor::{Behaviour, Vendor, Ways};

/// 2027-01-15: a fixed start, so that a seed is the whole story.
const EPOCH: u64 = 1_800_000_000_000;
pub const ORGANIZATION: &str = "org_sim";

/// Unix milliseconds on tokio's clock, which tests pause and advance.
#[derive(Clone, Copy)]
pub struct VirtualClock {
    since: Instant,
    began: u64,
}

impl VirtualClock {
    pub fn start() -> Self {
        Self::at(EPOCH)
    }

    /// One that says `began` now.
    pub fn at(began: u64) -> Self {
        Self { since: Instant::now(), began }
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> u64 {
        self.began + u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

pub struct World {
    pub context: Context,
    pub vendor: Arc<Vendor>,
    /// Where webhooks go.
    pub courier: Arc<Courier>,
    workers: Option<Workers>,
}

impl World {
    pub fn new(seed: u64, behaviour: Behaviour) -> Self {
        Self::with(seed, behaviour, |_| {})
    }

    pub fn with(seed: u64, behaviour: Behaviour, change: impl FnOnce(&mut Config)) -> Self {
        let clock = VirtualClock::start();
        let vendor = Vendor::new(seed, behaviour, manifest(), move || clock.now_ms());
        let mut config = Config {
            retry_schedule_s: vec![1; 60],
            workers: 16,
            lease_ms: 30_000,
            breaker: BreakerConfig { window: 50, failures: 49, open_s: 5, max_open_s: 10 },
            ..Config::default()
        };
        change(&mut config);
        let context = Context::new(Arc::new(MemoryModel::new()), vendor.clone(), Arc::new(Ways(vendor.clone())), Arc::new(clock), config);
        let courier = Courier::new(move || clock.now_ms());
        let context = context.sending(courier.clone());
        Self { context, vendor, courier, workers: None }
    }

    pub fn start(&mut self) {
        self.workers = Some(Workers::start(self.context.clone()));
    }

    /// The host dies: nothing is told to anyone, what was in flight is gone.
    pub async fn crash(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.abort().await;
        }
    }

    pub async fn drain(&mut self, patience: Duration) {
        if let Some(workers) = self.workers.take() {
            workers.drain(patience).await.expect("drains");
        }
    }

    pub async fn connect(&self, id: &str) {
        self.put_connection(id, ConnectionState::Live).await;
    }

    pub async fn put_connection(&self, id: &str, state: ConnectionState) {
        let connection = Connection { state, ..Connection::new(id, ORGANIZATION, "acme", id, self.context.now()) };
        let json = serde_json::to_string(&connection).expect("serialises");
        let put = Put { record: self.key(id), expect: None, json: Some(json), unique: vec![] };
        self.context.store.commit(vec![put], vec![]).await.expect("committed");
    }

    pub async fn connection(&self, id: &str) -> Connection {
        self.context.load(ORGANIZATION, Kind::Connection, id).await.expect("readable").expect("there").0
    }

    fn key(&self, id: &str) -> RecordKey {
        RecordKey { organization: ORGANIZATION.into(), kind: Kind::Connection, id: id.into() }
    }

    pub fn job(&self, lane: &str, campaign: &str, email: &str) -> NewJob {
        let now = self.context.now();
        NewJob {
            campaign: campaign.into(),
            affiliate: format!("aff_{email}"),
            dedupe: format!("{lane}/{campaign}/{email}"),
            exclusive: format!("{lane}/{email}"),
            who: Person { email: email.into(), ..Person::default() },
            set: vec!["Rekomi affiliate".into()],
            all: vec!["Rekomi affiliate".into()],
            ..NewJob::new(crm_sync::ids::new_id("job", now), ORGANIZATION, lane, Purpose::Sync, now)
        }
    }

    pub async fn enqueue(&self, jobs: Vec<NewJob>) {
        self.context.store.commit(vec![], jobs).await.expect("committed");
    }

    pub async fn counts(&self, lane: Option<&str>) -> JobCounts {
        self.context.store.counts(ORGANIZATION, "con_", lane).await.expect("counted")
    }

    /// Lets virtual time pass until every job is final, or `limit` is over.
    pub async fn settle(&self, lane: Option<&str>, limit: Duration) -> JobCounts {
        let start = Instant::now();
        loop {
            let counts = self.counts(lane).await;
            let open = counts.pending + counts.running + counts.waiting + counts.retrying + counts.parked;
            if open == 0 || start.elapsed() > limit {
                return counts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn manifest() -> Manifest {
    crm_catalog::parse(include_str!("acme.toml"), "acme.toml").unwrap_or_else(|errors| panic!("{errors:?}"))
}
