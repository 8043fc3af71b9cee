//! Runs one vendor's twin as a process of its own: for the demo, benches, `connector try` and by hand. Prints one JSON line
//! that says where it is and how to connect to it.

use std::process::ExitCode;

use clap::Parser;
use crm_twins::fleet::{self, Setup};

/// A local server that behaves like a vendor. Control pages are below /_twin/.
#[derive(Parser)]
struct Flags {
    /// Whose twin: the connector's slug.
    slug: String,
    /// Port on loopback; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Instead of the twin's own: `slot=value`.
    #[arg(long = "credential")]
    credentials: Vec<String>,
    /// No limit at all, instead of the vendor's.
    #[arg(long)]
    unlimited: bool,
    /// So many calls a minute in each window, instead of the vendor's limits; 0 = unlimited.
    #[arg(long)]
    per_minute: Option<u32>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    // One thread: the twin shares the machine with the host that it serves.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(run(flags))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crm-twin: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one line that tells the caller where to find it")]
async fn run(flags: Flags) -> std::io::Result<()> {
    let per_minute = if flags.unlimited { Some(0) } else { flags.per_minute };
    let credentials =
        flags.credentials.iter().filter_map(|pair| pair.split_once('=')).map(|(slot, value)| (slot.to_owned(), value.to_owned()));
    let twin = fleet::start(&flags.slug, &Setup { credentials: credentials.collect(), per_minute, port: flags.port }).await?;
    println!("{}", twin.ready);
    twin.forever().await;
    Ok(())
}
