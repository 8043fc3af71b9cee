//! The smoke of a version that is about to be let in: the fixtures that its file packs, through an engine that holds it already. Sends
//! nothing and activates nothing. What must be among the fixtures is not asked here: that is the suite's, where connectors are made.

use std::fmt;
use std::time::Duration;

use crm_catalog::section::PackedFixture;
use crm_contract::ports::{Digest, GuestFault, Guests};

use crate::failure::Failure;
use crate::packed::unpacked;
use crate::suite::Suite;

/// After so many bad fixtures the rest is not run: the file is refused anyway, and each may cost a guest's whole time.
const ENOUGH: usize = 5;
/// Findings told of one fixture.
const TOLD: usize = 2;
/// Characters of one finding. A guest's own words may be in it.
const WORDS: usize = 400;

/// How a version did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Smoke {
    /// Fixtures that the file packs. 0: it proves nothing of itself, which is its author's choice.
    pub packed: usize,
    /// Fixtures that ran.
    pub ran: usize,
    /// Fixtures that failed.
    pub failed: usize,
    /// The first findings, each with fixture, line, place and rule.
    pub told: Vec<String>,
}

impl Smoke {
    pub fn passed(&self) -> bool {
        self.failed == 0
    }
}

impl fmt::Display for Smoke {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.packed, self.failed) {
            (0, _) => out.write_str("it packs no fixtures, so nothing was run"),
            (packed, 0) => write!(out, "it passes the {packed} fixtures that it packs"),
            (packed, failed) => {
                write!(out, "it packs {packed} fixtures and fails {failed} of the first {}: {}", self.ran, self.told.join(" | "))
            }
        }
    }
}

/// Why a version could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmokeError {
    /// Pack fewer, or quicker ones.
    #[error("its fixtures took longer than {seconds} s; {ran} of {packed} had ended")]
    OutOfTime { seconds: u64, ran: usize, packed: usize },
    /// The same may be tried again.
    #[error("the host had no place free to run its fixtures")]
    Busy,
    #[error("the version was unloaded while its fixtures ran")]
    Gone,
}

impl Suite {
    /// Runs packed fixtures, one after the other, through a version that the engine holds. `within`: for all of them together.
    ///
    /// # Errors
    /// When the version could not be judged; one that failed is judged.
    pub async fn smoke(&self, digest: &Digest, fixtures: &[PackedFixture], within: Duration) -> Result<Smoke, SmokeError> {
        let mut smoke = Smoke { packed: fixtures.len(), ..Smoke::default() };
        let ended = tokio::time::timeout(within, self.play_packed(digest, fixtures, &mut smoke)).await;
        match ended {
            Ok(Ok(())) => Ok(smoke),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(SmokeError::OutOfTime { seconds: within.as_secs(), ran: smoke.ran, packed: smoke.packed }),
        }
    }

    async fn play_packed(&self, digest: &Digest, fixtures: &[PackedFixture], smoke: &mut Smoke) -> Result<(), SmokeError> {
        let manifest = self.engine().manifest(digest).ok_or(SmokeError::Gone)?;
        for packed in fixtures {
            // One at a time, so that no more than one is in memory in the form that it takes when it is read.
            let read = unpacked(std::slice::from_ref(packed));
            let mut failures = read.bad;
            for fixture in &read.good {
                let mut found = self.play(digest, &manifest, fixture).await;
                // Says nothing about the connector.
                if found.iter().any(|found| found.stopped == Some(GuestFault::Busy)) {
                    return Err(SmokeError::Busy);
                }
                // First what everything else follows from, and nothing twice.
                found.sort_by_key(|found| found.stopped.is_none());
                found.dedup();
                failures.extend(found.into_iter().map(|found| Failure::of_fixture(fixture, found)));
            }
            if self.engine().manifest(digest).is_none() {
                return Err(SmokeError::Gone);
            }
            smoke.ran += 1;
            smoke.failed += usize::from(!failures.is_empty());
            smoke.told.extend(failures.iter().take(TOLD).map(|failure| printable(&failure.to_string())));
            if smoke.failed == ENOUGH {
                break;
            }
            // A place for others, and for the clock that may end this.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn printable(text: &str) -> String {
    text.chars().take(WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
