//! Puts the rooms together: store, engine, egress, and the context that services and workers share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_conformance::Proving;
use crm_contract::ports::{Clock, Digest, Gateway, GuestFault, GuestLog, Guests, Journal, Mode, Outbound, Scope};
use crm_contract::types::{Answer, Invocation, Request, Response, Unanswered};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{FileSpool, MasterKey, SpaceGate, StoreError};

use crm_sync::services::releases::{Shelf, TrustRoots};

use crate::cli::{DataArgs, ServeArgs, TrustedKey};

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "app owns the machine's clock; every other room is handed it")]
    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Stands for engine and egress where no connector may run: it knows none and refuses every call.
pub(crate) struct Nobody;

#[async_trait]
impl Guests for Nobody {
    async fn call(&self, digest: &Digest, _: Invocation, _: Arc<dyn Outbound>, _: Arc<dyn GuestLog>) -> Result<Answer, GuestFault> {
        Err(GuestFault::NotLoaded(digest.0.clone()))
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        Vec::new()
    }

    fn active(&self, _: &str) -> Option<(Digest, Arc<Manifest>)> {
        None
    }

    fn manifest(&self, _: &Digest) -> Option<Arc<Manifest>> {
        None
    }
}

impl Gateway for Nobody {
    fn open(&self, _: Scope, _: Mode, _: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        Arc::new(Self)
    }

    fn ready_at(&self, _: &Scope, _: u32) -> Option<u64> {
        None
    }

    fn throttled(&self, _: &Scope, _: Option<&str>, _: Option<u32>) {}
}

#[async_trait]
impl Outbound for Nobody {
    async fn send(&self, _: Request) -> Result<Response, Unanswered> {
        Err(Unanswered::Refused("no call leaves during administration".into()))
    }
}

/// The master key: from the environment or the key file in the data folder.
pub(crate) fn master_key(args: &DataArgs) -> Result<MasterKey> {
    match &args.key {
        Some(text) => MasterKey::from_base64_env(text).context("CRM_HOST_KEY cannot be used"),
        None => {
            std::fs::create_dir_all(&args.data).with_context(|| format!("cannot create the data folder {}", args.data.display()))?;
            let path = args.data.join("master.key");
            MasterKey::load_or_create(&path).with_context(|| format!("the key file {} cannot be used", path.display()))
        }
    }
}

/// Opens the store of a data folder, with words for the person at the terminal when it cannot be.
pub(crate) fn open_store(args: &DataArgs, key: &MasterKey) -> Result<Arc<SledStore>> {
    let dir = store_dir(&args.data);
    SledStore::open(&dir, OpenOptions::new(key.clone())).map_err(|error| match error {
        StoreError::Locked(_) => anyhow::anyhow!(
            "the data folder {} is in use by another crm-host. Stop that one first, or name another folder with --data.",
            args.data.display()
        ),
        other => anyhow::anyhow!("the store in {} cannot be opened: {other}", dir.display()),
    })
}

/// The folder of files that are being imported, and of what came of them.
pub(crate) fn open_spool(data: &Path) -> Result<FileSpool> {
    let dir = data.join("imports");
    FileSpool::open(&dir, SpaceGate::Standard).with_context(|| format!("the imports folder {} cannot be used", dir.display()))
}

pub(crate) fn store_dir(data: &Path) -> PathBuf {
    data.join("store")
}

/// The engine, with a cache beside the store and this binary as its compiler.
pub(crate) fn engine(data: &Path, key: &MasterKey, wasi: &[String]) -> Result<Arc<Engine>> {
    let config = EngineConfig {
        cache_dir: Some(data.join("compiled")),
        cache_key: key.derive("compiled-code"),
        compiler: child_compiler()?,
        limits: Limits::default(),
        wasi_allowed: wasi.iter().cloned().collect::<BTreeSet<_>>(),
    };
    Engine::new(config).context("the WebAssembly engine cannot be started")
}

/// The engine of an author's command: it keeps nothing. `wasi`: the connector that may import WASI.
pub(crate) fn author_engine(wasi: Option<String>) -> Result<Arc<Engine>> {
    let limits = Limits { concurrent: 4, ..Limits::default() };
    let wasi_allowed = wasi.into_iter().collect::<BTreeSet<_>>();
    let config = EngineConfig { cache_dir: None, cache_key: [0; 32], compiler: child_compiler()?, limits, wasi_allowed };
    Engine::new(config).context("the WebAssembly engine cannot be started")
}

/// Foreign files are compiled in a process apart, by this very binary.
fn child_compiler() -> Result<Compiler> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    Ok(Compiler::Child { program, args: vec!["compile-worker".into()] })
}

/// The files of versions that were brought in, and the engine that proves them.
pub(crate) fn open_shelf(args: &ServeArgs, engine: Arc<Engine>) -> Result<Arc<Shelf>> {
    let dir = args.data.data.join("versions");
    let files =
        FileSpool::open(&dir, SpaceGate::Standard).with_context(|| format!("the versions folder {} cannot be used", dir.display()))?;
    let keys = args.trusted_key.iter().map(|TrustedKey { name, key }| (name.as_str(), key.as_str()));
    let trust = TrustRoots::new(keys, args.require_signatures.into()).context("--trusted-key cannot be used")?;
    let proving = Proving::over(engine).context("files of connectors cannot be proved")?;
    Ok(Arc::new(Shelf::new(Arc::new(proving), Arc::new(files), trust, most_bytes())))
}

/// The largest connector file that is taken.
pub(crate) fn most_bytes() -> usize {
    Limits::default().scan.file_bytes
}
