//! A proven version on trial: it can be called by its digest, as the conformance suite does, and is listed nowhere until it is kept. Must
//! not judge it.

use std::sync::Arc;

use crm_contract::ports::Digest;
use crm_contract::versions::Proved;

use crate::engine::Engine;
use crate::prove::Proven;
use crate::registry::Version;

/// Ends the trial when it is dropped: a version that nobody kept is gone then, whatever happened to whoever tried it.
pub struct Trial<'a> {
    engine: &'a Engine,
    version: Arc<Version>,
}

impl Engine {
    /// Lets a proven version be called by its digest. One that was loaded before stays loaded, whatever comes of the trial.
    pub fn admit(&self, proven: Proven) -> Trial<'_> {
        self.registry.admit(proven.version.clone());
        Trial { engine: self, version: proven.version }
    }
}

impl Trial<'_> {
    pub fn digest(&self) -> &Digest {
        &self.version.digest
    }

    /// Keeps the version loaded beside the others of its connector. What is active stays.
    pub fn keep(self) -> Proved {
        self.engine.registry.keep(self.version.clone());
        let version = &self.version;
        Proved { digest: version.digest.clone(), manifest: version.manifest.clone(), wasi: version.wasi, fixtures: 0 }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.engine.registry.dismiss(&self.version.digest);
    }
}
