//! The port through which other rooms let versions come and go. Which one is to be active is theirs to decide. Here a file is proved as far
//! as an engine can: running it on the fixtures that it packs is the conformance suite's, through [`Engine::admit`].

use async_trait::async_trait;
use crm_contract::ports::{Digest, GuestFault};
use crm_contract::versions::{ProofStage, Proved, Refused, Versions};

use crate::engine::Engine;
use crate::error::{CompileFault, LoadError, ScanFault};

#[async_trait]
impl Versions for Engine {
    async fn prove(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        let proven = Self::prove(self, file).await?;
        Ok(self.admit(proven).keep())
    }

    /// The same: an engine knows no fixtures.
    async fn load(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        Versions::prove(self, file).await
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

impl LoadError {
    /// Which check said no.
    pub fn stage(&self) -> ProofStage {
        match self {
            Self::TooLarge { .. } => ProofStage::Size,
            Self::Section(_) => ProofStage::Section,
            Self::WitVersion { .. } => ProofStage::WitVersion,
            Self::Manifest(_) => ProofStage::Manifest,
            Self::Scan(ScanFault::ForeignImport { .. } | ScanFault::WasiNotAllowed { .. } | ScanFault::NetworkImport { .. }) => {
                ProofStage::Imports
            }
            Self::Scan(ScanFault::MissingExport { .. }) => ProofStage::Exports,
            Self::Scan(_) => ProofStage::Structure,
            Self::Compile(CompileFault::Worker(_)) => ProofStage::Host,
            Self::Compile(_) => ProofStage::Compile,
            Self::ImportShape(_) => ProofStage::Imports,
            Self::ExportShape(_) => ProofStage::Exports,
            Self::SelfTest(GuestFault::Busy) => ProofStage::Host,
            Self::SelfTest(_) => ProofStage::Instantiate,
            Self::Host(_) => ProofStage::Host,
        }
    }

    /// The same file may do better another time. So may one that had too little of the machine: the worker stands back for syncs.
    fn is_hosts_fault(&self) -> bool {
        self.stage() == ProofStage::Host || matches!(self, Self::Compile(CompileFault::OutOfTime { .. }))
    }
}

impl From<LoadError> for Refused {
    fn from(error: LoadError) -> Self {
        Self { stage: error.stage(), why: error.to_string(), hosts_fault: error.is_hosts_fault() }
    }
}
