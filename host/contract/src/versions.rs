//! The port through which versions of connectors come and go while the host runs. Implemented by `engine`; which version may be active,
//! and who says so, is `sync`'s to decide.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::Manifest;

use crate::ports::Digest;

/// A version that passed every check of the engine. It is loaded, and runs nothing until it is activated or a connection is pinned to it.
#[derive(Clone, Debug)]
pub struct Proved {
    pub digest: Digest,
    pub manifest: Arc<Manifest>,
    /// It imports WASI, which the operator allowed it by name.
    pub wasi: bool,
}

/// Why a file was not taken; what is active stays active.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// For the person who sent the file.
    pub why: String,
    /// The host could not finish the check: the same file may be sent again.
    pub hosts_fault: bool,
}

/// Proves, keeps, swaps and forgets versions.
#[async_trait]
pub trait Versions: Send + Sync {
    /// Checks a file completely and keeps it loaded beside the others of its connector.
    async fn prove(&self, file: Vec<u8>) -> Result<Proved, Refused>;

    /// New work of the version's connector runs this one from now on; work under way ends on the version that it began with. One pointer
    /// is swapped. `false` = it is not loaded, and nothing happened.
    fn activate(&self, digest: &Digest) -> bool;

    /// No version of this connector is active any more; those that are loaded stay so.
    fn retire(&self, connector: &str);

    /// Forgets a version; what runs on it ends in peace. `false` = it is active or not loaded, and nothing happened.
    fn unload(&self, digest: &Digest) -> bool;
}
