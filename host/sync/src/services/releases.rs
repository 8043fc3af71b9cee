//! Versions of connectors: brought in, proved, let in by the operator where they may do more, swapped, tried on a part of the connections,
//! rolled back. What is active is a record, and the engine follows it: a host that dies at any point comes back with the old version or the
//! new one.
//!
//! Files lie on the shelf under their digest. A record never names a file that is not there in full: the file is written and synced first,
//! and what no record names is swept away at the next start.

mod boot;
mod canary;
mod install;
mod refused;
mod shelf;
mod signature;
mod swap;
mod uninstall;
mod usage;
mod view;

use crm_contract::ports::Digest;
use crm_store::model::{Kind, RecordKey};
use serde::{Deserialize, Serialize};

use super::ServiceError;
use super::records::{self, Document, Versioned};
use crate::context::Context;
use crate::replay::{Gate, Recorded, Replayed};

pub use boot::{Started, start};
pub use canary::Tally;
pub(crate) use canary::tally;
pub use canary::{Canary, CanaryOrder, Ended, set_canary, stop_canary};
pub use install::{Installed, Intake, install};
pub use refused::{RefusedFile, refused};
pub use shelf::Shelf;
pub use signature::{SignaturePolicy, TrustError, TrustRoots};
pub use swap::{activate, approve, pinnable, remove, roll_back};
pub use uninstall::{Uninstalled, uninstall};
pub use view::{CanaryView, ConnectorView, Standing, VersionView, connectors, one, version};

/// One version, as it was brought in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// BLAKE3 of the file, lower-case hex.
    pub id: String,
    pub connector: String,
    /// What its manifest calls it.
    pub version: String,
    pub bytes: u64,
    pub source: Source,
    /// The trust root that signed the file; `None` = it was not signed, and did not have to be.
    pub signer: Option<String>,
    /// The operator's key that brought it in; empty = the host itself, from its folder.
    pub by: String,
    pub installed: u64,
    pub state: ReleaseState,
    /// The version that was active when it came in: what it may do is compared with that one's manifest.
    pub over: Option<String>,
    /// The operator's key that said yes to what it may do more, and when.
    pub approved: Option<Approval>,
    /// Fixtures in the file that it was run on, all of which it passed; 0 = it holds none.
    #[serde(default)]
    pub fixtures: u64,
    /// How it did with the syncs done last; `None` = no version was active, or none is to be replayed.
    #[serde(default)]
    pub gate: Option<Gate>,
}

/// Somebody's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    pub at: u64,
}

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// The host's own folder of connectors; the file's name in it.
    Folder { file: String },
    /// Sent to the operator's API.
    Upload,
    /// Sent to the operator's API by somebody who pulled it from a registry: the reference, as they stated it.
    Registry { reference: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// It may do more than the active version, or does it otherwise, and nobody has said yes.
    WaitingForApproval,
    /// It may be active.
    Ready,
}

/// Which version of a connector new work runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub connector: String,
    pub active: Option<String>,
    /// What was active before, newest last: where a roll-back leads.
    pub before: Vec<String>,
    pub since: u64,
    /// A version on trial beside the active one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// How the last trial ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// It is being taken off the host: a start that finds this goes on with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Connections wait for it to come back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missed: bool,
}

/// Versions that a roll-back can lead to.
const REMEMBERED: usize = 8;

impl Document for Release {
    const KIND: Kind = Kind::Release;
    const NAME: &'static str = "version";
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: self.id.clone() }
    }
    /// Its number, which belongs to one file for as long as that is kept.
    fn unique(&self) -> Vec<(String, String)> {
        vec![("number".to_owned(), number(&self.connector, &self.version))]
    }
}

impl Document for Line {
    const KIND: Kind = Kind::Line;
    const NAME: &'static str = "connector";
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: line_id(&self.connector) }
    }
    fn unique(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl Line {
    /// The same with another version active. A trial of that version is over; one of another goes on.
    fn with(mut self, digest: &Digest, now: u64) -> Self {
        self.before.retain(|id| *id != digest.0);
        if let Some(active) = self.active.replace(digest.0.clone()).filter(|active| *active != digest.0) {
            self.before.push(active);
        }
        let over = self.before.len().saturating_sub(REMEMBERED);
        self.before.drain(..over);
        self.canary = self.canary.take().filter(|canary| canary.version != digest.0);
        self.since = now;
        self
    }
}

/// A connector's version number as the unique name that it is.
fn number(connector: &str, version: &str) -> String {
    format!("{connector}/{version}")
}

/// A slug as the id of a record. Slugs hold no `_`, so no two become one.
fn line_id(connector: &str) -> String {
    connector.replace('-', "_")
}

/// A connector's line; an empty one where nothing was ever active.
async fn line(context: &Context, connector: &str) -> Result<Versioned<Line>, ServiceError> {
    match records::load::<Line>(context, "", &line_id(connector)).await {
        Err(ServiceError::NotFound(_)) => Ok(Versioned { value: Line { connector: connector.to_owned(), ..Line::default() }, version: 0 }),
        found => found,
    }
}

/// The last recorded run of one sync, run again on a version, with every value: for the operator who asks what differs.
pub async fn replay_sync(context: &Context, digest: &str, organization: &str, sync: &str) -> Result<(Recorded, Replayed), ServiceError> {
    let release = get(context, digest).await?.value;
    let digest = Digest(release.id);
    context.shelf()?.wake(&digest, context.guests.as_ref()).await?;
    crate::replay::of_sync(context, &digest, organization, sync).await
}

async fn releases(context: &Context) -> Result<Vec<Release>, ServiceError> {
    Ok(records::all::<Release>(context, "").await?.into_iter().map(|release| release.value).collect())
}

/// All versions of a connector that were brought in, by number, lowest first.
async fn of(context: &Context, connector: &str) -> Result<Vec<Release>, ServiceError> {
    let mut found = releases(context).await?;
    found.retain(|release| release.connector == connector);
    found.sort_by_cached_key(|release| (semver::Version::parse(&release.version).ok(), release.installed));
    Ok(found)
}

async fn get(context: &Context, digest: &str) -> Result<Versioned<Release>, ServiceError> {
    records::load(context, "", digest).await
}
