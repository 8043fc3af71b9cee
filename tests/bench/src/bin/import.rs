//! A million rows into the host as a process, killed twice on the way: how long it takes, and the most memory that each process of it used.

use anyhow::{Context as _, Result, ensure};
use crm_bench::{release_only, root};
use crm_test_support::{HostOptions, ImportRun};

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() -> Result<()> {
    release_only()?;
    let mut args = std::env::args().skip(1);
    let rows = args.next().map_or(Ok(1_000_000), |n| n.parse()).context("usage: import [ROWS] [SEED]")?;
    let seed = args.next().map_or(Ok(1), |n| n.parse()).context("usage: import [ROWS] [SEED]")?;
    // Beside the build: on a real disk, where an fsync costs what it costs.
    let target = root().join("target/bench");
    std::fs::create_dir_all(&target)?;
    let dir = tempfile::tempdir_in(&target)?;
    let report = ImportRun { rows, check_kills: 0, kills: 2, seed }.run(dir.path(), HostOptions::new(&dir.path().join("data")))?;
    println!("{report}");
    ensure!(report.peaks_kib.iter().all(|kib| *kib < 300 * 1024), "peak memory over 300 MiB");
    Ok(())
}
