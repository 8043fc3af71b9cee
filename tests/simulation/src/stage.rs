//! No simulation: the host as a process with a vendor's twin, an organization that is connected, an operator, and versions of a real connector
//! to play with. For tests and benches that look at the host from outside.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use crm_test_support::{
    Client, HostOptions, HostProcess, TwinOptions, TwinProcess, connector, create_operator_key, create_organization, host_bin,
};
use serde_json::{Value, json};

/// The connector whose versions come and go.
pub const SLUG: &str = "ontraport";

pub struct Stage {
    pub host: HostProcess,
    pub twin: TwinProcess,
    /// As the merchant.
    key: String,
    operator: String,
    campaign: String,
    dir: tempfile::TempDir,
}

impl Stage {
    /// In a folder that the system chooses, such as a disk in memory.
    ///
    /// # Errors
    /// When something of it is not built, or does not start.
    pub fn set(flags: &[&str]) -> Result<Self> {
        Self::set_in(tempfile::tempdir()?, flags)
    }

    /// `flags` for the host besides the usual ones.
    pub fn set_in(dir: tempfile::TempDir, flags: &[&str]) -> Result<Self> {
        let folder = dir.path().join("connectors");
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("first.wasm"), version(0)?)?;
        let credential = "--credential=api_key=key0key0key0".to_owned();
        let options = TwinOptions { flags: vec!["--unlimited".to_owned(), credential] };
        let twin = TwinProcess::start(SLUG, &options, &dir.path().join("twin.log"))?;
        let mut options = HostOptions::new(&dir.path().join("data")).dev_endpoint("ontraport.api", &twin.api_url);
        options.connectors = Some(folder);
        options.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let key = create_organization(&options, "hot loading")?.key;
        let operator = create_operator_key(&options)?;
        let host = HostProcess::start(options)?;
        let mut stage = Self { host, twin, key, operator, campaign: String::new(), dir };
        let client = stage.merchant();
        let connection =
            json!({ "connector": SLUG, "name": "main", "credentials": { "app_id": "2_AppID_12345678", "api_key": "key0key0key0" } });
        client.post("/v1/connections", &connection)?.good().context("connecting")?;
        let campaign = json!({ "name": "Summer", "slug": "summer", "commission": { "model": "rev_share", "percent": "25" } });
        let campaign = client.post("/v1/campaigns", &campaign)?.good()?;
        stage.campaign = campaign["id"].as_str().context("an id")?.to_owned();
        Ok(stage)
    }

    pub fn merchant(&self) -> Client {
        self.host.client().with_key(&self.key)
    }

    pub fn operator(&self) -> Client {
        self.host.client().with_key(&self.operator)
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("connectors")
    }

    /// A file beside the host's.
    pub fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    /// `crm-host connector ...` against the host.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(host_bin()?);
        command.arg("connector").args(arguments).args(["--host", &self.host.base_url]);
        command.env("CRM_HOST_OPERATOR_KEY", &self.operator);
        Ok(command)
    }

    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments)?.output().context("cannot run crm-host connector")
    }

    /// Installs a file and answers what the host said of it.
    pub fn install(&self, file: &Path) -> Result<Value> {
        let output = self.run(&["install", &file.display().to_string(), "--json"])?;
        let said = String::from_utf8_lossy(&output.stdout);
        let json: Value = serde_json::from_str(&said).with_context(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)))?;
        ensure!(json["id"].is_string(), "{json}");
        Ok(json)
    }

    /// The active version's number.
    pub fn active(&self) -> Result<String> {
        let all = self.operator().get(&format!("/v1/admin/connectors/{SLUG}"))?.good()?;
        let versions = all["versions"].as_array().context("versions")?;
        let active = versions.iter().find(|version| version["state"] == "active");
        Ok(active.with_context(|| format!("no version is active: {all}"))?["version"].as_str().context("a number")?.to_owned())
    }

    /// Approves somebody new; nothing is waited for.
    pub fn approve(&self, email: &str) -> Result<()> {
        let client = self.merchant();
        let made = client.post("/v1/affiliates", &json!({ "campaign": self.campaign, "email": email, "full": "Ann Lee" }))?.good()?;
        let id = made["id"].as_str().context("an id")?;
        client.post(&format!("/v1/affiliates/{id}/approve"), &Value::Null)?.good().map(drop)
    }

    /// Waits until no sync is open; answers how many succeeded.
    pub fn settle(&self) -> Result<u64> {
        wait("the syncs to end", || {
            let counts = self.merchant().get("/v1/syncs/counts")?.good()?;
            let open: u64 = ["pending", "running", "waiting", "retrying"].iter().filter_map(|s| counts[s].as_u64()).sum();
            ensure!(counts["failed"] == 0, "syncs failed: {counts}");
            Ok((open == 0).then(|| counts["succeeded"].as_u64().unwrap_or_default()))
        })
    }
}

/// Asks again and again, since another process is waited for.
pub fn wait<T>(what: &str, mut done: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = done()? {
            return Ok(value);
        }
        if start.elapsed() > Duration::from_secs(120) {
            bail!("waited too long for {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The built connector under another number.
pub fn version(number: u32) -> Result<Vec<u8>> {
    changed(|manifest| numbered(manifest, number))
}

/// The same, and it asks for one more power.
pub fn wider(number: u32) -> Result<Vec<u8>> {
    changed(|manifest| {
        let call =
            "[[calls]]\nname = \"more\"\ndoc = \"More.\"\nstages = [\"verify\"]\nmethod = \"GET\"\npath = \"/more\"\neffect = \"read\"\n";
        let manifest = numbered(manifest, number);
        let at = manifest.find("[[calls]]").unwrap_or(manifest.len());
        format!("{}{call}\n{}", &manifest[..at], &manifest[at..])
    })
}

fn numbered(manifest: &str, number: u32) -> String {
    let line = manifest.lines().find(|line| line.starts_with("version = ")).unwrap_or_default();
    manifest.replacen(line, &format!("version = \"1.0.{number}\""), 1)
}

fn changed(change: impl FnOnce(&str) -> String) -> Result<Vec<u8>> {
    let built = std::fs::read(connector(SLUG)?)?;
    let embedded = crm_catalog::section::read(&built)?;
    Ok(crm_catalog::section::embed(&built, &change(&embedded.manifest_text), &embedded.wit_version)?)
}
