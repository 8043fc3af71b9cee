//! `cargo xtask demo`: the main job on real input, end to end on this machine. A merchant connects an account, imports
//! affiliates and approves them; the vendor fails a tenth of the tag calls; half-way the host is killed. Nothing may be
//! lost, doubled or sent again without need.
//!
//! It drives the host by its public HTTP API alone, and the vendor's twin by its control pages.

mod data;
mod merchant;
mod names;
mod numbers;
mod story;
mod watch;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use crm_test_support::{HostOptions, HostProcess, TwinOptions, TwinProcess, create_organization};

use crate::build;
use crate::say;
use crate::workspace::Workspace;
use merchant::Merchant;
use numbers::Numbers;

#[derive(Args)]
pub(crate) struct Flags {
    /// Also print the summary as one last line of JSON
    #[arg(long)]
    json: bool,
    /// Lift the twin's rate limit
    #[arg(long)]
    fast: bool,
    /// Leave host and twin running, and say where they are
    #[arg(long)]
    keep: bool,
}

/// The connector that is shown.
const SLUG: &str = "ontraport";
/// Calls a minute that the twin grants unless `--fast`: enough for all of them within a minute.
const PER_MINUTE: u32 = 1_800;
/// Waits before attempts 2, 3, ... in seconds. A vendor that fails a tenth of the calls is met again soon.
const RETRY_SCHEDULE: &[u32] = &[1, 1, 2, 2, 4, 8, 8];

pub(crate) fn run(workspace: &Workspace, flags: &Flags) -> Result<()> {
    say::heading("build");
    build::all_connectors(workspace)?;
    workspace.build_host_and_twins()?;
    let csv_path = workspace.root.join(data::FILE);
    let csv = std::fs::read_to_string(&csv_path).with_context(|| format!("cannot read {}", csv_path.display()))?;

    let dir = tempfile::Builder::new().prefix("crm-demo-").tempdir().context("no temp directory")?;
    let twin = start_twin(flags, dir.path())?;
    let options = HostOptions {
        retry_schedule: RETRY_SCHEDULE.to_vec(),
        connectors: Some(workspace.connectors_out()),
        ..HostOptions::new(&dir.path().join("data")).dev_endpoint(&format!("{SLUG}.api"), &twin.api_url)
    };
    let key = create_organization(&options, "Demo Academy")?;
    let mut host = HostProcess::start(options)?;
    say::heading("start");
    say::note(&format!("vendor's twin at {}, host at {}, data in {}", twin.base_url, host.base_url, dir.path().display()));

    let outcome = perform(&mut host, &twin, &key.key, &csv);
    if outcome.is_err() {
        say::note(&format!("\nthe host's last words:\n{}", last_lines(&host.logs(), 15)));
    }
    if flags.keep {
        keep(dir, host, twin, &key.key);
    }
    let numbers = outcome?;
    say::heading("summary");
    for line in numbers.lines() {
        say::result(&line);
    }
    if flags.json {
        say::result(&numbers.json());
    }
    match numbers.complaints() {
        complaints if complaints.is_empty() => Ok(()),
        complaints => bail!("the demo failed: {}", complaints.join("; ")),
    }
}

/// Writes the affiliates' file anew.
pub(crate) fn write_data(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join(data::FILE);
    std::fs::write(&path, data::csv()).with_context(|| format!("cannot write {}", path.display()))
}

fn start_twin(flags: &Flags, dir: &Path) -> Result<TwinProcess> {
    let per_minute = if flags.fast { 0 } else { PER_MINUTE };
    let options = TwinOptions { flags: vec!["--per-minute".into(), per_minute.to_string()] };
    TwinProcess::start(SLUG, &options, &dir.join("twin.log"))
}

/// The whole story. The host's URL changes half-way.
fn perform(host: &mut HostProcess, twin: &TwinProcess, key: &str, csv: &str) -> Result<Numbers> {
    let merchant = Merchant::new(host.client().with_key(key));
    story::fill_account(twin)?;
    story::refused_connection(&merchant)?;
    let connection = story::connection(&merchant)?;
    story::tags_picker(&merchant, &connection)?;
    let campaign = story::campaign(&merchant)?;
    story::import(&merchant, &campaign, csv)?;
    let opted_out = story::earlier_contacts(&merchant, twin, &campaign)?;
    let calls_per_sync = story::preview(&merchant, &connection, &campaign)?;
    story::bad_weather(twin)?;

    say::heading("approve, sync, kill");
    let started = Instant::now();
    let approved = merchant.approve_all(&campaign)?;
    let killed = watch::until_half(&merchant, approved)?;
    host.kill9()?;
    watch::settle(twin)?;
    twin.steer("mark?name=kill", &serde_json::Value::Null)?;
    killed.say(host.pid());
    host.restart()?;
    let merchant = Merchant::new(host.client().with_key(key));
    let ended = watch::until_done(&merchant, approved, &killed)?;
    let took = started.elapsed();

    let facts = numbers::Facts { approved, took, calls_per_sync, opted_out, interrupted: merchant.interrupted()?, ended };
    Numbers::gather(facts, &merchant.syncs()?, twin)
}

fn keep(dir: tempfile::TempDir, host: HostProcess, twin: TwinProcess, key: &str) {
    say::heading("kept running");
    say::result(&format!("host    {}   (API below /v1, pages at /)", host.base_url));
    say::result(&format!("key     {key}"));
    say::result(&format!("twin    {}/_twin/state", twin.base_url));
    say::result(&format!("data    {}", dir.keep().display()));
    let (host, twin) = (host.leave(), twin.leave());
    say::result(&format!("end it  kill {host} {twin}"));
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
