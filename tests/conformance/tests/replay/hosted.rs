//! A host without a network: real workers, real engine, real egress, and in place of each vendor what a fixture says it answers. Time is
//! tokio's, paused.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_catalog::model::{Manifest, Stage};
use crm_conformance::{Exchange, Fixture, Folder, folders, invocation};
use crm_contract::ports::{Gateway, Journal, JournalError, Mode, Outbound, Recall, Scope, ShownRequest, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Invocation, Job, Known, Pair, Response, Unanswered};
use crm_egress::net::{Resolve, ResolveError};
use crm_egress::{Egress, EgressConfig};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use crm_simulation::world::VirtualClock;
use crm_store::model::{Finish, JobState, Kind, NewJob, Purpose, Put, RecordKey};
use crm_store::model_store::MemoryModel;
use crm_sync::context::{Config, Context};
use crm_sync::domain::Connection;
use crm_sync::worker::Workers;
use parking_lot::Mutex;

pub(crate) const ORGANIZATION: &str = "org_fleet";

pub(crate) struct Hosted {
    pub(crate) context: Context,
    pub(crate) engine: Arc<Engine>,
    vendors: Arc<Vendors>,
    given: usize,
}

impl Hosted {
    /// On an engine that may be shared: a host of its own for each connector keeps the store's model quick.
    pub(crate) async fn new(engine: Arc<Engine>) -> Self {
        let clock = Arc::new(VirtualClock::start());
        let egress = Egress::new(EgressConfig::new("fleet", clock.clone(), Arc::new(NoNames))).expect("egress");
        let vendors = Arc::new(Vendors { egress, scripts: Mutex::default() });
        // One try each: the fixtures say how a vendor answers once.
        let config = Config { retry_schedule_s: Vec::new(), ..Config::default() };
        let context = Context::new(Arc::new(MemoryModel::new()), engine.clone(), vendors.clone(), clock, config);
        put(&context, "", Kind::Organization, ORGANIZATION, "{}".to_owned()).await;
        Self { context, engine, vendors, given: 0 }
    }

    /// A connection and a job as a fixture's input has them, and its answers for them; the job's id. `None` = no host comes to such a run at
    /// once: it goes on from one before.
    pub(crate) async fn give(&mut self, folder: &Folder, fixture: &Fixture) -> Option<String> {
        let mode = folder.manifest.auth.first().map_or("", |auth| auth.mode.as_str());
        let (job, purpose) = match invocation(&fixture.function, &fixture.input, mode).expect("an invocation") {
            Invocation::SyncContact { job } => (job, Purpose::Sync),
            Invocation::UntagContact { job } => (job, Purpose::Untag),
            _ => return None,
        };
        if job.resume.is_some() || job.who.email.is_empty() {
            return None;
        }
        self.given += 1;
        let lane = format!("con_{}", self.given);
        let now = self.context.now();
        let mut connection = Connection::new(&lane, ORGANIZATION, &folder.slug, &lane, now);
        connection.account.choice = fixture.input.pointer("/choice").and_then(|choice| choice.as_str()).map(str::to_owned);
        let Job { on, who, known, set, clear, all, .. } = job;
        (connection.mode, connection.settings, connection.picked) = (on.mode, on.settings, on.picked);
        (connection.facts, connection.bindings) = (on.facts, on.tags);
        let json = serde_json::to_string(&connection).expect("it is written");
        put(&self.context, ORGANIZATION, Kind::Connection, &lane, json).await;
        let fresh = |purpose| NewJob {
            who: who.clone(),
            set: set.clone(),
            clear: clear.clone(),
            all: all.clone(),
            ..NewJob::new(crm_sync::ids::new_id("job", now), ORGANIZATION, &lane, purpose, now)
        };
        if known != Known::default() {
            self.learn(fresh(Purpose::Sync), known).await;
        }
        let new = fresh(purpose);
        let id = new.id.clone();
        self.context.store.commit(Vec::new(), vec![new]).await.expect("it is taken in");
        self.vendors.scripts.lock().insert(lane, fixture.exchanges.iter().cloned().collect());
        Some(id)
    }

    /// What an earlier sync had learnt of the contact.
    async fn learn(&self, new: NewJob, known: Known) {
        let (store, now, lane) = (&self.context.store, self.context.now(), new.lane.clone());
        store.commit(Vec::new(), vec![new]).await.expect("it is taken in");
        let claim = store.claim("earlier", now, 1, &[(lane.clone(), 1)]).await.expect("claimed").remove(0);
        let mut job = claim.job;
        (job.state, job.finished, job.updated) = (JobState::Succeeded, Some(now), now + 1);
        let finish = Finish { job, attempt: None, known: Some(known), jobs: Vec::new() };
        store.finish(&lane, claim.epoch, finish).await.expect("finished");
    }

