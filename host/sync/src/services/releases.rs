//! Versions of connectors: brought in, proved, let in by the operator where they may do more, swapped, rolled back. What is active is a
//! record, and the engine follows it: a host that dies at any point comes back with the old version or the new one.
//!
//! Files lie on the shelf under their digest. A record never names a file that is not there in full: the file is written and synced first,
//! and what no record names is swept away at the next start.

mod boot;
mod install;
mod shelf;
mod signature;
mod swap;

use crm_catalog::diff::{Change, Direction};
use crm_contract::ports::Digest;
use crm_store::model::{Kind, RecordKey};
use serde::{Deserialize, Serialize};

use super::records::{self, Document, Versioned};
use super::ServiceError;
use crate::context::Context;

pub use boot::{Started, start};
pub use install::{Installed, install};
pub use shelf::Shelf;
pub use signature::{Signed, TrustError, TrustRoots};
pub use swap::{activate, approve, remove, roll_back};

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
    /// What it may do that the version before it could not, and the other way round, in words. Shown before it is let in.
    pub changes: Vec<ReleaseChange>,
}

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// The host's own folder of connectors; the file's name in it.
    Folder { file: String },
    /// Sent to the operator's API.
    Upload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// It may do more than the active version, and nobody has said yes.
    WaitingForApproval,
    /// It may be active.
    Ready,
}

/// One difference in power.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseChange {
    pub wider: bool,
    /// What it is about, such as `calls (save)`.
    pub about: String,
    pub words: String,
}

impl From<Change> for ReleaseChange {
    fn from(change: Change) -> Self {
        Self { wider: change.direction == Direction::Wider, about: change.about, words: change.words }
    }
}

/// Which version of a connector new work runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub connector: String,
    pub active: Option<String>,
    /// What was active before, newest last: where a roll-back leads.
    pub before: Vec<String>,
    pub since: u64,
}

/// Versions that a roll-back can lead to.
const REMEMBERED: usize = 8;

impl Document for Release {
    const KIND: Kind = Kind::Release;
    const NAME: &'static str = "version";
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: self.id.clone() }
    }
    /// Its number, which belongs to one file for ever; and one name by which the versions of a connector are found.
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
    /// The same with another version active.
    fn with(mut self, digest: &Digest, now: u64) -> Self {
        self.before.retain(|id| *id != digest.0);
        if let Some(active) = self.active.replace(digest.0.clone()).filter(|active| *active != digest.0) {
            self.before.push(active);
        }
        let over = self.before.len().saturating_sub(REMEMBERED);
        self.before.drain(..over);
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
        Err(ServiceError::NotFound(_)) => {
            Ok(Versioned { value: Line { connector: connector.to_owned(), ..Line::default() }, version: 0 })
        }
        found => found,
    }
}

/// All versions that were brought in, of one connector or of all.
pub async fn list(context: &Context, connector: Option<&str>) -> Result<Vec<Release>, ServiceError> {
    let all = records::all::<Release>(context, "").await?;
    let mut found: Vec<Release> = all.into_iter().map(|release| release.value).collect();
    found.retain(|release| connector.is_none_or(|slug| release.connector == slug));
    found.sort_by(|a, b| (&a.connector, a.installed, &a.id).cmp(&(&b.connector, b.installed, &b.id)));
    Ok(found)
}

pub async fn get(context: &Context, digest: &str) -> Result<Versioned<Release>, ServiceError> {
    records::load(context, "", digest).await
}
