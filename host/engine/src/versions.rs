//! The port through which other rooms let versions come and go. Which one is to be active is theirs to decide.

use async_trait::async_trait;
use crm_contract::ports::Digest;
use crm_contract::versions::{Proved, Refused, Versions};

use crate::engine::Engine;
use crate::error::LoadError;

#[async_trait]
impl Versions for Engine {
    async fn prove(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        let proven = Self::prove(self, file).await.map_err(|error| refused(&error))?;
        let proved = Proved { digest: proven.digest().clone(), manifest: proven.manifest().clone(), wasi: proven.version.wasi };
        self.registry.keep(proven.version);
        Ok(proved)
    }

    fn activate(&self, digest: &Digest) -> bool {
        self.reactivate(digest)
    }

    fn retire(&self, connector: &str) {
        self.registry.retire(connector);
    }

    fn unload(&self, digest: &Digest) -> bool {
        Self::unload(self, digest)
    }
}

fn refused(error: &LoadError) -> Refused {
    Refused { why: error.to_string(), hosts_fault: matches!(error, LoadError::Host(_)) }
}
