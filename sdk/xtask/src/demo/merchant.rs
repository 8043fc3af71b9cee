//! What a merchant's program does with the host: its public API, one method per need.

use anyhow::{Context, Result, bail};
use crm_test_support::{Answer, Client};
use serde_json::{Value, json};

/// Between two looks at work under way.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

pub(crate) struct Merchant {
    client: Client,
}

/// Syncs by state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) open: u64,
    pub(crate) retrying: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
}

/// One sync as the list shows it.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub(crate) email: String,
    pub(crate) state: String,
    pub(crate) attempts: u64,
}

impl Merchant {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn connect(&self, slug: &str, credentials: &Value) -> Result<Answer> {
        let body = json!({ "connector": slug, "name": "Demo account", "credentials": credentials, "default_tags": ["Partner"] });
        self.client.post("/v1/connections", &body)
    }

    /// Every choice of a picker, and how many pages it took.
    pub(crate) fn choices(&self, connection: &str, picker: &str) -> Result<(Vec<String>, usize)> {
        let (rows, pages) = self.all(&format!("/v1/connections/{connection}/choices/{picker}"))?;
        Ok((rows.iter().map(|row| text(row, "name")).collect(), pages))
    }

    pub(crate) fn create_campaign(&self, name: &str, slug: &str, extra_tags: &[&str]) -> Result<String> {
        let answer = self.client.post(
            "/v1/campaigns",
            &json!({ "name": name, "slug": slug, "commission": { "model": "rev_share", "percent": "25" }, "extra_tags": extra_tags }),
        )?;
        id(&answer.good().context("create a campaign")?)
    }

    /// Sends a file; answers the import once every row of it is checked. Nothing is imported yet.
    pub(crate) fn check_import(&self, campaign: &str, csv: &str) -> Result<Value> {
        let path = format!("/v1/imports?campaign={campaign}&format=rewardful");
        let sent = self.client.post_text(&path, "text/csv", csv)?.good().context("send a file of affiliates")?;
        self.await_import(&id(&sent)?)
    }

    /// Imports what was checked; answers the import at its end.
    pub(crate) fn start_import(&self, import: &str) -> Result<Value> {
        self.client.post(&format!("/v1/imports/{import}/start"), &Value::Null)?.good().context("start the import")?;
        self.await_import(import)
    }

    fn await_import(&self, import: &str) -> Result<Value> {
        loop {
            let now = self.client.get(&format!("/v1/imports/{import}"))?.good().context("look at the import")?;
            match now["state"].as_str() {
                Some("checking" | "running") => std::thread::sleep(LOOK),
                Some("checked" | "finished") => return Ok(now),
                _ => bail!("the import did not work: {now}"),
            }
        }
    }

    pub(crate) fn affiliates(&self, campaign: &str, status: &str, limit: usize) -> Result<Vec<Value>> {
        let page = self.client.get(&format!("/v1/affiliates?campaign={campaign}&status={status}&limit={limit}"))?;
        let page = page.good().context("list affiliates")?;
        Ok(page["data"].as_array().cloned().unwrap_or_default())
    }

    pub(crate) fn preview(&self, connection: &str, affiliate: &str) -> Result<Value> {
        let body = json!({ "connection": connection, "affiliate": affiliate });
        self.client.post("/v1/syncs/preview", &body)?.good().context("preview a sync")
    }

    /// Approves every pending affiliate; how many that were.
    pub(crate) fn approve_all(&self, campaign: &str) -> Result<u64> {
        let answer = self.client.post("/v1/affiliates/approve", &json!({ "campaign": campaign, "all": true }))?;
        answer.good().context("approve all")?["changed"].as_u64().context("the approval counts nothing")
    }

    pub(crate) fn counts(&self) -> Result<Counts> {
        let counts = self.client.get("/v1/syncs/counts")?.good().context("count syncs")?;
        let of = |state: &str| counts[state].as_u64().unwrap_or(0);
        Ok(Counts {
            open: of("pending") + of("running") + of("waiting") + of("retrying"),
            retrying: of("retrying"),
            succeeded: of("succeeded"),
            failed: of("failed") + of("cancelled"),
        })
    }

    pub(crate) fn syncs(&self) -> Result<Vec<Sync>> {
        let (rows, _) = self.all("/v1/syncs?limit=100")?;
        let sync =
            |row: &Value| Sync { email: text(row, "email"), state: text(row, "state"), attempts: row["attempts"].as_u64().unwrap_or(0) };
        Ok(rows.iter().map(sync).collect())
    }

    /// Attempts that the host's last stop cut short, as its metrics say.
    pub(crate) fn interrupted(&self) -> Result<u64> {
        let answer = self.client.get("/metrics")?;
        let line = answer.text.lines().find(|line| line.starts_with("crm_attempts_interrupted_total"));
        let value = line.and_then(|line| line.split_whitespace().last()).and_then(|value| value.parse::<f64>().ok());
        Ok(value.context("/metrics does not say how many attempts were interrupted")? as u64)
    }

    /// Every row of a list, and how many pages it took.
    fn all(&self, path: &str) -> Result<(Vec<Value>, usize)> {
        let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = self.client.get(&format!("{path}{cursor}"))?.good().with_context(|| path.to_owned())?;
            rows.extend(page["data"].as_array().cloned().unwrap_or_default());
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("{}cursor={next}", if path.contains('?') { '&' } else { '?' }),
                None => return Ok((rows, pages)),
            }
        }
    }
}

pub(crate) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn id(value: &Value) -> Result<String> {
    Ok(value["id"].as_str().with_context(|| format!("no id in {value}"))?.to_owned())
}
