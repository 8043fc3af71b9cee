//! The whole host under load, killed with SIGKILL at random points: what was acknowledged is never lost, nobody is made twice.
//! `CRM_KILLS` sets the number of kills; the seed is printed.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crm_test_support::{Client, HostOptions, HostProcess, TwinOptions, TwinProcess, create_organization};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

fn number(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the length of a test run is its caller's choice")]
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The vendor's key: looked for afterwards in everything the host wrote.
const CANARY: &str = "canary0key7f3a9c1d5e";

/// What the clients were told.
#[derive(Default)]
struct Told {
    approved: HashSet<String>,
}

/// Creates and approves affiliates until told to stop; an answer that never came counts for nothing.
fn load(client: &Client, key: &str, campaign: &str, name: &str, stop: &AtomicBool) -> Told {
    let mut told = Told::default();
    let client = client.with_key(key);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut ids = Vec::new();
        let mut emails = Vec::new();
        for i in 0..5 {
            let email = format!("{name}-{n}-{i}@example.com");
            let body = json!({ "campaign": campaign, "email": email, "full": "Ann Lee" });
            if let Ok(answer) = client.post("/v1/affiliates", &body)
                && answer.status == 201
            {
                ids.push(answer.json()["id"].clone());
                emails.push(email);
            }
        }
        if ids.is_empty() {
            break;
        }
        match client.post("/v1/affiliates/approve", &json!({ "ids": ids })) {
            Ok(answer) if answer.status == 202 => told.approved.extend(emails),
            _ => break,
        }
    }
    told
}

#[test]
fn invariant_5_and_invariant_1_kill_nine_under_load_loses_duplicates_and_leaks_nothing() -> Result<()> {
    let kills = number("CRM_KILLS", 8);
    let seed = number("CRM_SEED", 20_261_123);
    eprintln!("seed {seed}, {kills} kills");
    let mut rng = SmallRng::seed_from_u64(seed);
    let dir = tempfile::tempdir()?;
    let vendor = tempfile::tempdir()?;
    let twin = TwinProcess::start(
        "ontraport",
        &TwinOptions { flags: vec!["--unlimited".to_owned(), format!("--credential=api_key={CANARY}")] },
        // The vendor knows its own key, and says so when it starts: its output is none of the host's.
        &vendor.path().join("twin.log"),
    )?;
    twin.steer(
        "faults",
        &json!({ "seed": seed, "rules": [
            { "endpoint": "PUT /1/objects/tagByName", "p": 0.05, "fault": { "status": { "code": 503 } } },
            { "endpoint": "*", "p": 0.01, "when": "after", "fault": "cut" },
        ]}),
    )?;
    let mut options = HostOptions::new(&dir.path().join("data")).dev_endpoint("ontraport.api", &twin.api_url);
    options.retry_schedule = vec![1; 50];
    let key = create_organization(&options, "kill test")?.key;
    let mut host = HostProcess::start(options)?;
    let client = host.client().with_key(&key);
    let connection =
        json!({ "connector": "ontraport", "name": "main", "credentials": { "app_id": "2_AppID_12345678", "api_key": CANARY } });
    client.post("/v1/connections", &connection)?.good().context("connecting")?;
    let campaign = client.post("/v1/campaigns", &json!({ "name": "Summer", "slug": "summer", "commission": { "model": "rev_share", "percent": "25" }, "extra_tags": ["Summer"] }))?.good()?;
    let campaign = campaign["id"].as_str().context("id")?.to_owned();
    let mut approved = HashSet::new();
    for round in 0..kills {
        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..4)
            .map(|worker| {
                let (client, key, campaign, stop) = (host.client(), key.clone(), campaign.clone(), stop.clone());
                std::thread::spawn(move || load(&client, &key, &campaign, &format!("r{round}w{worker}"), &stop))
            })
            .collect();
        // The point of the kill is what this test varies, not something it waits for.
        std::thread::sleep(Duration::from_millis(rng.random_range(5..400)));
        host.kill9()?;
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            approved.extend(load.join().map_err(|_| anyhow::anyhow!("a client panicked"))?.approved);
        }
        host.restart()?;
    }
    let client = host.client().with_key(&key);
    settle(&client, Duration::from_secs(300))?;
    let tagged = tagged(&twin)?;
    let lost: Vec<_> = approved.difference(&tagged).collect();
    ensure!(
        lost.is_empty(),
        "seed {seed}: {} of {} acknowledged affiliates are missing at the vendor: {lost:?}",
        lost.len(),
        approved.len()
    );
    let state = twin.look("state")?;
    ensure!(state["duplicates"] == 0, "seed {seed}: duplicates: {state}");
    ensure!(state["resubscribed"] == 0, "seed {seed}: re-subscribed: {state}");
    ensure!(!approved.is_empty(), "nothing was acknowledged: this run proves nothing");
    drop(host);
    no_secret_left(dir.path())?;
    eprintln!("{kills} kills, {} acknowledged, {} at the vendor, 0 lost, 0 duplicates", approved.len(), tagged.len());
    Ok(())
}

/// E-mails of the vendor's contacts that carry the system tag.
fn tagged(twin: &TwinProcess) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for offset in (0..).step_by(1000) {
        let page = twin.look(&format!("contacts?offset={offset}&limit=1000"))?;
        let contacts = page["contacts"].as_array().context("contacts")?;
        for contact in contacts {
            if contact["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "Rekomi affiliate")) {
                found.insert(contact["email"].as_str().context("email")?.to_owned());
            }
        }
        if contacts.len() < 1000 {
            break;
        }
    }
    Ok(found)
}

/// Invariant 1: the vendor's key is in nothing that the run left behind: store files, logs, key files, answers.
fn no_secret_left(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            no_secret_left(&path)?;
            continue;
        }
        let bytes = std::fs::read(&path)?;
        for spelling in [CANARY.to_owned(), CANARY.to_uppercase(), CANARY.bytes().map(|b| format!("{b:02x}")).collect()] {
            let found = bytes.windows(spelling.len()).any(|window| window == spelling.as_bytes());
            ensure!(!found, "the secret is in {}", path.display());
        }
    }
    Ok(())
}

/// Waits until no sync is open.
fn settle(client: &Client, limit: Duration) -> Result<()> {
    let start = Instant::now();
    loop {
        let counts = client.get("/v1/syncs/counts")?.good()?;
        let open: u64 = ["pending", "running", "waiting", "retrying"].iter().filter_map(|s| counts[s].as_u64()).sum();
        if open == 0 {
            ensure!(counts["failed"] == 0, "syncs failed: {counts}");
            return Ok(());
        }
        ensure!(start.elapsed() < limit, "still open after {limit:?}: {counts}");
        // Polling another process; the limit above bounds it.
        std::thread::sleep(Duration::from_millis(100));
    }
}
