//! One host, every vendor that has a twin, bad weather on: all affiliates arrive, nobody twice, nobody re-subscribed, and no vendor's
//! limit is hit. Each twin enforces its vendor's own limits, so this runs as long as the slowest of them asks: about a minute with
//! 60 affiliates each, about five with the 200 of `cargo xtask test --real`. `CRM_FLEET` (a comma list of slugs) runs some vendors
//! only, `CRM_FLEET_AFFILIATES` says how many people.

#[path = "fleet/replayed.rs"]
mod replayed;

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crm_test_support::{Client, HostOptions, HostProcess, TwinOptions, TwinProcess, create_organization};
use crm_twins::fleet::SLUGS;
use serde_json::{Value, json};

/// The merchant has these already, before the first sync.
const KNOWN: usize = 20;
/// And these, who left.
const LEFT: usize = 20;
const SYSTEM_TAG: &str = "Rekomi affiliate";

#[expect(clippy::disallowed_methods, reason = "how much of the fleet is run is the caller's choice")]
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn affiliates() -> usize {
    setting("CRM_FLEET_AFFILIATES").parse().unwrap_or(60).max(KNOWN + LEFT)
}

fn slugs() -> Vec<String> {
    let chosen = setting("CRM_FLEET");
    let chosen: Vec<String> = chosen.split(',').filter(|slug| !slug.is_empty()).map(str::to_owned).collect();
    if chosen.is_empty() { SLUGS.iter().map(|slug| (*slug).to_owned()).collect() } else { chosen }
}

fn email(n: usize) -> String {
    format!("person{n}+fleet@example.com")
}

fn twin(slug: &str, dir: &Path) -> Result<TwinProcess> {
    let twin = TwinProcess::start(slug, &TwinOptions::default(), &dir.join(format!("{slug}.twin.log")))?;
    let known: Vec<String> = (0..KNOWN + LEFT).map(email).collect();
    twin.steer("seed", &json!(known))?;
    for n in KNOWN..KNOWN + LEFT {
        let address = email(n).replace('+', "%2B");
        twin.steer(&format!("opt-out?email={address}"), &Value::Null)?;
    }
    Ok(twin)
}

/// From the first sync on. While connecting, a merchant would simply press the button again.
fn bad_weather() -> Value {
    json!({ "seed": 20_261_123, "rules": [
        { "endpoint": "*", "p": 0.03, "at_most": 40, "fault": { "status": { "code": 502 } } },
        { "endpoint": "*", "p": 0.01, "at_most": 15, "when": "after", "fault": "cut" },
    ]})
}

/// Connects, picks and agrees to what must be made in the account.
fn connect(client: &Client, slug: &str, twin: &TwinProcess) -> Result<String> {
    let how = &twin.ready["connect"];
    let order = json!({ "connector": slug, "name": slug, "credentials": how["credentials"], "settings": how["settings"] });
    let id = match client.post("/v1/connections", &order)? {
        answer if answer.status == 409 && answer.json()["code"] == "authorization_needed" => authorize(client, slug, &order, twin)?,
        answer => answer.good()?["id"].as_str().context("id")?.to_owned(),
    };
    let path = format!("/v1/connections/{id}");
    let etag = client.get(&path)?.header("etag").to_owned();
    let headers = [("content-type", "application/json"), ("if-match", etag.as_str())];
    client.send("PATCH", &path, &headers, Some(&json!({ "picked": how["picked"] }).to_string()))?.good()?;
    let connector = client.get(&format!("/v1/connectors/{slug}"))?.good()?;
    if connector["supports"]["prepare"] == true {
        client.post(&format!("{path}/prepare"), &json!({ "apply": true }))?.good()?;
    }
    Ok(id)
}

/// Walks the browser's way through the vendor's authorization page, which the twin answers at once.
fn authorize(client: &Client, slug: &str, order: &Value, twin: &TwinProcess) -> Result<String> {
    let order = json!({ "name": order["name"], "credentials": order["credentials"], "settings": order["settings"] });
    let start = client.post(&format!("/v1/oauth/{slug}/start"), &order)?.good()?;
    let url = start["authorize_url"].as_str().context("authorize_url")?;
    let (_, rest) = url.split_once("://").context("a URL")?;
    let (_, path) = rest.split_once('/').context("a path")?;
    // The client follows redirects as a browser does, so this ends at the host's callback, which answers with the connection.
    let connected = Client::new(&twin.base_url).get(&format!("/{path}"))?.good()?;
    Ok(connected["id"].as_str().context("the callback names no connection")?.to_owned())
}

