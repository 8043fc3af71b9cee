//! An engine for tests about versions: it knows them by their manifests, and other guests do the work. Must not check what the real engine
//! checks: that has tests of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestFault, GuestLog, Guests, Outbound};
use crm_contract::types::{Answer, Invocation, Request, Response, Unanswered};
use crm_contract::versions::{ProofStage, Proved, Refused, Versions};
use parking_lot::Mutex;

/// What the process may still do before it dies; a large number = for ever.
#[derive(Default)]
pub struct Life(AtomicI64);

impl Life {
    pub fn of(steps: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(steps)))
    }

    pub fn immortal() -> Arc<Self> {
        Self::of(i64::MAX)
    }

    /// The task that comes here with no step left ends, as with the process.
    pub fn step(&self) {
        assert!(self.0.fetch_sub(1, Ordering::Relaxed) > 0, "the process dies here");
    }
}

/// An engine that knows versions by their manifests. A version whose number ends in `.666` traps in every run, one whose number ends in `.555`
/// makes every call under another address.
pub struct Engine {
    guests: Arc<dyn Guests>,
    life: Arc<Life>,
    loaded: Mutex<BTreeMap<Digest, Arc<Manifest>>>,
    active: Mutex<BTreeMap<String, Digest>>,
    /// Runs by version number.
    pub ran: Mutex<BTreeMap<String, u32>>,
}

impl Engine {
    /// Whatever the version, `guests` do its work.
    pub fn over(guests: Arc<dyn Guests>, life: Arc<Life>) -> Self {
        Self { guests, life, loaded: Mutex::default(), active: Mutex::default(), ran: Mutex::default() }
    }
}

/// A way out on which every contact has another address.
struct Elsewhere(Arc<dyn Outbound>);

#[async_trait]
impl Outbound for Elsewhere {
    async fn send(&self, mut request: Request) -> Result<Response, Unanswered> {
        request.path.iter_mut().for_each(|pair| pair.value.push_str(".elsewhere"));
        self.0.send(request).await
    }
}

/// A connector file that holds a manifest and no code.
pub fn connector_file(manifest: &str) -> Vec<u8> {
    crm_catalog::section::embed(b"\0asm\x0d\0\x01\0", manifest, "0.1.0").expect("a component without code")
}

#[async_trait]
impl Versions for Engine {
    async fn prove(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        self.life.step();
        let refused = |why: String| Refused::at(ProofStage::Manifest, why);
        let embedded = crm_catalog::section::read(&file).map_err(|error| refused(error.to_string()))?;
        let manifest = crm_catalog::parse(&embedded.manifest_text, "connector.toml").map_err(|errors| refused(format!("{errors:?}")))?;
        let (digest, manifest) = (Digest(blake3::hash(&file).to_hex().to_string()), Arc::new(manifest));
        self.loaded.lock().insert(digest.clone(), manifest.clone());
        Ok(Proved { digest, manifest, wasi: false, fixtures: 0 })
    }

    async fn load(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        self.prove(file).await
    }

    fn activate(&self, digest: &Digest) -> bool {
        self.life.step();
        let Some(manifest) = self.loaded.lock().get(digest).cloned() else { return false };
        self.active.lock().insert(manifest.connector.slug.clone(), digest.clone());
        true
    }

    fn retire(&self, connector: &str) {
        self.life.step();
        self.active.lock().remove(connector);
    }

    fn unload(&self, digest: &Digest) -> bool {
        !self.active.lock().values().any(|active| active == digest) && self.loaded.lock().remove(digest).is_some()
    }
}

#[async_trait]
impl Guests for Engine {
    async fn call(
        &self,
        digest: &Digest,
        invocation: Invocation,
        outbound: Arc<dyn Outbound>,
        log: Arc<dyn GuestLog>,
    ) -> Result<Answer, GuestFault> {
        let Some(manifest) = self.manifest(digest) else { return Err(GuestFault::NotLoaded(digest.0.clone())) };
        let version = manifest.connector.version.clone();
        *self.ran.lock().entry(version.clone()).or_default() += 1;
        if version.ends_with(".666") {
            return Err(GuestFault::Trapped("it panicked".into()));
        }
        let outbound: Arc<dyn Outbound> = if version.ends_with(".555") { Arc::new(Elsewhere(outbound)) } else { outbound };
        self.guests.call(digest, invocation, outbound, log).await
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        self.loaded.lock().iter().map(|(digest, manifest)| (digest.clone(), manifest.clone())).collect()
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        let digest = self.active.lock().get(slug).cloned()?;
        self.manifest(&digest).map(|manifest| (digest, manifest))
    }

    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.loaded.lock().get(digest).cloned()
    }
}
