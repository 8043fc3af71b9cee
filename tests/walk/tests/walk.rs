//! "A script that uses only `/openapi.json` and a generic client walks the whole merchant story": the real host, the vendor's twin, and a
//! client that shares no line with either.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use crm_test_support::{HostOptions, HostProcess, TwinOptions, TwinProcess, connector, create_organization, run_logged, skipped};
use crm_walk_tests::Python;

const SLUG: &str = "ontraport";
const WHO: &str = "the merchant's walk in Python";
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn a_generic_client_walks_the_whole_merchant_story() -> Result<()> {
    let python = match Python::installed() {
        Ok(python) => python,
        Err(why) => {
            skipped(WHO, why);
            return Ok(());
        }
    };
    let dir = tempfile::tempdir().context("no temp directory")?;
    let twin = TwinProcess::start(SLUG, &TwinOptions { flags: vec!["--unlimited".into()] }, &dir.path().join("twin.log"))?;
    // One connector is enough, and is compiled fast.
    let connectors = dir.path().join("connectors");
    fs::create_dir(&connectors).context("no folder for the connector")?;
    fs::copy(connector(SLUG)?, connectors.join(format!("{SLUG}.wasm"))).context("the connector cannot be copied")?;
    let options = HostOptions { connectors: Some(connectors), ..HostOptions::new(&dir.path().join("data")) }
        .dev_endpoint(&format!("{SLUG}.api"), &twin.api_url)
        // The merchant's webhook endpoint is on this machine.
        .dev_endpoint("webhooks", "http://127.0.0.1");
    let (merchant, stranger) = (create_organization(&options, "Acme Academy")?, create_organization(&options, "Somebody else")?);
    let host = HostProcess::start(options)?;

    let mut walk = python.script("walk.py");
    walk.env("CRM_WALK_HOST", &host.base_url).env("CRM_WALK_KEY", &merchant.key).env("CRM_WALK_STRANGER", &stranger.key);
    walk.env("CRM_WALK_TWIN", &twin.base_url).env("CRM_WALK_CREDENTIALS", twin.ready["connect"]["credentials"].to_string());
    told(walk, dir.path(), &host)
}

fn told(walk: Command, dir: &std::path::Path, host: &HostProcess) -> Result<()> {
    let log = dir.join("walk.log");
    let outcome = run_logged(walk, &log, LIMIT);
    let said = fs::read_to_string(&log).unwrap_or_default();
    outcome.with_context(|| format!("the walk failed. It said:\n{said}\nThe host said at last:\n{}", last_lines(&host.logs(), 20)))?;
    let summary = said.lines().last().unwrap_or_default();
    anyhow::ensure!(summary.starts_with('{'), "the walk ended without its summary:\n{said}");
    // The harness keeps what `eprintln!` says of a test that passes to itself.
    writeln!(std::io::stderr(), "the walk: {summary}").unwrap_or_default();
    Ok(())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[test]
fn the_generic_client_finds_what_the_document_does_not_say() -> Result<()> {
    let python = match Python::installed() {
        Ok(python) => python,
        Err(why) => {
            skipped("the walk's own tests in Python", why);
            return Ok(());
        }
    };
    let dir = tempfile::tempdir().context("no temp directory")?;
    run_logged(python.script("self_test.py"), &dir.path().join("self_test.log"), LIMIT)
}
