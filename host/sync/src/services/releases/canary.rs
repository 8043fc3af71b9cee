//! A trial of a version on a part of the connections. Which part is worked out from the connection's id alone: a connection stays on its side
//! for as long as the trial lasts, and raising the share leaves those that are in. When the trial fails clearly more often than the active
//! version, it ends by itself.
//!
//! The counts are kept in memory: a restart of the host begins counting anew, on the same connections.

use crm_contract::ports::{Digest, GuestFault};
use crm_contract::types::{Ending, Error};
use crm_store::model::{Attempt, Outcome};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{Line, line, swap};
use crate::context::Context;
use crate::services::records::{self, Versioned};
use crate::services::{ServiceError, audit};

/// A trial, as the operator ordered it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Digest of the version on trial.
    pub version: String,
    /// Share of the connections, in percent: 1 to 100.
    pub percent: u32,
    /// Percentage points by which its share of failed attempts may exceed the active version's.
    pub margin: u32,
    /// Attempts of the trial before it is judged.
    pub attempts: u32,
    pub since: u64,
    /// The operator's key.
    pub by: String,
}

/// What the operator says of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryOrder {
    pub version: String,
    pub percent: u32,
    pub margin: u32,
    pub attempts: u32,
}

impl Default for CanaryOrder {
    /// A tenth of the connections, ended at five points more failures over at least fifty attempts.
    fn default() -> Self {
        Self { version: String::new(), percent: 10, margin: 5, attempts: 50 }
    }
}

/// How a trial ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub version: String,
    pub at: u64,
    /// In words, with the figures.
    pub why: String,
}

/// Attempts of one side, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub attempts: u64,
    pub failed: u64,
}

impl Tally {
    fn note(&mut self, failed: bool) {
        self.attempts += 1;
        self.failed += u64::from(failed);
    }
}

/// A trial under way.
pub(crate) struct Trial {
    pub(super) order: Canary,
    tallies: Mutex<Tallies>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tallies {
    trial: Tally,
    active: Tally,
    /// Judged, and found wanting: said once.
    condemned: bool,
}

impl Trial {
    pub(super) fn new(order: Canary) -> Self {
        Self { order, tallies: Mutex::default() }
    }

    /// The version of a connection that is in.
    pub(crate) fn takes(&self, connection: &str) -> Option<Digest> {
        let hash = blake3::hash(connection.as_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        (u32::from_le_bytes([a, b, c, d]) % 100 < self.order.percent).then(|| Digest(self.order.version.clone()))
    }

    /// Counts of the trial and of the active version since the trial began, or the host started.
    pub(super) fn counts(&self) -> (Tally, Tally) {
        let tallies = self.tallies.lock();
        (tallies.trial, tallies.active)
    }

    /// Notes an attempt; the reason when the trial must end, once.
    fn note(&self, digest: &Digest, active: Option<&Digest>, failed: bool) -> Option<String> {
        let mut tallies = self.tallies.lock();
        if digest.0 == self.order.version {
            tallies.trial.note(failed);
        } else if active == Some(digest) {
            tallies.active.note(failed);
        }
        let why = verdict(&self.order, tallies.trial, tallies.active)?;
        (!std::mem::replace(&mut tallies.condemned, true)).then_some(why)
    }
}

/// Why the trial must end, as far as the counts say so. With no attempt of the active version to compare with, its share counts as nothing.
fn verdict(order: &Canary, trial: Tally, active: Tally) -> Option<String> {
    if trial.attempts < u64::from(order.attempts.max(1)) {
        return None;
    }
    // Shares are compared as fractions: failed/attempts > failed/attempts + margin/100, all times 100 and both denominators.
    let (tried, served) = (u128::from(trial.attempts), u128::from(active.attempts.max(1)));
    let left = u128::from(trial.failed) * 100 * served;
    let right = u128::from(active.failed) * 100 * tried + u128::from(order.margin) * tried * served;
    (left > right).then(|| {
        format!(
            "{} of {} attempts failed on the trial, {} of {} on the active version: more than {} points apart",
            trial.failed, trial.attempts, active.failed, active.attempts, order.margin
        )
    })
}

/// Whether an attempt counts as failed by its version. What the merchant must mend (credentials) and what a limit held back does not.
fn failed(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Ended(Ending::Done(_) | Ending::Later(_)) => Some(false),
        Outcome::Ended(Ending::Failed(Error::Credentials(_) | Error::RateLimited(_)))
        | Outcome::Fault(GuestFault::Busy | GuestFault::NotLoaded(_))
        | Outcome::Interrupted
        | Outcome::Delivery { .. } => None,
        Outcome::Ended(Ending::Failed(_)) | Outcome::Fault(_) => Some(true),
    }
}

/// Counts an attempt that has ended, and ends the trial that it condemns.
pub(crate) async fn tally(context: &Context, attempt: &Attempt) {
    let Some(trial) = context.releases.as_ref().and_then(|shelf| shelf.trial(&attempt.connector)) else { return };
    let Some(failed) = failed(&attempt.outcome) else { return };
    let active = context.guests.active(&attempt.connector).map(|(digest, _)| digest);
    let Some(why) = trial.note(&attempt.digest, active.as_ref(), failed) else { return };
    tracing::error!(connector = attempt.connector, version = trial.order.version, why, "the trial of a connector version ends");
    metrics::counter!("crm_canaries_ended_total").increment(1);
    if let Err(error) = end(context, &attempt.connector, &trial.order.version, Some(why)).await {
        // The next failed attempt would not say it again: the operator must.
        tracing::error!(connector = attempt.connector, %error, "the trial could not be ended: stop it by hand");
    }
}

/// Puts a version on trial, or changes the share of one that is.
///
/// # Errors
/// `Conflict` (`not_approved`), `Conflict` (`version_active`): there is nothing to try.
pub async fn set_canary(context: &Context, connector: &str, order: CanaryOrder) -> Result<(), ServiceError> {
    if !(1..=100).contains(&order.percent) {
        return Err(ServiceError::invalid("percent", "must be 1 to 100"));
    }
    if order.margin > 100 {
        return Err(ServiceError::invalid("margin", "must be 0 to 100 percentage points"));
    }
    if order.attempts == 0 {
        return Err(ServiceError::invalid("attempts", "must be at least 1"));
    }
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let release = swap::approved(context, &order.version).await?;
    if release.connector != connector {
        return Err(ServiceError::invalid("version", format!("this is a version of {}", release.connector)));
    }
    let mut current = line(context, connector).await?;
    if current.value.active.as_deref() == Some(&release.id) {
        return Err(ServiceError::conflict("version_active", "this version is the active one: there is nothing to try"));
    }
    shelf.wake(&Digest(release.id.clone()), context.guests.as_ref()).await?;
    let by = context.actor.as_ref().map(|actor| actor.id.clone()).unwrap_or_default();
    let CanaryOrder { version, percent, margin, attempts } = order;
    current.value.canary = Some(Canary { version, percent, margin, attempts, since: context.now(), by });
    let details = [("connector", connector.to_owned()), ("percent", percent.to_string())];
    write(context, current, "connector.trial_started", &release.id, &details).await
}

/// Ends a trial; the active version serves all again. No trial is no error.
pub async fn stop_canary(context: &Context, connector: &str) -> Result<(), ServiceError> {
    let Versioned { value, .. } = line(context, connector).await?;
    match value.canary {
        Some(canary) => end(context, connector, &canary.version, None).await,
        None => Ok(()),
    }
}

async fn end(context: &Context, connector: &str, version: &str, why: Option<String>) -> Result<(), ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let mut current = line(context, connector).await?;
    // Ended or replaced meanwhile.
    if current.value.canary.take_if(|canary| canary.version == version).is_none() {
        return Ok(());
    }
    let mut details = vec![("connector", connector.to_owned())];
    if let Some(why) = why {
        details.push(("why", why.clone()));
        current.value.ended = Some(Ended { version: version.to_owned(), at: context.now(), why });
    }
    write(context, current, "connector.trial_ended", version, &details).await
}

