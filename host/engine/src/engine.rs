//! The engine itself: what is made once per host and shared by every run. Proving lives in `prove`, calling in
//! `guests`. Must not hold anything of a merchant.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crm_contract::ports::Digest;
use tokio::sync::Semaphore;
use wasmtime::component::Linker;

use crate::cache::Cache;
use crate::compile::{Foundry, MAX_CODE};
use crate::config::{self, EngineConfig};
use crate::error::{EngineError, LoadError};
use crate::limits::Limits;
use crate::prove::Proven;
use crate::registry::Registry;
use crate::run::Run;
use crate::ticker::Ticker;
use crate::{bindings, wasi};

/// Loads, proves, swaps and calls connectors. One per host process: it owns a pool of instance slots and a thread.
pub struct Engine {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) limits: Arc<Limits>,
    pub(crate) wasi_allowed: BTreeSet<String>,
    /// With the world's imports only.
    pub(crate) plain: Linker<Run>,
    /// With the inert WASI besides.
    pub(crate) with_wasi: Linker<Run>,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) foundry: Foundry,
    pub(crate) registry: Registry,
    pub(crate) slots: Semaphore,
    _ticker: Ticker,
}

impl Engine {
    /// Reserves the pool, starts the ticker, opens the cache.
    pub fn new(config: EngineConfig) -> Result<Arc<Self>, EngineError> {
        let refuse = |e: wasmtime::Error| EngineError::Configuration(format!("{e:#}"));
        let wasm = wasmtime::Engine::new(&config::host(&config.limits)).map_err(refuse)?;
        let mut plain = Linker::new(&wasm);
        bindings::Connector::add_to_linker::<Run, wasmtime::component::HasSelf<Run>>(&mut plain, |run| run).map_err(refuse)?;
        let mut with_wasi = plain.clone();
        wasi::link(&mut with_wasi).map_err(refuse)?;
        let cache = match &config.cache_dir {
            Some(dir) => Some(Arc::new(Cache::open(dir, &config.cache_key, fingerprint(&wasm), MAX_CODE)?)),
            None => None,
        };
        let slots = usize::try_from(config.limits.concurrent).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Ok(Arc::new(Self {
            _ticker: Ticker::start(&wasm).map_err(EngineError::Ticker)?,
            foundry: Foundry::new(config.compiler, wasm.clone()),
            limits: Arc::new(config.limits),
            wasi_allowed: config.wasi_allowed,
            plain,
            with_wasi,
            cache,
            registry: Registry::default(),
            slots: Semaphore::new(slots),
            wasm,
        }))
    }

    /// Makes a proven version the active one of its connector. Runs that began on another version end on it, and that
    /// version stays loaded until [`unload`](Self::unload).
    pub fn activate(&self, proven: Proven) -> Digest {
        let digest = proven.version.digest.clone();
        tracing::info!(connector = proven.manifest().connector.slug, digest = digest.0, "connector version active");
        self.registry.activate(proven.version);
        digest
    }

    /// [`prove`](Self::prove), then [`activate`](Self::activate).
    pub async fn load(&self, file: Vec<u8>) -> Result<Digest, LoadError> {
        Ok(self.activate(self.prove(file).await?))
    }

    /// Makes a version that is already loaded the active one: roll-back without compiling. False when it is not loaded.
    pub fn reactivate(&self, digest: &Digest) -> bool {
        match self.registry.get(digest) {
            Some(version) => {
                self.registry.activate(version);
                true
            }
            None => false,
        }
    }

    /// Forgets a version that is not active. Runs on it end in peace. False when it is active or not loaded.
    pub fn unload(&self, digest: &Digest) -> bool {
        self.registry.remove(digest)
    }
}

/// Names wasmtime's version, its settings and this machine's instruction set: code of one fits no other.
fn fingerprint(engine: &wasmtime::Engine) -> [u8; 32] {
    struct Blake(blake3::Hasher);
    impl Hasher for Blake {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut hasher = Blake(blake3::Hasher::new_derive_key("crm-engine code fingerprint v1"));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    *hasher.0.finalize().as_bytes()
}
