//! How much of each vendor's allowance the host uses, and whether it ever asks for more: for every connector the whole host, in virtual
//! time, against a vendor that enforces each limit of its manifest on arrival. Windows of a day are run through in seconds, and the
//! figures do not depend on the machine or on how this was built. Left out are credentials, the disk (the store is its own model) and
//! limits that no sync draws on.
//!
//! `limiter [SLUG...]`: only these; `--latency MS`: how long a vendor takes to answer (default 10). A slot stays taken until one window
//! after the answer, so of a window of W ms at most W / (W + latency) can be used: that is the price of never asking for too much. Exits
//! with 1 when a vendor that publishes a limit is used below 98 %, or refuses a request.

mod allowance;
mod answers;
mod twin;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crm_bench::{Around, in_memory, root};
use crm_catalog::model::Manifest;
use crm_conformance::Folder;
use crm_contract::ports::{Clock, Guests};
use crm_contract::types::{Account, Person};
use crm_egress::{DevEndpoints, Egress, EgressConfig};
use crm_simulation::world::VirtualClock;
use crm_store::Store;
use crm_store::model::{Kind, NewJob, Purpose, Put, RecordKey};
use crm_store::model_store::MemoryModel;
use crm_sync::context::{Config, Context};
use crm_sync::domain::Connection;
use crm_sync::ids::new_id;
use crm_sync::worker::Workers;

use crate::answers::{Answers, address};
use crate::twin::Twin;
use crate::world::{MIDNIGHT, Pace, WithoutKeys};

