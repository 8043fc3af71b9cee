//! The port through which versions of connectors come and go while the host runs. Implemented by `engine`; which version may be active,
//! and who says so, is `sync`'s to decide.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use serde::{Deserialize, Serialize};

use crate::ports::Digest;

/// A version that passed every check of the engine. It is loaded, and runs nothing until it is activated or a connection is pinned to it.
#[derive(Clone, Debug)]
pub struct Proved {
    pub digest: Digest,
    pub manifest: Arc<Manifest>,
    /// It imports WASI, which the operator allowed it by name.
    pub wasi: bool,
    /// Fixtures that it packs, all of which it has just passed. 0: it packs none, so nothing but its form was proved, or it was only loaded.
    pub fixtures: usize,
}

/// The checks that a file goes through, from cheap to dear and from the outside in. The words are stable: scripts go by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofStage {
    /// Bytes of the file.
    Size,
    /// What must travel in it besides code: manifest, contract version, fixtures.
    Section,
    /// Whether this host speaks the contract that it was built for.
    WitVersion,
    Manifest,
    /// Whether it is a component, whole, and within every structural limit.
    Structure,
    /// What it asks of the host, by name and by type.
    Imports,
    /// What it offers, by name and by type.
    Exports,
    Compile,
    /// One instance is made, under a guest's limits.
    Instantiate,
    /// It is run on the fixtures that it packs.
    Smoke,
    /// No check of the file: the host could not finish one.
    Host,
}

impl ProofStage {
    pub const ALL: [Self; 11] = [
        Self::Size,
        Self::Section,
        Self::WitVersion,
        Self::Manifest,
        Self::Structure,
        Self::Imports,
        Self::Exports,
        Self::Compile,
        Self::Instantiate,
        Self::Smoke,
        Self::Host,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Section => "section",
            Self::WitVersion => "wit-version",
            Self::Manifest => "manifest",
            Self::Structure => "structure",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Compile => "compile",
            Self::Instantiate => "instantiate",
            Self::Smoke => "smoke",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for ProofStage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Why a file was not taken; what is active stays active.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// Which check said no.
    pub stage: ProofStage,
    /// For the person who sent the file.
    pub why: String,
    /// The host could not finish the check: the same file may be sent again.
    pub hosts_fault: bool,
}

impl Refused {
    /// The file is to blame, unless it is the host that could not finish.
    pub fn at(stage: ProofStage, why: impl Into<String>) -> Self {
        Self { stage, why: why.into(), hosts_fault: stage == ProofStage::Host }
    }
}

/// Proves, keeps, swaps and forgets versions.
#[async_trait]
pub trait Versions: Send + Sync {
    /// Checks a file completely and keeps it loaded beside the others of its connector. A file that is refused leaves nothing behind.
    async fn prove(&self, file: Vec<u8>) -> Result<Proved, Refused>;

    /// Loads a file that was proved before, such as at the host's start: it is checked as any file is, and not run on its fixtures again.
    async fn load(&self, file: Vec<u8>) -> Result<Proved, Refused>;

    /// New work of the version's connector runs this one from now on; work under way ends on the version that it began with. One pointer
    /// is swapped. `false` = it is not loaded, and nothing happened.
    fn activate(&self, digest: &Digest) -> bool;

    /// No version of this connector is active any more; those that are loaded stay so.
    fn retire(&self, connector: &str);

    /// Forgets a version; what runs on it ends in peace. `false` = it is active or not loaded, and nothing happened.
    fn unload(&self, digest: &Digest) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_has_one_word_everywhere() {
        for stage in ProofStage::ALL {
            assert_eq!(serde_json::to_value(stage).ok(), Some(serde_json::json!(stage.as_str())));
        }
    }
}
