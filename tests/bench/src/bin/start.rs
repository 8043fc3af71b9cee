//! How long a host with every connector installed takes to be ready, from its cache of compiled code, and how much memory it then holds.

use std::time::Instant;

use anyhow::{Context as _, Result};
use crm_bench::root;
use crm_test_support::{HostOptions, HostProcess};

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() -> Result<()> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(9), |n| n.parse()).context("usage: start [ROUNDS]")?;
    let target = root().join("target/bench");
    std::fs::create_dir_all(&target)?;
    let dir = tempfile::tempdir_in(&target)?;
    let mut host = HostProcess::start(HostOptions::new(&dir.path().join("data")))?;
    let mut took = Vec::new();
    let mut peak = 0;
    for _ in 0..rounds {
        host.sigterm()?;
        let began = Instant::now();
        host.restart()?;
        took.push(u64::try_from(began.elapsed().as_millis())?);
        peak = peak.max(resident(host.pid())?);
    }
    took.sort_unstable();
    let loaded = std::fs::read_dir(dir.path().join("data/versions"))?.count();
    println!(
        "start: {loaded} connectors, {rounds} starts from the cache: median {} ms, slowest {} ms; resident when ready at most {} MB",
        took[took.len() / 2],
        took[took.len() - 1],
        peak / 1024,
    );
    anyhow::ensure!(loaded > 0, "no connector was installed");
    Ok(())
}

/// Resident memory, in KiB.
fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    line.split_whitespace().nth(1).context("a figure")?.parse().context("a number")
}
