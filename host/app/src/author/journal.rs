//! A journal file: recorded runs, one a line, as a host hands them out. And what runs them again here: the connector in the real engine, and
//! an egress that can reach nothing.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, Guests as _};
use crm_egress::net::{Resolve, ResolveError};
use crm_egress::{Egress, EgressConfig};
use crm_engine::Engine;
use crm_sync::replay::{NoCredentials, Recorded, Replayed, read_lines, replay};

use super::File;
use super::args::JournalArgs;
use crate::operate::{Host, HostArgs};
use crate::wire::SystemClock;

/// The runs of a file (`-` = of standard input), or those that a host answers to `path`; and how to call where they are from.
pub(super) async fn read(from: &JournalArgs, path: &str) -> Result<(Vec<Recorded>, String)> {
    match (&from.journal, &from.host) {
        (Some(file), _) => Ok((of_file(file)?, file.display().to_string())),
        (None, Some(url)) => {
            let key = from.key.clone().context("--key, or CRM_HOST_OPERATOR_KEY, is needed to ask a host")?;
            let text = Host::new(&HostArgs { url: url.clone(), key, json: false })?.text(path).await?;
            Ok((read_lines(&text).with_context(|| format!("what {url} answered"))?, url.clone()))
        }
        (None, None) => bail!("name a file of recorded runs with --journal, or a running host with --host"),
    }
}

fn of_file(path: &Path) -> Result<Vec<Recorded>> {
    let shown = path.display();
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| format!("the journal {shown} cannot be read"))?;
    }
    read_lines(&text).with_context(|| format!("the journal {shown}"))
}

/// A connector that is ready to run again what was recorded.
pub(super) struct Stage {
    pub(super) engine: Arc<Engine>,
    pub(super) digest: Digest,
    pub(super) manifest: Arc<Manifest>,
    egress: Arc<Egress>,
}

impl Stage {
    pub(super) async fn of(file: File, allow_wasi: bool) -> Result<Self> {
        let engine = file.engine(allow_wasi)?;
        let digest = engine.load(file.bytes).await.with_context(|| format!("{} is refused", file.shown))?;
        let manifest = engine.manifest(&digest).context("the engine forgot what it loaded")?;
        let config = NoNames::config();
        let egress = Egress::new(config).context("egress cannot be configured")?;
        Ok(Self { engine, digest, manifest, egress })
    }

    pub(super) async fn replay(&self, run: &Recorded) -> Result<Replayed> {
        let replayed = replay(&*self.engine, &*self.egress, &self.digest, &self.manifest, run, Arc::new(NoCredentials)).await;
        replayed.with_context(|| format!("{} could not be run again", run.sync))
    }
}

/// Knows no name, so nothing can be dialled.
struct NoNames;

impl NoNames {
    fn config() -> EgressConfig {
        EgressConfig::new(concat!("crm-host/", env!("CARGO_PKG_VERSION")), Arc::new(SystemClock), Arc::new(Self))
    }
}

#[async_trait]
impl Resolve for NoNames {
    async fn resolve(&self, _name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::NotFound)
    }
}