#[test]
fn a_fleet_of_vendors_gets_every_affiliate_once_and_nobody_is_resubscribed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let slugs = slugs();
    let data = dir.path().join("data");
    let mut options = HostOptions::new(&data);
    let mut twins = HashMap::new();
    for slug in &slugs {
        let twin = twin(slug, dir.path()).with_context(|| format!("{slug}: its twin"))?;
        for (endpoint, url) in twin.ready["endpoints"].as_object().context("endpoints")? {
            options = options.dev_endpoint(&format!("{slug}.{endpoint}"), url.as_str().context("url")?);
        }
        twins.insert(slug.clone(), twin);
    }
    options.retry_schedule = vec![1; 40];
    let key = create_organization(&options, "fleet")?.key;
    let mut host = HostProcess::start(options)?;
    let client = host.client().with_key(&key);
    for slug in &slugs {
        connect(&client, slug, &twins[slug]).with_context(|| format!("{slug}: connecting"))?;
        twins[slug].steer("faults", &bad_weather())?;
    }
    let campaign = client.post("/v1/campaigns", &json!({ "name": "Summer", "slug": "summer", "commission": { "model": "rev_share", "percent": "25" }, "extra_tags": ["Summer"] }))?.good()?;
    let mut ids = Vec::new();
    for n in 0..affiliates() {
        let full = if n % 10 == 9 { Value::Null } else { json!(format!("Ann-{n} Lee")) };
        let body = json!({ "campaign": campaign["id"], "email": email(n), "full": full });
        ids.push(client.post("/v1/affiliates", &body)?.good()?["id"].clone());
    }
    for chunk in ids.chunks(100) {
        client.post("/v1/affiliates/approve", &json!({ "ids": chunk }))?.good()?;
    }
    let settled = settle(&client, Duration::from_secs(900));
    let mut wrong = Vec::new();
    for slug in &slugs {
        wrong.extend(judge(&twins[slug])?.into_iter().map(|what| format!("{slug}: {what}")));
    }
    if let Err(error) = settled {
        wrong.push(format!("{error:#}"));
    }
    ensure!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), failures(&client)?);
    ensure!(host.sigterm()?.success(), "the host does not end well");
    replayed::ask_for_the_same(&data, &slugs)
}

/// What a vendor holds against the run.
fn judge(twin: &TwinProcess) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let state = twin.look("state")?;
    for counter in ["duplicates", "resubscribed", "rate_limited", "wiped_fields", "duplicate_tags"] {
        if state[counter] != 0 {
            wrong.push(format!("{counter}: {}", state[counter]));
        }
    }
    if state["faults_struck"] == 0 {
        wrong.push("no fault struck: this run proves little".to_owned());
    }
    let page = twin.look("contacts?limit=1000")?;
    let contacts: HashMap<&str, &Value> =
        page["contacts"].as_array().context("contacts")?.iter().filter_map(|contact| Some((contact["email"].as_str()?, contact))).collect();
    let tagged = |contact: &Value| {
        [SYSTEM_TAG, "Summer"].iter().all(|tag| contact["tags"].as_array().is_some_and(|tags| tags.iter().any(|t| t == tag)))
    };
    let mut lost = Vec::new();
    for n in 0..affiliates() {
        let left = (KNOWN..KNOWN + LEFT).contains(&n);
        match contacts.get(email(n).as_str()) {
            None => lost.push(email(n)),
            Some(contact) => {
                if !left && !tagged(contact) {
                    lost.push(format!("{} without its tags {}", email(n), contact["tags"]));
                }
                if left && contact["opted_out"] != true {
                    wrong.push(format!("{} had left and gets mail again", email(n)));
                }
            }
        }
    }
    if !lost.is_empty() {
        wrong.push(format!("{} of {} are missing, such as {:?}; {state}", lost.len(), affiliates(), &lost[..lost.len().min(3)]));
    }
    Ok(wrong)
}

/// The first few syncs that did not succeed, with their reasons.
fn failures(client: &Client) -> Result<String> {
    let mut lines = Vec::new();
    for state in ["failed", "retrying", "parked", "waiting"] {
        let page = client.get(&format!("/v1/syncs?state={state}&limit=5"))?;
        for sync in page.json()["data"].as_array().into_iter().flatten() {
            lines.push(sync.to_string());
        }
    }
    Ok(lines.join("\n"))
}

/// Waits until no sync is open; none may have failed.
fn settle(client: &Client, limit: Duration) -> Result<()> {
    let start = Instant::now();
    loop {
        let counts = client.get("/v1/syncs/counts")?.good()?;
        let open: u64 = ["pending", "running", "waiting", "retrying"].iter().filter_map(|s| counts[s].as_u64()).sum();
        if open == 0 {
            ensure!(
                counts["failed"] == 0 && counts["parked"].as_u64().unwrap_or(0) == 0,
                "syncs failed or wait for the merchant: {counts}"
            );
            return Ok(());
        }
        ensure!(start.elapsed() < limit, "still open after {limit:?}: {counts}");
        // Polling another process; the limit above bounds it.
        std::thread::sleep(Duration::from_millis(200));
    }
}
