//! What the sandbox costs: the same connector run as a component and natively, over the same egress against the same twin,
//! turn by turn in one run. Prints the ratio of the medians.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use crm_bench::{API_KEY, APP_ID, Bench, quantile, release_only, wire};
use crm_catalog::model::Stage;
use crm_connector_sdk::native;
use crm_contract::ports::{GuestLog, Journal, JournalError, LogLevel, Mode, Outbound, Recall, Scope, ShownRequest, StepKey, StepRecord};
use crm_contract::types::{Answer, Connection, Ending, Invocation, Job, Person};
use crm_store::{Store as _, Whose};
use crm_sync::context::Config;
use crm_twins::ontraport::{Twin, TwinConfig};

mod natively;

/// Keeps nothing: both sides pay the same for it.
struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    fn recall(&self, _: &StepKey) -> Recall {
        Recall::Nothing
    }
    fn resumed(&self) -> bool {
        false
    }
    async fn intend(&self, _: &StepKey, _: &ShownRequest) -> Result<(), JournalError> {
        Ok(())
    }
    async fn record(&self, _: StepRecord) -> Result<(), JournalError> {
        Ok(())
    }
}

struct NoLog;

impl GuestLog for NoLog {
    fn line(&self, _: LogLevel, _: &str) {}
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() -> Result<()> {
    release_only()?;
    let rounds: usize = std::env::args().nth(1).map_or(Ok(3_000), |s| s.parse()).context("usage: sandbox-tax [ROUNDS]")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let twin = runtime.block_on(Twin::start(TwinConfig {
        app_id: APP_ID.into(),
        api_key: API_KEY.into(),
        allowance: None,
        ..TwinConfig::default()
    }))?;
    let bench = runtime.block_on(wire(&format!("{}/1", twin.base_url), Config::default()))?;
    let lane = runtime.block_on(bench.connections(1))?.remove(0);
    let mut wasm = Vec::with_capacity(rounds);
    let mut plain = Vec::with_capacity(rounds);
    for n in 0..rounds + 200 {
        let job = job(n);
        let a = Instant::now();
        runtime.block_on(in_wasm(&bench, &lane, job.clone()))?;
        let a = a.elapsed();
        let b = Instant::now();
        let outbound = outbound(&bench, &lane);
        let handle = runtime.handle().clone();
        let handler = Box::new(move |request| natively::answer(handle.block_on(outbound.send(natively::request(request)))));
        natively::check(native::with(handler, || natively::sync(&job)))?;
        let b = b.elapsed();
        // The first rounds warm connections and caches.
        if n >= 200 {
            wasm.push(u64::try_from(a.as_nanos())?);
            plain.push(u64::try_from(b.as_nanos())?);
        }
    }
    wasm.sort_unstable();
    plain.sort_unstable();
    let us = |ns: u64| ns as f64 / 1000.0;
    println!(
        "sandbox-tax: {rounds} whole syncs each, two calls over one egress, turn by turn\n\
         component  p50 {:.0} us  p99 {:.0} us\nnative     p50 {:.0} us  p99 {:.0} us\nratio of medians {:.3}",
        us(quantile(&wasm, 0.5)),
        us(quantile(&wasm, 0.99)),
        us(quantile(&plain, 0.5)),
        us(quantile(&plain, 0.99)),
        quantile(&wasm, 0.5) as f64 / quantile(&plain, 0.5) as f64,
    );
    Ok(())
}

fn job(n: usize) -> Job {
    let email = format!("affiliate{}@example.com", n % 500);
    let who = Person { email, first: Some("Ann".into()), last: Some("Lee".into()), approved_at: 1_800_000_000, ..Person::default() };
    let tags = vec!["Rekomi affiliate".to_owned(), "Summer campaign".to_owned()];
    Job { on: Connection::default(), who, set: tags.clone(), all: tags, ..Job::default() }
}

fn outbound(bench: &Bench, lane: &str) -> Arc<dyn Outbound> {
    let whose =
        Whose { organization: bench.organization.clone(), connection: lane.to_owned(), connector: "ontraport".into(), host: String::new() };
    let scope = Scope {
        manifest: bench.manifest.clone(),
        organization: bench.organization.clone(),
        connection: lane.to_owned(),
        account: Some("account".into()),
        choice: None,
        on: Connection::default(),
        stage: Stage::Sync,
        credentials: bench.store.credentials(&whose),
        after_unknown: false,
    };
    bench.context.gateway.open(scope, Mode::Live, Arc::new(NoJournal))
}

async fn in_wasm(bench: &Bench, lane: &str, job: Job) -> Result<()> {
    let answer = bench.context.guests.call(&bench.digest, Invocation::SyncContact { job }, outbound(bench, lane), Arc::new(NoLog)).await?;
    let Answer::Report(report) = answer else { bail!("another function answered") };
    ensure!(matches!(report.ending, Ending::Done(_)), "the sync failed: {:?}", report.ending);
    Ok(())
}
