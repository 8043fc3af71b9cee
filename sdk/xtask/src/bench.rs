//! `cargo xtask bench <name>`: the figures that the project promises. A bench that prints its own report is a binary of
//! `crm-bench`; a criterion bench belongs to its room. To add one, add a row to [`BENCHES`].

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build;
use crate::workspace::{Workspace, run as run_command};

#[derive(Args)]
pub(crate) struct Flags {
    /// engine, sandbox-tax, durable-syncs, enqueue, import, limiter, start or swaps
    name: String,
    /// Passed on to the bench
    #[arg(last = true)]
    rest: Vec<String>,
}

struct Bench {
    name: &'static str,
    /// Arguments of cargo up to the bench's own.
    cargo: &'static [&'static str],
    /// It runs connectors or the host.
    needs_product: bool,
    /// Guests of `tests/guests` that it calls.
    guests: &'static [&'static str],
}

const BENCHES: &[Bench] = &[
    Bench { name: "engine", cargo: &["bench", "-p", "crm-engine"], needs_product: false, guests: &["synthetic"] },
    Bench {
        name: "sandbox-tax",
        cargo: &["run", "--release", "-p", "crm-bench", "--bin", "sandbox-tax"],
        needs_product: true,
        guests: &[],
    },
    Bench {
        name: "durable-syncs",
        cargo: &["run", "--release", "-p", "crm-bench", "--bin", "durable-syncs"],
        needs_product: true,
        guests: &[],
    },
    Bench { name: "enqueue", cargo: &["run", "--release", "-p", "crm-bench", "--bin", "enqueue"], needs_product: true, guests: &[] },
    // Virtual time: its figures do not depend on how it was built.
    Bench { name: "limiter", cargo: &["run", "-p", "crm-bench", "--bin", "limiter"], needs_product: true, guests: &[] },
    // A million rows into the host as a process, killed twice: arguments are the number of rows and a seed.
    Bench { name: "import", cargo: &["run", "--release", "-p", "crm-bench", "--bin", "import"], needs_product: true, guests: &[] },
    // An argument is the number of starts.
    Bench { name: "start", cargo: &["run", "--release", "-p", "crm-bench", "--bin", "start"], needs_product: true, guests: &[] },
    // Ratios within one run of the host as it is built here; an argument is the number of rounds.
    Bench { name: "swaps", cargo: &["run", "-p", "crm-bench", "--bin", "swaps"], needs_product: true, guests: &[] },
];

pub(crate) fn run(workspace: &Workspace, flags: &Flags) -> Result<()> {
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == flags.name) else {
        let names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!("no bench `{}`; there are: {}", flags.name, names.join(", "));
    };
    if bench.needs_product {
        build::all_connectors(workspace).context("the bench runs connectors")?;
    }
    if !bench.guests.is_empty() {
        let mut command = workspace.cargo();
        command.args(["run", "-p", "crm-guests", "--bin", "crm-guests-build", "--"]).args(bench.guests);
        run_command("guests of the bench", command)?;
    }
    // Benches that look at the host from outside, and how it is built for them.
    let host: Option<&[&str]> = match bench.name {
        "import" | "start" => Some(&["build", "--release", "-p", "crm-app"]),
        "swaps" => Some(&["build", "--workspace", "--features", "crm-app/dev-endpoints", "--bin", "crm-host", "--bin", "crm-twin"]),
        _ => None,
    };
    if let Some(build) = host {
        let mut command = workspace.cargo();
        command.args(build);
        run_command("the host of the bench", command)?;
    }
    let mut command = workspace.cargo();
    command.args(bench.cargo).arg("--").args(&flags.rest);
    command.env("CRM_CONNECTORS_DIR", workspace.connectors_out());
    run_command(&format!("bench {}", bench.name), command)
}
