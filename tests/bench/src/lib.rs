//! What the benchmarks share: the real rooms wired in one process against the Ontraport twin on loopback. Nothing is
//! faked; the only difference from `crm-host serve` is that the connector, built from this tree, is compiled in-process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use crm_catalog::model::Manifest;
use crm_contract::ports::{Clock, Digest, Guests};
use crm_contract::types::Person;
use crm_egress::{DevEndpoints, Egress, EgressConfig};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use crm_store::model::{Kind, NewJob, Purpose, Put, RecordKey};
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{MasterKey, Store, Whose};
use crm_sync::context::{Config, Context};
use crm_sync::domain::{Connection, SYSTEM_TAG};
use crm_sync::ids::new_id;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

mod timed;

pub use timed::{Around, Clocks, Sending, TimedGuests};

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a benchmark owns its process, as app does")]
    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The wired host and what the benchmark measures it with.
pub struct Bench {
    pub context: Context,
    pub store: Arc<SledStore>,
    pub digest: Digest,
    pub manifest: Arc<Manifest>,
    pub clocks: Arc<Clocks>,
    pub organization: String,
    // Dropped last: the store lives in it.
    _dir: tempfile::TempDir,
}

/// The repository's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An engine that compiles in this process and keeps nothing on disk.
pub fn in_memory() -> Result<Arc<Engine>> {
    Ok(Engine::new(EngineConfig {
        cache_dir: None,
        cache_key: [7; 32],
        compiler: Compiler::InProcess,
        limits: Limits::default(),
        wasi_allowed: BTreeSet::new(),
    })?)
}

/// What the time of each send is added to.
fn timing(clocks: &Arc<Clocks>) -> impl Fn() -> Sending + Clone + Send + Sync + 'static {
    let clocks = clocks.clone();
    move || Sending::on(&clocks)
}

/// Wires the rooms against a vendor at `base` (`http://127.0.0.1:PORT/1`).
pub async fn wire(base: &str, config: Config) -> Result<Bench> {
    // Beside the build: on a real disk, where an fsync costs what it costs.
    let target = root().join("target/bench");
    std::fs::create_dir_all(&target)?;
    let dir = tempfile::tempdir_in(&target)?;
    let bytes = std::fs::read(crm_test_support::connector("ontraport")?)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = SledStore::open(&dir.path().join("store"), OpenOptions::new(MasterKey::generate()?))?;
    let engine = in_memory()?;
    let digest = engine.load(bytes).await?;
    let manifest = engine.manifest(&digest).context("just loaded")?;
    let mut egress = EgressConfig::system("crm-host-bench/0.1", clock.clone())?;
    egress.dev_endpoints = Some(DevEndpoints::parse(&[format!("ontraport.api={base}")])?);
    let clocks = Arc::new(Clocks::default());
    let context = Context::new(
        store.clone(),
        Arc::new(TimedGuests::new(engine, clocks.clone())),
        Arc::new(Around::new(Egress::new(egress)?, timing(&clocks))),
        clock,
        config,
    );
    let organization = new_id("org", context.now());
    Ok(Bench { context, store, digest, manifest, clocks, organization, _dir: dir })
}

impl Bench {
    /// Makes `count` live connections with sealed credentials.
    pub async fn connections(&self, count: usize) -> Result<Vec<String>> {
        let mut ids = Vec::with_capacity(count);
        for n in 0..count {
            let id = new_id("con", self.context.now());
            let whose = Whose {
                organization: self.organization.clone(),
                connection: id.clone(),
                connector: "ontraport".into(),
                host: String::new(),
            };
            let slots = BTreeMap::from([("app_id".to_owned(), APP_ID.to_owned()), ("api_key".to_owned(), API_KEY.to_owned())]);
            self.store.seal(&whose, slots).await?;
            let connection = self.connection(&id, n);
            let record = RecordKey { organization: self.organization.clone(), kind: Kind::Connection, id: id.clone() };
            let put = Put { record, expect: Some(0), json: Some(serde_json::to_string(&connection)?), unique: Vec::new() };
            self.store.commit(vec![put], Vec::new()).await?;
            ids.push(id);
        }
        Ok(ids)
    }

    fn connection(&self, id: &str, n: usize) -> Connection {
        Connection {
            account: crm_contract::types::Account { id: Some(format!("account-{n}")), ..Default::default() },
            ..Connection::new(id, &self.organization, "ontraport", format!("bench {n}"), self.context.now())
        }
    }

    /// Job number `n` on a connection.
    pub fn job(&self, lane: &str, n: usize) -> NewJob {
        let now = self.context.now();
        let email = format!("affiliate{n}@example.com");
        NewJob {
            campaign: "cmp_bench".into(),
            affiliate: format!("aff_{n}"),
            dedupe: format!("{lane}/cmp_bench/{email}"),
            exclusive: format!("{lane}/{email}"),
            who: Person {
                email,
                first: Some("Ann".into()),
                last: Some("Lee".into()),
                full: Some("Ann Lee".into()),
                approved_at: now / 1000,
                ..Default::default()
            },
            set: vec![SYSTEM_TAG.to_owned(), "Summer campaign".into()],
            all: vec![SYSTEM_TAG.to_owned(), "Summer campaign".into()],
            ..NewJob::new(new_id("job", now), &self.organization, lane, Purpose::Sync, now)
        }
    }
}

pub const APP_ID: &str = "2_AppID_12345678";
pub const API_KEY: &str = "benchkey1234567";

/// Commits of the store since the process began, from its own metric.
pub fn commits(metrics: &PrometheusHandle) -> u64 {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix("crm_store_commit_seconds_count "));
    line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// Records the metrics of this process.
pub fn metrics() -> Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics cannot be recorded")
}

/// User and system CPU seconds of this process.
pub fn cpu_seconds() -> (f64, f64) {
    let usage = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = usage.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0) / 100.0;
    (ticks(11), ticks(12))
}

/// The `share` quantile (0.0..=1.0) of sorted values.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let last = sorted.len().saturating_sub(1);
    // Cast: an index below the length of a slice in memory.
    sorted.get((last as f64 * share) as usize).copied().unwrap_or(0)
}

/// Refuses to print figures of an unoptimised build.
pub fn release_only() -> Result<()> {
    ensure!(!cfg!(debug_assertions), "benchmarks are run in release: use `cargo xtask bench`");
    Ok(())
}
