//! The whole proof of a version: the engine's checks, then the fixtures that its file packs, before anybody can find it. Implements the port
//! through which versions come and go, over the host's own engine. Which version is to be active is not its to decide.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_catalog::section::{self, PackedFixture};
use crm_contract::ports::Digest;
use crm_contract::versions::{ProofStage, Proved, Refused, Versions};
use crm_engine::Engine;
use tokio::sync::Mutex;

use crate::smoke::SmokeError;
use crate::suite::Suite;

/// For all fixtures of one file. The largest connectors need a second.
const WITHIN: Duration = Duration::from_secs(30);

/// Proves versions, one after the other: one guest at a time runs for a proof, whatever is sent in at once.
pub struct Proving {
    suite: Suite,
    turn: Mutex<()>,
    within: Duration,
}

impl Proving {
    /// Over the engine that serves, which keeps what passes.
    ///
    /// # Errors
    /// When egress cannot be configured on this machine. Needs a tokio runtime.
    pub fn over(engine: Arc<Engine>) -> anyhow::Result<Self> {
        Ok(Self { suite: Suite::on(engine)?, turn: Mutex::default(), within: WITHIN })
    }

    /// With another bound on the time that the fixtures of one file may take together.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }
}

#[async_trait]
impl Versions for Proving {
    async fn prove(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        let _turn = self.turn.lock().await;
        let (file, fixtures) = unpack(file).await?;
        let engine = self.suite.engine();
        // Dropped before it is kept, for whichever reason, it takes the version with it.
        let trial = engine.admit(engine.prove(file).await?);
        let smoke = self.suite.smoke(trial.digest(), &fixtures, self.within).await.map_err(unjudged)?;
        tracing::info!(digest = trial.digest().0, packed = smoke.packed, ran = smoke.ran, failed = smoke.failed, "fixtures run");
        if !smoke.passed() {
            return Err(Refused::at(ProofStage::Smoke, smoke.to_string()));
        }
        Ok(Proved { fixtures: smoke.ran, ..trial.keep() })
    }

    async fn load(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        Versions::load(self.suite.engine().as_ref(), file).await
    }

    fn activate(&self, digest: &Digest) -> bool {
        Versions::activate(self.suite.engine().as_ref(), digest)
    }

    fn retire(&self, connector: &str) {
        Versions::retire(self.suite.engine().as_ref(), connector);
    }

    fn unload(&self, digest: &Digest) -> bool {
        Versions::unload(self.suite.engine().as_ref(), digest)
    }
}

/// The packed fixtures, before anything dear is done. What else is wrong with the file the engine says better.
async fn unpack(file: Vec<u8>) -> Result<(Vec<u8>, Vec<PackedFixture>), Refused> {
    let unpacked = tokio::task::spawn_blocking(move || {
        let fixtures = match section::read(&file) {
            Ok(_) => section::read_fixtures(&file)?,
            Err(_) => None,
        };
        Ok((file, fixtures.unwrap_or_default()))
    });
    let unpacked =
        unpacked.await.map_err(|error| Refused::at(ProofStage::Host, format!("the host could not finish the check: {error}")))?;
    unpacked.map_err(|error: section::SectionError| Refused::at(ProofStage::Section, error.to_string()))
}

fn unjudged(error: SmokeError) -> Refused {
    let stage = match error {
        SmokeError::OutOfTime { .. } => ProofStage::Smoke,
        SmokeError::Busy | SmokeError::Gone => ProofStage::Host,
    };
    Refused::at(stage, error.to_string())
}
