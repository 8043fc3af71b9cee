//! Commands that fetch and unpack, with a limit of time and their output kept. Nothing that goes on running: that is
//! [`crate::Process`].

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Runs it to its end, its output appended to `log`.
///
/// # Errors
/// When it cannot be started, fails, or takes longer than `limit`: with the end of the log.
pub fn run_logged(mut command: Command, log: &Path, limit: Duration) -> Result<()> {
    let what = command.get_program().to_string_lossy().into_owned();
    let out = OpenOptions::new().create(true).append(true).open(log).with_context(|| format!("cannot write {}", log.display()))?;
    let errors = out.try_clone().context("cannot share the log file")?;
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn().with_context(|| format!("cannot start {what}"))?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("cannot look at the process")? {
            if status.success() {
                return Ok(());
            }
            bail!("{what} failed ({status}); {} says:\n{}", log.display(), tail(log));
        }
        if started.elapsed() > limit {
            child.kill().context("cannot kill the process")?;
            child.wait().context("cannot wait for the process")?;
            bail!("{what} took longer than {} s; {} says:\n{}", limit.as_secs(), log.display(), tail(log));
        }
        // Another process is waited for; the limit above bounds it.
        sleep(Duration::from_millis(50));
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
