//! `crm-host serve`: start in order, serve until told to stop, stop in order. A broken store ends the process with code 75,
//! so that a supervisor starts it anew on what is on disk.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use crm_api::{ApiState, Serving, Shutdown};
use crm_contract::ports::Guests as _;
use crm_egress::{Egress, EgressConfig};
use crm_store::Store;
use crm_store::sled_store::SledStore;
use crm_sync::context::{Config, Context};
use crm_sync::quota::Rate;
use crm_sync::services::gate::{Gate, GateConfig};
use crm_sync::services::releases;
use crm_sync::worker::Workers;
use crm_sync::worker::imports::Imports;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::ServeArgs;
use crate::folder::{self, Folder};
use crate::wire::{self, SystemClock};

/// `EX_TEMPFAIL`: start me again.
const BROKEN: u8 = 75;
/// A commit that takes longer than this never ends.
const HUNG: Duration = Duration::from_secs(10);

pub(crate) fn run(args: ServeArgs) -> Result<ExitCode> {
    rustix::process::setrlimit(rustix::process::Resource::Core, rustix::process::Rlimit { current: Some(0), maximum: Some(0) })
        .context("core dumps cannot be switched off")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the async runtime cannot be started")?;
    runtime.block_on(serve(args))
}

async fn serve(args: ServeArgs) -> Result<ExitCode> {
    let key = wire::master_key(&args.data)?;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().context("metrics cannot be set up")?;
    let store = wire::open_store(&args.data, &key)?;
    metrics::counter!("crm_attempts_interrupted_total").absolute(store.interrupted_at_open());
    let engine = wire::engine(&args.data.data, &key, &args.allow_wasi)?;
    let clock = Arc::new(SystemClock);
    let egress = Egress::new(egress_config(&args, clock.clone())?).context("egress cannot be started")?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr().context("the listening address is unknown")?;
    let shelf = wire::open_shelf(&args, engine.clone())?;
    // What the operator sets for connectors is held against their manifests, so they are loaded first.
    let early =
        Context::new(store.clone(), engine.clone(), egress.clone(), clock.clone(), self::config(&args)).with_releases(shelf.clone());
    let folder = connectors(&args, &early).await?;
    let manifests: Vec<_> = engine.loaded().into_iter().map(|(_, manifest)| manifest).collect();
    let config = Config {
        public_url: public_url(&args, address)?,
        operator: Arc::new(crate::operator::read(args.operator_credentials.as_deref(), &manifests)?),
        ..config(&args)
    };
    let spool = wire::open_spool(&args.data.data)?;
    let context =
        Context::new(store.clone(), engine, egress.clone(), clock, config).with_spool(Arc::new(spool)).sending(egress).with_releases(shelf);
    let draining = Arc::new(AtomicBool::new(false));
    let gate = Arc::new(Gate::new(GateConfig { key: Rate::per_minute(args.api_rate), ..GateConfig::default() }));
    let render = Arc::new(move || metrics.render());
    let state = ApiState { ctx: context.clone(), gate: gate.clone(), metrics: render, draining: draining.clone() };
    let secure_cookies = args.secure_cookies || context.config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let pages = crm_web::router(crm_web::WebState { ctx: context.clone(), gate, secure_cookies });
    let limits = crm_api::Limits { file_bytes: args.import_bytes, connector_bytes: wire::most_bytes(), ..crm_api::Limits::default() };
    let router = crm_api::router_with(state, limits).merge(pages);
    let stop = CancellationToken::new();
    let shutdown = Shutdown::on(stop.clone().cancelled_owned()).grace(Duration::from_secs(5));
    // Before the API: an upload that seems under way now was cut off by a crash.
    let mut imports = Imports::start(context.clone()).await.context("unfinished imports cannot be taken up")?;
    let serving = Serving { trusted_proxies: args.trusted_proxies, ..Serving::default() };
    let server = tokio::spawn(crm_api::serve_with(listener, router, serving, shutdown));
    let mut workers = Workers::start(context.clone());
    let keeper = tokio::spawn(crate::retention::keep(store.clone(), context.clone(), args.keep_days, stop.clone()));
    let every = Duration::from_secs(args.watch);
    let watcher =
        (args.watch > 0).then(|| tokio::spawn(folder::watch(context.clone(), folder, every, wire::most_bytes() as u64, stop.clone())));
    announce(address)?;

    let broken = tokio::select! {
        () = told_to_stop()? => false,
        gone = workers.gone() => {
            tracing::error!(error = %gone, "stopping: the store failed");
            true
        }
        gone = imports.gone() => {
            tracing::error!(error = %gone, "stopping: the store failed");
            true
        }
        () = broken_store(&store) => true,
    };
    draining.store(true, Ordering::Relaxed);
    if broken {
        // No further write may follow an I/O error.
        return Ok(ExitCode::from(BROKEN));
    }
    tracing::info!("draining");
    let patience = Duration::from_secs(args.drain);
    let (drained, stopped) = tokio::join!(workers.drain(patience), imports.drain(patience));
    if let Err(error) = drained.and(stopped) {
        tracing::error!(%error, "the workers did not drain");
        return Ok(ExitCode::from(BROKEN));
    }
    stop.cancel();
    drop(tokio::time::timeout(Duration::from_secs(6), server).await);
    keeper.abort();
    if let Some(watcher) = watcher {
        watcher.abort();
    }
    store.close().await.context("the store did not close cleanly; what was acknowledged is on disk")?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Loads the versions on record, and takes what lies in the folder.
async fn connectors(args: &ServeArgs, context: &Context) -> Result<Arc<Mutex<Folder>>> {
    let started = releases::start(context).await.context("the versions of connectors cannot be taken up")?;
    tracing::info!(loaded = started.loaded, refused = started.refused, swept = started.swept, "connector versions");
    let folder = Arc::new(Mutex::new(Folder::new(&args.connectors)));
    if let Err(error) = folder::take(context, &folder, false, wire::most_bytes() as u64).await {
        tracing::warn!("{error:#}; name another with --connectors");
    }
    if context.guests.loaded().is_empty() {
        tracing::warn!(folder = %args.connectors.display(), "no connector is installed: put one into the folder, or `crm-host connector install` one");
    }
    Ok(folder)
}

/// One JSON line on standard output: for scripts that chose port 0.
#[expect(clippy::print_stdout, reason = "the ready line is this command's output")]
fn announce(address: std::net::SocketAddr) -> Result<()> {
    use std::io::Write as _;
    println!("{}", serde_json::json!({ "event": "ready", "url": format!("http://{address}") }));
    std::io::stdout().flush().context("standard output is closed")?;
    tracing::info!(%address, "ready");
    Ok(())
}

/// Where browsers are sent back to. A host on loopback can only be meant for browsers of this machine.
fn public_url(args: &ServeArgs, address: std::net::SocketAddr) -> Result<Option<String>> {
    let Some(url) = &args.public_url else {
        return Ok(address.ip().is_loopback().then(|| format!("http://{address}")));
    };
    let url = url.trim_end_matches('/');
    let rest =
        url.strip_prefix("https://").or_else(|| url.strip_prefix("http://127.0.0.1")).or_else(|| url.strip_prefix("http://localhost"));
    let loopback_ends = url.starts_with("https://") || rest.is_some_and(|r| r.is_empty() || r.starts_with([':', '/']));
    let plain = loopback_ends && rest.is_some_and(|r| !r.contains(['?', '#', '@', '"', '<', '>', ' ', '\\']));
    anyhow::ensure!(plain, "--public-url {url:?} must be an https:// address without query (http:// on loopback only)");
    Ok(Some(url.to_owned()))
}

fn config(args: &ServeArgs) -> Config {
    let mut config =
        Config { workers: args.workers.max(1), audit_days: args.keep_audit_days, replay_gate: args.replay_gate, ..Config::default() };
    if !args.retry_schedule.is_empty() {
        config.retry_schedule_s.clone_from(&args.retry_schedule);
    }
    config
}

fn egress_config(args: &ServeArgs, clock: Arc<SystemClock>) -> Result<EgressConfig> {
    let config = EgressConfig::system(&args.user_agent, clock).context("egress cannot be configured")?;
    #[cfg(feature = "dev-endpoints")]
    let config = {
        let mut config = config;
        if !args.dev_endpoint.is_empty() {
            tracing::warn!(endpoints = ?args.dev_endpoint, "DEVELOPMENT BUILD: these endpoints go to loopback; never serve merchants with this");
        }
        config.dev_endpoints = Some(crm_egress::DevEndpoints::parse(&args.dev_endpoint).context("--dev-endpoint cannot be used")?);
        config
    };
    Ok(config)
}

/// Completes on SIGTERM or SIGINT.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut int = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Completes when the store has failed for good, or hangs.
async fn broken_store(store: &SledStore) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        if let Some(busy) = store.busy_for().filter(|busy| *busy > HUNG) {
            tracing::error!(?busy, "stopping: the store has not finished a commit for too long");
            return;
        }
        if let Err(error @ crm_store::StoreError::Broken(_)) = store.health() {
            tracing::error!(%error, "stopping: the store failed");
            return;
        }
    }
}
