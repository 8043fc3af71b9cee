//! What the merchant does through the host's API, and a single function of the connector by the author's command. Knows nothing
//! of what Ghost has.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crm_real_tests::ghost::Ghost;
use crm_test_support::{Answer, Client, connector, host_bin};
use serde_json::{Value, json};

use crate::people::Person;

/// Stands in the form; the dev endpoint leads to the site on this machine.
pub(crate) const SITE: &str = "acme.example.com";
const LIMIT: Duration = Duration::from_secs(240);

pub(crate) struct Merchant {
    pub(crate) client: Client,
}

impl Merchant {
    pub(crate) fn connect(&self, key: &str) -> Result<Answer> {
        let credentials = json!({ "api_url": format!("https://{SITE}/"), "admin_key": key });
        self.client.post("/v1/connections", &json!({ "connector": "ghost", "name": "site", "credentials": credentials }))
    }

    /// Picks a newsletter, and a label for everybody.
    pub(crate) fn pick(&self, connection: &str, newsletter: &str, label: &str) -> Result<()> {
        let path = format!("/v1/connections/{connection}");
        let etag = self.client.get(&path)?.header("etag").to_owned();
        let headers = [("content-type", "application/json"), ("if-match", etag.as_str())];
        let change = json!({ "picked": { "newsletter": newsletter }, "default_tags": [label] });
        self.client.send("PATCH", &path, &headers, Some(&change.to_string()))?.good().context("picking")?;
        Ok(())
    }

    /// Every page of a picker: (id, name), and how many pages there were.
    pub(crate) fn choices(&self, connection: &str, picker: &str) -> Result<(Vec<(String, String)>, usize)> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        for pages in 1.. {
            let page = self.client.get(&format!("/v1/connections/{connection}/choices/{picker}{cursor}"))?.good()?;
            let part = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
            rows.extend(page["data"].as_array().into_iter().flatten().map(|row| (part(row, "id"), part(row, "name"))));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("?cursor={next}"),
                None => return Ok((rows, pages)),
            }
        }
        Ok((rows, 0))
    }

    /// Approves everybody for a new campaign, whose name is its tag as well.
    pub(crate) fn approve(&self, people: &[Person], campaign: &str) -> Result<()> {
        let made = json!({ "name": campaign, "slug": campaign.to_lowercase(), "commission": { "model": "rev_share", "percent": "25" }, "extra_tags": [campaign] });
        let made = self.client.post("/v1/campaigns", &made)?.good()?;
        for person in people {
            let body = json!({ "campaign": made["id"], "email": person.email, "full": person.full });
            self.client.post("/v1/affiliates", &body)?.good().with_context(|| body.to_string())?;
        }
        let approved = self.client.post("/v1/affiliates/approve", &json!({ "campaign": made["id"], "all": true }))?.good()?;
        ensure!(approved["syncs"] == people.len(), "not everybody is on the way: {approved}");
        Ok(())
    }

    fn counts(&self) -> Result<Value> {
        self.client.get("/v1/syncs/counts")?.good()
    }

    /// Takes Ghost away when `after` syncs have succeeded, and brings it back when others have met its absence.
    pub(crate) fn outage(&self, ghost: &mut Ghost, after: u64) -> Result<()> {
        self.until("syncs succeed", |counts| counts["succeeded"].as_u64() >= Some(after))?;
        ghost.kill()?;
        self.until("a sync misses Ghost", |counts| counts["retrying"].as_u64() > Some(0))?;
        ghost.restart()
    }

    /// Waits until no sync is open; none may have failed.
    pub(crate) fn settle(&self) -> Result<Value> {
        let open =
            |counts: &Value| ["pending", "running", "waiting", "retrying", "parked"].iter().filter_map(|s| counts[s].as_u64()).sum::<u64>();
        let counts = self.until("every sync ends", |counts| open(counts) == 0)?;
        ensure!(counts["failed"] == 0, "{counts}: {}", self.syncs("failed")?[0]);
        Ok(counts)
    }

    pub(crate) fn syncs(&self, state: &str) -> Result<Vec<Value>> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.client.get(&format!("/v1/syncs?state={state}&limit=100{cursor}"))?.good()?;
            rows.extend(page["data"].as_array().into_iter().flatten().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }

    fn until(&self, what: &str, done: impl Fn(&Value) -> bool) -> Result<Value> {
        let started = Instant::now();
        loop {
            let counts = self.counts()?;
            if done(&counts) {
                return Ok(counts);
            }
            let late = || Ok::<_, anyhow::Error>(format!("{what}: not within {LIMIT:?}: {counts} {:?}", self.syncs("retrying")?.first()));
            ensure!(started.elapsed() < LIMIT, "{}", late()?);
            // Polling another process; the limit above bounds it.
            sleep(Duration::from_millis(50));
        }
    }
}

/// Runs one function of the connector against the site; its result.
pub(crate) fn try_function(ghost: &Ghost, dir: &Path, key: &str, function: &str, input: &Value) -> Result<Value> {
    let (credentials, order) = (dir.join("credentials.json"), dir.join("input.json"));
    std::fs::write(&credentials, json!({ "api_url": SITE, "admin_key": key }).to_string())?;
    std::fs::write(&order, input.to_string())?;
    let mut command = Command::new(host_bin()?);
    command.args(["connector", "try"]).arg(connector("ghost")?).args(["--function", function]);
    command.arg("--credentials").arg(credentials).arg("--input").arg(order);
    command.arg("--dev-endpoint").arg(format!("api={}", ghost.url));
    let output = command.output().context("cannot run crm-host connector try")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(!text.contains(key.split(':').next_back().unwrap_or_default()), "the key is in what `connector try` prints");
    let result = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|line| line.get("result").cloned());
    let result = result.with_context(|| format!("no result: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    result.get("ok").or(result.get("done")).cloned().with_context(|| format!("{function}: {result}"))
}
