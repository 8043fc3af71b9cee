//! Serves the tests' world on a port of loopback that the system chooses, for tools that want a live API (`tests/api/schemathesis.sh`). Prints
//! one line of JSON with the address and the keys, and runs until its standard input ends.

use std::time::Duration;

use anyhow::Result;
use crm_api::{Serving, Shutdown};
use crm_api_tests::{Setup, World};
use crm_sync::quota::Rate;
use crm_sync::services::gate::GateConfig;
use crm_sync::worker::Workers;
use serde_json::json;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<()> {
    // A tool asks thousands of times, also with wrong keys: limits high enough to be there and not to be met.
    let gate = GateConfig { key: Rate::per_minute(1_000_000), wrong: Rate::per_minute(1_000_000) };
    let world = World::set_up(Setup { gate, running: true, ..Setup::default() }).await?;
    let connection = world.connect().await?;
    let campaign = world.campaign("spring-sale", &["Spring"]).await?;
    world.affiliate(&campaign, "zoe@example.com").await?;
    let workers = Workers::start(world.ctx.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&json!({
        "url": format!("http://{}", listener.local_addr()?),
        "key": world.ann.key,
        "read_key": world.ann.read_key,
        "connection": connection,
        "campaign": campaign,
    }))?;
    let (end, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _closed_is_the_end_too = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        end.send(())
    });
    let ended = async {
        let _either_way = ended.await;
    };
    crm_api::serve_with(listener, world.router.clone(), Serving::default(), Shutdown::on(ended).grace(Duration::from_secs(2))).await?;
    workers.drain(Duration::from_secs(2)).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the line is this program's output")]
fn say(line: &serde_json::Value) -> Result<()> {
    use std::io::Write as _;
    println!("{line}");
    std::io::stdout().flush()?;
    Ok(())
}
