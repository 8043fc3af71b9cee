//! Waiting with a progress bar: until half is done, and until all is.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use crm_test_support::TwinProcess;
use indicatif::{ProgressBar, ProgressStyle};

use super::merchant::{Counts, Merchant};
use crate::say;

/// How often the host is asked.
const LOOK: Duration = Duration::from_millis(10);
/// Longest time without any progress.
const PATIENCE: Duration = Duration::from_secs(90);

/// The moment before the kill.
pub(crate) struct Killed {
    counts: Counts,
    approved: u64,
}

impl Killed {
    pub(crate) fn say(&self, pid: u32) {
        let Counts { succeeded, open, .. } = self.counts;
        say::note(&format!(
            "SIGKILL to the host (process {pid}) with {succeeded} of {} done and {open} open; starting it again",
            self.approved
        ));
    }
}

pub(crate) fn until_half(merchant: &Merchant, approved: u64) -> Result<Killed> {
    let bar = bar(approved, 0);
    let counts = wait(merchant, &bar, |counts| counts.succeeded * 2 >= approved || counts.open == 0)?;
    bar.abandon();
    Ok(Killed { counts, approved })
}

pub(crate) fn until_done(merchant: &Merchant, approved: u64, killed: &Killed) -> Result<Counts> {
    let bar = bar(approved, killed.counts.succeeded);
    let counts = wait(merchant, &bar, |counts| counts.open == 0)?;
    bar.finish();
    Ok(counts)
}

/// What was on its way to the vendor when the host died still arrives there; wait until nothing does.
pub(crate) fn settle(twin: &TwinProcess) -> Result<()> {
    let mut before = None;
    loop {
        let calls = twin.look("state")?["calls_total"].as_u64();
        if calls == before {
            return Ok(());
        }
        before = calls;
        sleep(LOOK * 3);
    }
}

fn wait(merchant: &Merchant, bar: &ProgressBar, enough: impl Fn(&Counts) -> bool) -> Result<Counts> {
    let mut moved = Instant::now();
    let mut done = None;
    loop {
        let counts = merchant.counts()?;
        bar.set_position(counts.succeeded + counts.failed);
        bar.set_message(format!("{} retrying, {} failed", counts.retrying, counts.failed));
        if enough(&counts) {
            return Ok(counts);
        }
        if done.replace(counts.succeeded + counts.failed) != Some(counts.succeeded + counts.failed) {
            moved = Instant::now();
        }
        if moved.elapsed() > PATIENCE {
            bail!("no sync ended for {} s: {counts:?}", PATIENCE.as_secs());
        }
        sleep(LOOK);
    }
}

/// Hidden by itself where standard error is no terminal.
fn bar(length: u64, from: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_position(from);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
