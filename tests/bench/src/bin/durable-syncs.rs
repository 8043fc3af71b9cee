//! Durable two-call syncs per second against the unlimited twin, with everything (host, store, twin) on this machine's
//! cores. Prints syncs/s, commits/s, latency quantiles and where the time goes.

use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crm_bench::{API_KEY, APP_ID, commits, cpu_seconds, metrics, quantile, release_only, wire};
use crm_store::Store as _;
use crm_sync::context::Config;
use crm_sync::worker::Workers;
use crm_twins::ontraport::{Twin, TwinConfig};

const CONNECTIONS: usize = 64;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("twin") => twin(),
        jobs => {
            release_only()?;
            let jobs = jobs.map_or(Ok(20_000), str::parse).context("usage: durable-syncs [JOBS]")?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run(jobs))
        }
    }
}

/// The vendor, in a process of its own so that its CPU time is told apart.
#[expect(clippy::print_stdout, reason = "its address is what the parent reads")]
fn twin() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = TwinConfig { app_id: APP_ID.into(), api_key: API_KEY.into(), allowance: None, ..TwinConfig::default() };
        let twin = Twin::start(config).await?;
        println!("{}", twin.base_url);
        twin.forever().await;
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
async fn run(jobs: usize) -> Result<()> {
    let mut vendor = Command::new(std::env::current_exe()?).arg("twin").stdout(Stdio::piped()).spawn()?;
    let out = vendor.stdout.take().context("piped")?;
    let mut base = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut base)?;
    let result = measure(jobs, base.trim()).await;
    vendor.kill()?;
    vendor.wait()?;
    println!("{}", result?);
    Ok(())
}

async fn measure(jobs: usize, base: &str) -> Result<String> {
    let config = Config { workers: 256, ..Config::default() };
    let metrics = metrics()?;
    let bench = wire(&format!("{base}/1"), config).await?;
    let lanes = bench.connections(CONNECTIONS).await?;
    let enqueue = Instant::now();
    for chunk in (0..jobs).collect::<Vec<_>>().chunks(512) {
        let new = chunk.iter().map(|n| bench.job(&lanes[n % CONNECTIONS], *n)).collect();
        bench.store.commit(Vec::new(), new).await?;
    }
    let enqueued = enqueue.elapsed();
    let commits_before = commits(&metrics);
    let (user, system) = cpu_seconds();
    let start = Instant::now();
    let workers = Workers::start(bench.context.clone());
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let counts = bench.store.counts(&bench.organization, "con_", None).await?;
        ensure!(counts.failed == 0, "{} syncs failed", counts.failed);
        if counts.succeeded == jobs as u64 {
            break;
        }
    }
    let took = start.elapsed();
    let (user, system) = {
        let (u, s) = cpu_seconds();
        (u - user, s - system)
    };
    let made = commits(&metrics) - commits_before;
    workers.drain(Duration::from_secs(5)).await?;
    let mut attempts = Vec::with_capacity(jobs);
    let mut before: Option<String> = None;
    loop {
        let page = bench.store.jobs(&bench.organization, &Default::default(), before.as_deref(), 500).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.new.id.clone());
        for job in &page {
            for attempt in bench.store.attempts(&bench.organization, &job.new.id).await? {
                attempts.push(attempt.ended - attempt.started);
            }
        }
    }
    attempts.sort_unstable();
    let seconds = took.as_secs_f64();
    let per = |ns: &std::sync::atomic::AtomicU64, n: u64| ns.load(Ordering::Relaxed) as f64 / n.max(1) as f64 / 1000.0;
    let runs = bench.clocks.guest_runs.load(Ordering::Relaxed);
    let sends = bench.clocks.sends.load(Ordering::Relaxed);
    let guest = per(&bench.clocks.guest_ns, runs);
    let send = per(&bench.clocks.send_ns, runs);
    Ok(format!(
        "durable-syncs: {jobs} syncs, {sends} calls, {CONNECTIONS} connections\n\
         syncs/s            {:.0}\ncommits/s          {:.0}  ({:.1} syncs a commit)\n\
         attempt p50 / p99  {} / {} ms (claim on disk to report)\n\
         a sync's time      {guest:.0} us in the guest call, of which {send:.0} us in egress.send (checks, journal, network, vendor)\n\
         host CPU           {:.0} us a sync ({:.0} user, {:.0} system)\n\
         enqueue            {:.0} jobs/s in batches of 512",
        jobs as f64 / seconds,
        made as f64 / seconds,
        jobs as f64 / made.max(1) as f64,
        quantile(&attempts, 0.5),
        quantile(&attempts, 0.99),
        (user + system) * 1e6 / jobs as f64,
        user * 1e6 / jobs as f64,
        system * 1e6 / jobs as f64,
        jobs as f64 / enqueued.as_secs_f64(),
    ))
}
