//! A large import into the whole host, killed with SIGKILL on the way: every row ends in exactly one state, and memory stays small.
//! `CRM_IMPORT_ROWS` sets another size; the seed is printed. `cargo xtask bench import` runs it with a million rows.

use anyhow::{Result, ensure};
use crm_test_support::{HostOptions, ImportRun};

fn number(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the length of a test run is its caller's choice")]
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn an_import_that_is_killed_on_its_way_gives_every_row_one_result() -> Result<()> {
    let run = ImportRun { rows: number("CRM_IMPORT_ROWS", 20_000), check_kills: 1, kills: 2, seed: number("CRM_SEED", 20_261_124) };
    eprintln!("{run:?}");
    let dir = tempfile::tempdir()?;
    let report = run.run(dir.path(), HostOptions::new(&dir.path().join("data")))?;
    eprintln!("{report}");
    ensure!(report.peaks_kib.iter().all(|kib| *kib < 300 * 1024), "peak memory over 300 MiB: {report}");
    Ok(())
}
