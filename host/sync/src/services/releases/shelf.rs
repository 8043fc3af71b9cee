//! Where files of versions lie, and the engine that proves and swaps them. Holds what every attempt asks: whether its connection is on trial.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, Guests};
use crm_contract::spool::{Spool, SpoolError, SpoolName};
use crm_contract::versions::{Proved, Versions};
use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::canary::Trial;
use super::{Line, TrustRoots};
use crate::services::ServiceError;

/// One per host. Installs and swaps happen one after the other.
pub struct Shelf {
    pub versions: Arc<dyn Versions>,
    files: Arc<dyn Spool>,
    pub trust: TrustRoots,
    /// The largest file that is taken, in bytes.
    pub most_bytes: usize,
    turn: Mutex<()>,
    /// One at a time loads a version that a connection is pinned to.
    loading: Mutex<()>,
    trials: RwLock<HashMap<String, Arc<Trial>>>,
}

impl Shelf {
    pub fn new(versions: Arc<dyn Versions>, files: Arc<dyn Spool>, trust: TrustRoots, most_bytes: usize) -> Self {
        Self { versions, files, trust, most_bytes, turn: Mutex::new(()), loading: Mutex::new(()), trials: RwLock::default() }
    }

    /// Held while the records of versions are changed, so that engine and records agree.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The trial that a connector is on.
    pub(crate) fn trial(&self, connector: &str) -> Option<Arc<Trial>> {
        self.trials.read().get(connector).cloned()
    }

    /// Follows a connector's line, which is on disk: the active version, the trial, and no more versions in memory than a swap back may ask
    /// for at once. Attempts that began on a version that goes end on it. `false` = the active version is not loaded.
    pub(super) fn follow(&self, line: &Line, guests: &dyn Guests) -> bool {
        let active = line.active.clone().map(Digest);
        let serves = match &active {
            Some(digest) => self.versions.activate(digest),
            None => {
                self.versions.retire(&line.connector);
                true
            }
        };
        let mut trials = self.trials.write();
        match &line.canary {
            // The counts of a trial that goes on are kept.
            Some(canary) if trials.get(&line.connector).is_some_and(|trial| trial.order == *canary) => {}
            Some(canary) => {
                trials.insert(line.connector.clone(), Arc::new(Trial::new(canary.clone())));
            }
            None => {
                trials.remove(&line.connector);
            }
        }
        drop(trials);
        let kept: BTreeSet<&str> = line
            .active
            .iter()
            .chain(line.before.iter().rev().take(READY_TO_RETURN))
            .map(String::as_str)
            .chain(line.canary.iter().map(|canary| canary.version.as_str()))
            .collect();
        let mine = guests.loaded().into_iter().filter(|(_, manifest)| manifest.connector.slug == line.connector);
        for (digest, _) in mine.filter(|(digest, _)| !kept.contains(digest.0.as_str())) {
            self.versions.unload(&digest);
        }
        serves
    }

    /// Keeps a file; it is on disk in full when this returns. One that is there already, whole, stays.
    pub(super) async fn keep(&self, digest: &Digest, file: &[u8]) -> Result<(), ServiceError> {
        let name = name(digest)?;
        if self.files.length(&name).await.is_ok_and(|length| length == file.len() as u64) {
            return Ok(());
        }
        self.files.delete(&name).await.map_err(unkept)?;
        self.files.create(&name).await.map_err(unkept)?;
        self.files.append(&name, file.to_vec()).await.map_err(unkept)?;
        self.files.sync(&name).await.map_err(unkept)
    }

    async fn read(&self, digest: &Digest) -> Result<Vec<u8>, ServiceError> {
        let name = name(digest)?;
        let length = usize::try_from(self.files.length(&name).await.map_err(unkept)?).unwrap_or(usize::MAX);
        self.files.read(&name, 0, length).await.map_err(unkept)
    }

    pub(super) async fn forget(&self, digest: &Digest) -> Result<(), ServiceError> {
        self.files.delete(&name(digest)?).await.map_err(unkept)
    }

    /// The digests of all files that lie here.
    pub(super) async fn lying(&self) -> Result<Vec<Digest>, ServiceError> {
        let all = self.files.list().await.map_err(unkept)?;
        Ok(all.into_iter().map(|file| Digest(file.name.as_str().to_owned())).collect())
    }

    /// Reads a kept file and loads it; the engine's cache makes that quick.
    pub(super) async fn load(&self, digest: &Digest) -> Result<Proved, ServiceError> {
        let file = self.read(digest).await?;
        let proved = self.versions.load(file).await.map_err(|refused| ServiceError::Damaged(refused.why))?;
        if proved.digest != *digest {
            self.versions.unload(&proved.digest);
            return Err(ServiceError::Damaged(format!("the file of version {} holds another one", digest.0)));
        }
        Ok(proved)
    }

    /// The manifest of a version: of the loaded one, else as its file holds it. `None` = there is no such file any more.
    pub(super) async fn manifest(&self, digest: &Digest, guests: &dyn Guests) -> Option<Arc<Manifest>> {
        if let Some(manifest) = guests.manifest(digest) {
            return Some(manifest);
        }
        let embedded = crm_catalog::section::read(&self.read(digest).await.ok()?).ok()?;
        crm_catalog::parse(&embedded.manifest_text, "connector.toml").ok().map(Arc::new)
    }

    /// Loads a kept version if it is not loaded. Many may ask at once.
    pub(crate) async fn wake(&self, digest: &Digest, guests: &dyn Guests) -> Result<(), ServiceError> {
        let _one = self.loading.lock().await;
        if guests.manifest(digest).is_none() {
            self.load(digest).await?;
        }
        Ok(())
    }
}

/// Versions before the active one that stay in memory: a roll-back is one pointer, and an attempt that has just chosen its version finds it.
const READY_TO_RETURN: usize = 2;

fn name(digest: &Digest) -> Result<SpoolName, ServiceError> {
    SpoolName::new(digest.0.as_str()).map_err(unkept)
}

fn unkept(error: SpoolError) -> ServiceError {
    match error {
        SpoolError::NoSpace { .. } => ServiceError::NoSpace,
        other => ServiceError::Unavailable(format!("the shelf of connectors: {other}")),
    }
}