const ORGANIZATION: &str = "org_bench";
const LANE: &str = "con_bench";
/// What a limit must be used to.
const ENOUGH: f64 = 0.98;
/// Calls that one vendor's run is planned for; a window that holds more is run through once.
const CALLS: u64 = 20_000;
const MOST_WINDOWS: u64 = 100;
const WORKERS: u32 = 256;
/// Syncs that wait, besides twice as many as went since the last look.
const WAITING: u64 = 24;

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() -> Result<ExitCode> {
    let (mut slugs, mut latency) = (Vec::new(), 10);
    let mut args = std::env::args().skip(1);
    while let Some(word) = args.next() {
        match word.as_str() {
            "--latency" => latency = args.next().context("--latency MS")?.parse()?,
            _ => slugs.push(word),
        }
    }
    let mut folders = crm_conformance::folders(&root().join("connectors"))?;
    folders.retain(|dir| slugs.is_empty() || slugs.iter().any(|slug| dir.ends_with(slug)));
    ensure!(!folders.is_empty(), "no such connector");
    println!(
        "limiter: {} connectors, vendors answer after {latency} ms, an allowance is looked at over windows of its own length",
        folders.len()
    );
    println!("{:<18} {:<14} {:>18} {:>8} {:>8} {:>9} {:>7}", "connector", "limit", "allowance", "windows", "used", "calls", "429");
    let mut short = Vec::new();
    for dir in folders {
        let slug = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let run = run(&dir, Duration::from_millis(latency)).with_context(|| slug.clone())?;
        print!("{}", run.table);
        if let Some(why) = run.short {
            println!("{slug:<18} SHORT: {why}");
            short.push(slug);
        }
    }
    Ok(if short.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Ran {
    table: String,
    short: Option<String>,
}

fn run(dir: &Path, latency: Duration) -> Result<Ran> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(measure(dir, latency))
}

/// How long a vendor is watched.
#[derive(Clone, Copy)]
struct Plan {
    /// Windows of the longest limit that are left out at the start: the host meets the first one full. None where a window holds more
    /// calls than a run is planned for; what is used of the first one is then all that can be said.
    skipped: u64,
    windows: u64,
    per_s: u64,
}

impl Plan {
    fn of(manifest: &Manifest) -> Self {
        let counted = manifest.limits.iter().filter_map(|limit| Some((limit.per_s?, limit.requests?)));
        let (per_s, requests) = counted.max_by_key(|(per_s, requests)| (*per_s, *requests)).unwrap_or((30, CALLS));
        let windows = (CALLS / requests.max(1)).clamp(1, MOST_WINDOWS).min((7_200 / per_s).max(1));
        Self { skipped: u64::from(requests <= CALLS), windows, per_s }
    }

    /// A little longer than that, so that the seam between two windows is seen.
    fn lasts_s(self) -> u64 {
        (self.skipped + self.windows) * self.per_s + self.per_s / 50 + 2
    }
}

async fn measure(dir: &Path, latency: Duration) -> Result<Ran> {
    let folder = Folder::open(dir)?;
    let slug = folder.slug.clone();
    let mut manifest = folder.manifest.clone();
    manifest.endpoints.iter_mut().for_each(|endpoint| endpoint.auth = None);
    let manifest = Arc::new(manifest);
    let fixture = folder.fixtures.iter().find(|fixture| fixture.file.ends_with("/sync-new.json")).context("no sync-new.json")?;
    let mode = manifest.auth.first().map(|auth| auth.mode.clone()).unwrap_or_default();
    let answers = Answers::of(fixture, &mode)?;
    let job = answers.job.clone();

    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::at(MIDNIGHT));
    let (twin, url) = Twin::start(manifest.clone(), answers, clock.clone(), latency).await?;
    let store: Arc<dyn Store> = Arc::new(MemoryModel::new());
    let engine = in_memory()?;
    engine.load(std::fs::read(crm_test_support::connector(&slug)?)?).await?;
    let mut egress = EgressConfig::system("crm-host-bench/0.1", clock.clone())?;
    let points = manifest.endpoints.iter().map(|endpoint| format!("{slug}.{}={url}{}", endpoint.name, path_of(&endpoint.url)));
    egress.dev_endpoints = Some(DevEndpoints::parse(&points.collect::<Vec<_>>())?);
    let pace = Arc::new(Pace::default());
    tokio::spawn(pace.clone().keep());
    let guests = Arc::new(WithoutKeys { inner: engine as Arc<dyn Guests>, manifest: manifest.clone() });
    let gateway = Arc::new(Around::new(Egress::new(egress)?, move || pace.enter()));
    let config = Config { workers: WORKERS, ..Config::default() };
    let context = Context::new(store.clone(), guests, gateway, clock.clone(), config);

    let connection = Connection {
        mode: job.on.mode.clone(),
        settings: job.on.settings.clone(),
        picked: job.on.picked.clone(),
        facts: job.on.facts.clone(),
        bindings: job.on.tags.clone(),
        account: Account { id: Some("account".to_owned()), ..Account::default() },
        ..Connection::new(LANE, ORGANIZATION, &slug, "bench", clock.now_ms())
    };
    let record = RecordKey { organization: ORGANIZATION.into(), kind: Kind::Connection, id: LANE.into() };
    let put = Put { record, expect: Some(0), json: Some(serde_json::to_string(&connection)?), unique: Vec::new() };
    store.commit(vec![put], Vec::new()).await?;
    store.seal(&connection.whose(), BTreeMap::from([("none".to_owned(), "none".to_owned())])).await?;

    let plan = Plan::of(&manifest);
    let end = tokio::time::Instant::now() + Duration::from_secs(plan.lasts_s());
    let workers = Workers::start(context.clone());
    let mut feeder = Feeder { context: context.clone(), job, made: 0, last: 0 };
    while tokio::time::Instant::now() < end {
        feeder.feed().await?;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    workers.abort().await;
    let troubles = feeder.troubles().await?;
    Ok(report(&slug, &twin, plan, &troubles))
}

/// Keeps enough syncs waiting, and what has ended out of memory.
struct Feeder {
    context: Context,
    job: crm_contract::types::Job,
    made: u64,
    last: u64,
}

impl Feeder {
    async fn feed(&mut self) -> Result<()> {
        let store = self.context.store.clone();
        let counts = store.counts(ORGANIZATION, "con_", None).await?;
        let waiting = counts.pending + counts.retrying;
        // Twice what went since the last look.
        let wanted = 2 * (self.last.saturating_sub(waiting)) + WAITING;
        if waiting < wanted {
            let jobs = (waiting..wanted).map(|_| self.next()).collect();
            store.commit(Vec::new(), jobs).await?;
        }
        self.last = waiting.max(wanted);
        if counts.succeeded > 0 {
            let filter = crm_store::model::JobFilter { state: Some(crm_store::model::JobState::Succeeded), ..Default::default() };
            let ended = store.jobs(ORGANIZATION, &filter, None, 10_000).await?;
            let contacts: Vec<(String, String)> = ended.iter().map(|job| (job.new.contact_lane(), job.new.who.email.clone())).collect();
            let ids: Vec<String> = ended.into_iter().map(|job| job.new.id).collect();
            store.erase(ORGANIZATION, &ids, &contacts, Vec::new()).await?;
        }
        Ok(())
    }

    fn next(&mut self) -> NewJob {
        self.made += 1;
        let (now, email) = (self.context.now(), address(self.made));
        NewJob {
            campaign: "cmp_bench".into(),
            affiliate: format!("aff_{}", self.made),
            dedupe: format!("{LANE}/cmp_bench/{email}"),
            exclusive: format!("{LANE}/{email}"),
            who: Person { email, ..self.job.who.clone() },
            set: self.job.set.clone(),
            all: self.job.all.clone(),
            ..NewJob::new(new_id("job", now), ORGANIZATION, LANE, Purpose::Sync, now)
        }
    }

    /// Syncs that did not go as the fixture says, if any.
    async fn troubles(&self) -> Result<Vec<String>> {
        let jobs = self.context.store.jobs(ORGANIZATION, &Default::default(), None, 10_000).await?;
        let mut said: Vec<String> = jobs.iter().filter_map(|job| job.trouble.as_ref().map(|trouble| format!("{trouble:?}"))).collect();
        said.sort();
        said.dedup();
        said.truncate(3);
        Ok(said)
    }
}

fn report(slug: &str, twin: &Twin, plan: Plan, troubles: &[String]) -> Ran {
    let state = twin.state.lock();
    let (mut table, mut best) = (String::new(), 0.0_f64);
    for allowance in state.limits.iter().filter(|allowance| allowance.is_used()) {
        let limit = &allowance.limit;
        // As many of this limit's own windows as fit.
        let whole = ((plan.skipped + plan.windows) * plan.per_s / limit.per_s.unwrap_or(plan.per_s).max(1)).max(plan.skipped + 1);
        let (share, counted) = allowance.share(plan.skipped, whole);
        best = best.max(share);
        let amount = match (limit.requests, limit.concurrency) {
            (Some(requests), _) => format!("{requests} / {} s", limit.per_s.unwrap_or(1)),
            (None, Some(most)) => format!("{most} at once ({})", allowance.most_at_once()),
            (None, None) => "none".to_owned(),
        };
        let (calls, refused) = (state.calls, state.refused);
        table += &format!("{slug:<18} {:<14} {amount:>18} {counted:>8} {:>7.2}% {calls:>9} {refused:>7}\n", limit.name, share * 100.0);
    }
    if state.limits.is_empty() {
        table += &format!("{slug:<18} {:<14} {:>18} {:>8} {:>8} {:>9} {:>7}\n", "(none published)", "", "", "", state.calls, state.refused);
    }
    let mut why = Vec::new();
    if !state.limits.is_empty() && best < ENOUGH {
        why.push(format!("its best used limit stands at {:.2} %", best * 100.0));
    }
    if state.refused > 0 {
        why.push(format!("{} requests were refused", state.refused));
    }
    if !state.unknown.is_empty() {
        why.push(format!("requests that no exchange is like: {}", state.unknown.join(", ")));
    }
    if !troubles.is_empty() {
        why.push(format!("syncs said: {}", troubles.join("; ")));
    }
    Ran { table, short: (!why.is_empty()).then(|| why.join("; ")) }
}

/// The path with which an endpoint's URL ends: `https://api.example.com/1` -> `/1`.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}