    /// Lets the workers do all there is to do.
    pub(crate) async fn run(&self) {
        let workers = Workers::start(self.context.clone());
        for _ in 0..20_000 {
            let counts = self.context.store.counts(ORGANIZATION, "con_", None).await.expect("counted");
            if counts.pending + counts.running + counts.retrying + counts.waiting == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        workers.drain(Duration::from_secs(60)).await.expect("drains");
    }
}

async fn put(context: &Context, organization: &str, kind: Kind, id: &str, json: String) {
    let record = RecordKey { organization: organization.to_owned(), kind, id: id.to_owned() };
    context.store.commit(vec![Put { record, expect: None, json: Some(json), unique: Vec::new() }], Vec::new()).await.expect("committed");
}

pub(crate) fn engine() -> Arc<Engine> {
    let (limits, wasi_allowed) = (Limits::default(), BTreeSet::new());
    let config = EngineConfig { cache_dir: None, cache_key: [0; 32], compiler: Compiler::InProcess, limits, wasi_allowed };
    Engine::new(config).expect("an engine")
}

/// Every connector's folder and its built component.
pub(crate) fn fleet() -> Vec<(Folder, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = crm_test_support::connectors_dir().unwrap_or_else(|error| panic!("{error:#}"));
    let open = |path: &std::path::PathBuf| {
        let folder = Folder::open(path).unwrap_or_else(|error| panic!("{error:#}"));
        let component = folder.component(&built).unwrap_or_else(|error| panic!("{error:#}"));
        (folder, component)
    };
    folders(&root.join("connectors")).expect("connectors").iter().map(open).collect()
}

/// Egress, whose live runs are answered by fixtures.
struct Vendors {
    egress: Arc<Egress>,
    /// By connection.
    scripts: Mutex<HashMap<String, VecDeque<Exchange>>>,
}

impl Gateway for Vendors {
    fn open(&self, scope: Scope, mode: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        if mode != Mode::Live {
            return self.egress.open(scope, mode, journal);
        }
        // What a fixture's account holds is prepared already.
        let left = match scope.stage {
            Stage::Prepare => VecDeque::new(),
            _ => self.scripts.lock().remove(&scope.connection).unwrap_or_default(),
        };
        let script = Arc::new(Script { manifest: scope.manifest.clone(), left: Mutex::new(left), journal });
        self.egress.open(scope, Mode::Replay, script)
    }

    fn ready_at(&self, _: &Scope, _: u32) -> Option<u64> {
        None
    }

    fn throttled(&self, _: &Scope, _: Option<&str>, _: Option<u32>) {}
}

/// The vendor's side of one run; what is said goes into the attempt's own journal.
struct Script {
    manifest: Arc<Manifest>,
    left: Mutex<VecDeque<Exchange>>,
    journal: Arc<dyn Journal>,
}

#[async_trait]
impl Journal for Script {
    fn recall(&self, key: &StepKey) -> Recall {
        let call = self.manifest.call(&key.call).expect("egress lets declared calls through only");
        let mut left = self.left.lock();
        let is_next = left.front().is_some_and(|exchange| exchange.request.call == key.call);
        let outcome = match left.pop_front().filter(|_| is_next) {
            Some(Exchange { response: Some(given), .. }) => {
                let readable = |name: &str| call.read_headers.iter().any(|header| header.eq_ignore_ascii_case(name));
                let headers =
                    given.headers.iter().filter(|(name, _)| readable(name)).map(|(name, value)| Pair::new(name.to_lowercase(), value));
                StepOutcome::Answered(Response { status: given.status, headers: headers.collect(), body: given.bytes() })
            }
            Some(Exchange { unanswered: Some(why), .. }) => StepOutcome::Unanswered(why),
            // Later attempts find the vendor away.
            _ => StepOutcome::Unanswered(Unanswered::Unreachable),
        };
        let good =
            matches!(&outcome, StepOutcome::Answered(answer) if (200..300).contains(&answer.status) || call.ok.contains(&answer.status));
        let request = ShownRequest { method: String::new(), url: String::new(), headers: Vec::new(), body: None };
        Recall::Record(Box::new(StepRecord {
            key: key.clone(),
            effect: call.effect,
            request,
            outcome,
            good,
            reused: false,
            at: 0,
            took_ms: 0,
        }))
    }

    fn resumed(&self) -> bool {
        self.journal.resumed()
    }

    async fn intend(&self, key: &StepKey, request: &ShownRequest) -> Result<(), JournalError> {
        self.journal.intend(key, request).await
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        self.journal.record(StepRecord { reused: false, ..step }).await
    }
}

/// Knows no name, so nothing can be dialled.
struct NoNames;

#[async_trait]
impl Resolve for NoNames {
    async fn resolve(&self, _name: &str) -> Result<Vec<std::net::IpAddr>, ResolveError> {
        Err(ResolveError::NotFound)
    }
}
