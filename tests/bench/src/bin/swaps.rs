//! What it costs a sync that versions come and go: the host as a process under steady load, in turn left alone, swapped a hundred times, and
//! sent new versions. The three are compared within one run, in rounds that take turns, so that a noisy machine is noisy to all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crm_bench::{quantile, root};
use crm_simulation::stage::{Stage, version};
use jiff::Timestamp;
use serde_json::Value;

/// Swaps of one round.
const SWAPS: u32 = 100;
const ROUND: Duration = Duration::from_secs(10);
/// Between two approvals.
const PACE: Duration = Duration::from_millis(40);
/// Versions sent in one round.
const INSTALLS: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Quiet,
    Swapping,
    Installing,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Quiet, Self::Swapping, Self::Installing];

    fn word(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Swapping => "swapping",
            Self::Installing => "installing",
        }
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() -> Result<()> {
    let rounds: u32 = std::env::args().nth(1).map_or(Ok(5), |n| n.parse()).context("usage: swaps [ROUNDS]")?;
    // Beside the build: on a real disk, where an fsync costs what it costs.
    let target = root().join("target/bench");
    std::fs::create_dir_all(&target)?;
    let stage = Arc::new(Stage::set_in(tempfile::tempdir_in(&target)?, &["--require-signatures", "none"])?);
    let mut next = 1;
    let digests = [install(&stage, &mut next)?, install(&stage, &mut next)?];
    let approved = Arc::new(AtomicU32::new(0));
    for _ in 0..rounds {
        for phase in Phase::ALL {
            let stop = Arc::new(AtomicBool::new(false));
            let merchant = load(stage.clone(), phase, approved.clone(), stop.clone());
            let began = Instant::now();
            match phase {
                Phase::Quiet => {}
                Phase::Swapping => swap(&stage, &digests, began)?,
                Phase::Installing => (0..INSTALLS).try_for_each(|_| install(&stage, &mut next).map(drop))?,
            }
            std::thread::sleep(ROUND.saturating_sub(began.elapsed()));
            stop.store(true, Ordering::Relaxed);
            merchant.join().map_err(|_| anyhow::anyhow!("the merchant panicked"))??;
        }
    }
    let succeeded = stage.settle()?;
    ensure!(succeeded == u64::from(approved.load(Ordering::Relaxed)), "{succeeded} syncs of {}", approved.load(Ordering::Relaxed));
    let state = stage.twin.look("state")?;
    ensure!(state["duplicates"] == 0 && state["resubscribed"] == 0, "{state}");
    let mut took = latencies(&stage)?;
    println!("swaps: {succeeded} syncs in {rounds} rounds; 0 lost, 0 failed, 0 duplicated; approval on disk to the sync's end, ms");
    let quiet = took.get_mut("quiet").map(|all| quantiles(all)).context("no quiet round")?;
    for phase in Phase::ALL {
        let Some((count, half, most)) = took.get_mut(phase.word()).map(|all| quantiles(all)) else { continue };
        println!(
            "{:<11} {count:>6} syncs  p50 {half:>5}  p99 {most:>5}  of quiet: p50 {:.2}, p99 {:.2}",
            phase.word(),
            half as f64 / quiet.1.max(1) as f64,
            most as f64 / quiet.2.max(1) as f64,
        );
    }
    Ok(())
}

fn quantiles(all: &mut [u64]) -> (usize, u64, u64) {
    all.sort_unstable();
    (all.len(), quantile(all, 0.5), quantile(all, 0.99))
}

fn install(stage: &Stage, next: &mut u32) -> Result<String> {
    let made = stage.install(&stage.file("next.wasm", &version(*next)?)?)?;
    *next += 1;
    Ok(made["id"].as_str().context("an id")?.to_owned())
}

/// Evenly over the round.
fn swap(stage: &Stage, digests: &[String], began: Instant) -> Result<()> {
    for swap in 0..SWAPS {
        let path = format!("/v1/admin/versions/{}/activate", digests[swap as usize % digests.len()]);
        stage.operator().post(&path, &Value::Null)?.good()?;
        std::thread::sleep((ROUND / SWAPS * (swap + 1)).saturating_sub(began.elapsed()));
    }
    Ok(())
}

/// Approves at a steady pace until told to stop. The address says in which phase.
fn load(stage: Arc<Stage>, phase: Phase, approved: Arc<AtomicU32>, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<Result<()>> {
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            let number = approved.fetch_add(1, Ordering::Relaxed);
            stage.approve(&format!("{}-{number}@example.com", phase.word()))?;
            std::thread::sleep(PACE.saturating_sub(began.elapsed()));
        }
        Ok(())
    })
}

/// Milliseconds from a sync's creation to its end, by phase.
fn latencies(stage: &Stage) -> Result<BTreeMap<String, Vec<u64>>> {
    let mut took: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut path = "/v1/syncs?limit=100".to_owned();
    loop {
        let page = stage.merchant().get(&path)?.good()?;
        for sync in page["data"].as_array().context("syncs")? {
            let at = |name: &str| -> Result<i64> { Ok(sync[name].as_str().context("a time")?.parse::<Timestamp>()?.as_millisecond()) };
            let phase = sync["email"].as_str().and_then(|email| email.split('-').next()).unwrap_or_default().to_owned();
            took.entry(phase).or_default().push(u64::try_from(at("finished")? - at("created")?)?);
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/syncs?limit=100&cursor={cursor}"),
            None => return Ok(took),
        }
    }
}
