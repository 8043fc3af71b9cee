//! A journal file: recorded runs, one a line, as a host hands them out. And what runs them again here: the connector in the real engine, and
//! an egress that can reach nothing.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, Guests as _};
use crm_egress::net::{Resolve, ResolveError};
use crm_egress::{Egress, EgressConfig};
use crm_engine::Engine;
use crm_sync::replay::{NoCredentials, Recorded, Replayed, read_lines, replay};

use super::File;
use crate::wire::SystemClock;

/// The runs of a file; `-` = of standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Recorded>> {
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