async fn write(
    context: &Context,
    line: Versioned<Line>,
    action: &str,
    target: &str,
    details: &[(&str, String)],
) -> Result<(), ServiceError> {
    let log = audit::entry(context, "", action, target, details)?;
    context.store.commit(vec![records::put(&line.value, line.version)?, log], Vec::new()).await?;
    swap::follow(context, &line.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(percent: u32, margin: u32, attempts: u32) -> Canary {
        Canary { version: "new".into(), percent, margin, attempts, since: 0, by: String::new() }
    }

    fn tally(attempts: u64, failed: u64) -> Tally {
        Tally { attempts, failed }
    }

    #[test]
    fn a_trial_is_judged_by_its_share_of_failures_above_the_active_versions() {
        let table = [
            (order(10, 5, 10), tally(9, 9), tally(0, 0), false),
            (order(10, 5, 10), tally(10, 1), tally(0, 0), true),
            (order(10, 5, 10), tally(10, 0), tally(0, 0), false),
            (order(10, 5, 20), tally(20, 1), tally(100, 0), false),
            (order(10, 5, 20), tally(20, 2), tally(100, 0), true),
            (order(10, 5, 20), tally(20, 11), tally(100, 50), false),
            (order(10, 5, 20), tally(20, 12), tally(100, 50), true),
            (order(10, 0, 1), tally(1, 1), tally(1, 1), false),
        ];
        for (order, trial, active, ends) in table {
            assert_eq!(verdict(&order, trial, active).is_some(), ends, "{order:?} {trial:?} {active:?}");
        }
    }

    #[test]
    fn a_trial_is_condemned_once() {
        let trial = Trial::new(order(10, 0, 1));
        let (new, old) = (Digest("new".into()), Digest("old".into()));
        assert_eq!(trial.note(&old, Some(&old), false), None);
        assert!(trial.note(&new, Some(&old), true).is_some_and(|why| why.contains("1 of 1") && why.contains("0 of 1")));
        assert_eq!(trial.note(&new, Some(&old), true), None);
        assert_eq!(trial.counts(), (tally(2, 2), tally(1, 0)));
    }

    #[test]
    fn a_larger_share_keeps_those_that_are_in_and_the_share_is_about_what_was_asked() {
        let connections: Vec<String> = (0..10_000).map(|n| format!("con_{n:026}")).collect();
        let in_at = |percent| connections.iter().filter(|c| Trial::new(order(percent, 5, 1)).takes(c).is_some()).collect::<Vec<_>>();
        let (ten, thirty, all) = (in_at(10), in_at(30), in_at(100));
        assert!((800..1_200).contains(&ten.len()), "{}", ten.len());
        assert!(ten.iter().all(|c| thirty.contains(c)) && all.len() == 10_000);
    }
}
