//! One recorded run, run again on a version that is loaded.

use std::sync::Arc;

use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::{CredentialSource, Digest, Gateway, GuestFault, Guests, Mode, Scope};
use crm_contract::types::{Answer, Ending, Error, Refusal, Report, Told, Trouble};
use crm_store::model::Outcome;
use serde::Serialize;

use super::compare::{self, Compared};
use super::offline::NoCredentials;
use super::recorded::Recorded;
use super::tape::{Left, Tape, Watched};
use crate::context::Context;
use crate::loose::connection_of;
use crate::services::{ServiceError, journal, syncs};

/// How a run went the second time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    pub calls: Vec<Compared>,
    /// How it ended when it was recorded, in a word or two, and how it ends now: for information, since nothing is sent by it.
    pub ended: String,
    pub ends: String,
    /// The guest was stopped, and was not when it was recorded.
    pub fault: Option<GuestFault>,
    /// What the guest logged.
    pub log: Vec<String>,
    /// What it reported now.
    pub report: Option<Report>,
}

impl Replayed {
    /// Whether it asks for the same, in the same order, and is not stopped.
    pub fn is_same(&self) -> bool {
        self.fault.is_none() && self.calls.iter().all(Compared::is_same)
    }
}

/// Runs it again. Nothing is sent.
///
/// # Errors
/// When it could not be run at all: the version is not loaded, or the host has no place for a guest now.
pub async fn replay(
    guests: &dyn Guests,
    gateway: &dyn Gateway,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    recorded: &Recorded,
    credentials: Arc<dyn CredentialSource>,
) -> Result<Replayed, GuestFault> {
    let tape = Tape::new(manifest.clone(), recorded.exchanges.clone(), recorded.resumed);
    let scope = Scope {
        manifest: manifest.clone(),
        organization: recorded.organization.clone(),
        connection: recorded.connection.clone(),
        account: recorded.account.clone(),
        choice: recorded.choice.clone(),
        on: connection_of(&recorded.invocation).clone(),
        stage: recorded.stage(),
        credentials,
        after_unknown: recorded.after_unknown,
    };
    let outbound = Arc::new(Watched { inner: gateway.open(scope, Mode::Replay, tape.clone()), tape: tape.clone() });
    let answer = guests.call(digest, recorded.invocation.clone(), outbound, tape.clone()).await;
    let Left { made, credentials, log } = tape.end();
    let report = match &answer {
        Ok(Answer::Report(report)) => Some(report.clone()),
        _ => None,
    };
    let outcome = match answer {
        Err(fault @ (GuestFault::NotLoaded(_) | GuestFault::Busy)) => return Err(fault),
        Err(fault) => Outcome::Fault(fault),
        Ok(answer) => ending(answer, recorded.stage(), credentials),
    };
    let fault = match (&recorded.outcome, &outcome) {
        (Outcome::Fault(before), Outcome::Fault(now)) if kind_of(before) == kind_of(now) => None,
        (_, Outcome::Fault(now)) => Some(now.clone()),
        _ => None,
    };
    let calls = compare::calls(manifest, &recorded.exchanges, &made);
    Ok(Replayed { calls, ended: word(&recorded.outcome), ends: word(&outcome), fault, log, report })
}

/// The last recorded run of one sync on a version that is loaded, with every value: for the person who asks what differs.
pub async fn of_sync(context: &Context, digest: &Digest, organization: &str, sync: &str) -> Result<(Recorded, Replayed), ServiceError> {
    let recorded = journal::run_of(context, organization, sync).await?;
    let manifest = context.guests.manifest(digest).ok_or(ServiceError::NotFound("version"))?;
    let replayed = replay(&*context.guests, &*context.gateway, digest, &manifest, &recorded, Arc::new(NoCredentials)).await?;
    Ok((recorded, replayed))
}

fn ending(answer: Answer, stage: Stage, credentials: Option<String>) -> Outcome {
    match (answer, credentials) {
        // As in the run itself: the guest cannot know why egress refused.
        (Answer::Report(report), Some(text)) if matches!(report.ending, Ending::Failed(_)) => {
            let told = Told { code: "credentials".into(), text };
            Outcome::Ended(Ending::Failed(Error::Credentials(Refusal { trouble: Trouble::Invalid, told })))
        }
        (Answer::Report(report), _) => Outcome::Ended(report.ending),
        _ => Outcome::Fault(GuestFault::Trapped(format!("the connector answered another function in stage {stage:?}"))),
    }
}

/// How a run ended, without any text of the vendor's.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ended(Ending::Done(success)) => format!("done, {}", spelled(&success.change)),
        Outcome::Ended(Ending::Later(_)) => "later".to_owned(),
        Outcome::Ended(Ending::Failed(error)) => format!("failed, {}", syncs::vendor_code(error)),
        Outcome::Fault(fault) => format!("stopped, {}", kind_of(fault)),
        Outcome::Interrupted | Outcome::Delivery { .. } => "interrupted".to_owned(),
    }
}

fn spelled(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The kind of a fault: what a trap says holds addresses of one build.
pub(super) fn kind_of(fault: &GuestFault) -> &'static str {
    match fault {
        GuestFault::Trapped(_) => "trapped",
        GuestFault::OutOfCpu { .. } => "out of CPU time",
        GuestFault::OutOfTime { .. } => "out of time",
        GuestFault::OutOfMemory { .. } => "out of memory",
        GuestFault::TooManyCalls { .. } => "too many calls",
        GuestFault::NotLoaded(_) => "not loaded",
        GuestFault::Busy => "busy",
    }
}
