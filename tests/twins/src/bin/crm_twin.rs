//! Runs Ontraport's twin as a process of its own, for the demo, benches and by hand. Prints one JSON line with its URL.

use std::process::ExitCode;

use clap::Parser;
use crm_twins::Allowance;
use crm_twins::ontraport::{PER_MINUTE, Twin, TwinConfig};

/// A local server that behaves like Ontraport. Control pages are below /_twin/.
#[derive(Parser)]
struct Flags {
    /// Port on loopback; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[arg(long, default_value_t = TwinConfig::default().app_id)]
    app_id: String,
    #[arg(long, default_value_t = TwinConfig::default().api_key)]
    api_key: String,
    /// Calls a minute; 0 = unlimited.
    #[arg(long, default_value_t = PER_MINUTE)]
    per_minute: u32,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    // One thread: the twin shares the machine with the host that it serves.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(run(flags))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("twin-ontraport: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one line that tells the caller where to find it")]
async fn run(flags: Flags) -> std::io::Result<()> {
    let allowance = (flags.per_minute > 0).then(|| Allowance::per_minute(flags.per_minute));
    let config = TwinConfig { app_id: flags.app_id, api_key: flags.api_key, allowance, port: flags.port };
    let twin = Twin::start(config).await?;
    println!("{}", serde_json::json!({ "event": "ready", "url": twin.base_url, "api": format!("{}/1", twin.base_url) }));
    twin.forever().await;
    Ok(())
}
