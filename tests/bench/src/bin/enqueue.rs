//! Durable acknowledged jobs per second with 64 clients, each enqueuing one job at a time and waiting for the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use crm_bench::{commits, metrics, quantile, release_only, wire};
use crm_store::Store as _;
use crm_sync::context::Config;

const CLIENTS: usize = 64;

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() -> Result<()> {
    release_only()?;
    let seconds = std::env::args().nth(1).map_or(Ok(5), |s| s.parse()).context("usage: enqueue [SECONDS]")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{}", runtime.block_on(measure(Duration::from_secs(seconds)))?);
    Ok(())
}

async fn measure(span: Duration) -> Result<String> {
    // No call is made, so any loopback address does.
    let metrics = metrics()?;
    let bench = Arc::new(wire("http://127.0.0.1:9/1", Config::default()).await?);
    let lanes = Arc::new(bench.connections(CLIENTS).await?);
    let before = commits(&metrics);
    let start = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let (bench, lanes) = (bench.clone(), lanes.clone());
        clients.spawn(async move {
            let mut waits = Vec::new();
            while start.elapsed() < span {
                let job = bench.job(&lanes[client], client * 10_000_000 + waits.len());
                let asked = Instant::now();
                bench.store.commit(Vec::new(), vec![job]).await?;
                waits.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            Ok::<_, crm_store::StoreError>(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(client) = clients.join_next().await {
        waits.extend(client??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let made = commits(&metrics) - before;
    waits.sort_unstable();
    Ok(format!(
        "enqueue: {} jobs acknowledged on disk, {CLIENTS} clients\njobs/s      {:.0}\ncommits/s   {:.0}\np50 / p99   {:.2} / {:.2} ms",
        waits.len(),
        waits.len() as f64 / seconds,
        made as f64 / seconds,
        quantile(&waits, 0.5) as f64 / 1000.0,
        quantile(&waits, 0.99) as f64 / 1000.0,
    ))
}
