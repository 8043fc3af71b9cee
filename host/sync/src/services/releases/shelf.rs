//! Where files of versions lie, and the engine that proves and swaps them.

use std::sync::Arc;

use crm_contract::ports::Digest;
use crm_contract::spool::{Spool, SpoolError, SpoolName};
use crm_contract::versions::{Proved, Versions};
use tokio::sync::Mutex;

use super::TrustRoots;
use crate::services::ServiceError;

/// One per host. Installs and swaps happen one after the other.
pub struct Shelf {
    pub versions: Arc<dyn Versions>,
    files: Arc<dyn Spool>,
    pub trust: TrustRoots,
    /// The largest file that is taken, in bytes.
    pub most_bytes: usize,
    turn: Mutex<()>,
}

impl Shelf {
    pub fn new(versions: Arc<dyn Versions>, files: Arc<dyn Spool>, trust: TrustRoots, most_bytes: usize) -> Self {
        Self { versions, files, trust, most_bytes, turn: Mutex::new(()) }
    }

    /// Held while the records of versions are changed, so that engine and records agree.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
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

    pub(super) async fn read(&self, digest: &Digest) -> Result<Vec<u8>, ServiceError> {
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

    /// Reads a kept file and has it proved; the engine's cache makes that quick.
    pub(super) async fn load(&self, digest: &Digest) -> Result<Proved, ServiceError> {
        let file = self.read(digest).await?;
        let proved = self.versions.prove(file).await.map_err(|refused| ServiceError::Damaged(refused.why))?;
        if proved.digest != *digest {
            return Err(ServiceError::Damaged(format!("the file of version {} holds another one", digest.0)));
        }
        Ok(proved)
    }
}

fn name(digest: &Digest) -> Result<SpoolName, ServiceError> {
    SpoolName::new(digest.0.as_str()).map_err(unkept)
}

fn unkept(error: SpoolError) -> ServiceError {
    match error {
        SpoolError::NoSpace { .. } => ServiceError::NoSpace,
        other => ServiceError::Unavailable(format!("the shelf of connectors: {other}")),
    }
}
