//! What the operator sees of connectors and their versions.

use crm_catalog::diff::{self, Change};
use crm_contract::ports::Digest;

use super::canary::{Canary, Tally};
use super::{Ended, Line, Release, ReleaseState, get, line, of, releases};
use crate::context::Context;
use crate::services::ServiceError;
use crate::services::records;

/// How a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// New work runs it.
    Active,
    /// A part of the connections runs it.
    Trial,
    Ready,
    WaitingForApproval,
}

/// A version, and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionView {
    pub release: Release,
    pub standing: Standing,
    /// What it may do that the version before it could not, and the other way round, in words. Worked out where one version or one
    /// connector is asked for; empty in lists.
    pub changes: Vec<Change>,
}

/// A connector on this host.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectorView {
    pub connector: String,
    /// Empty where the connector was taken off.
    pub versions: Vec<VersionView>,
    pub active: Option<String>,
    pub since: u64,
    pub canary: Option<CanaryView>,
    pub ended: Option<Ended>,
}

/// A trial under way.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryView {
    pub order: Canary,
    /// Since it began, or the host started.
    pub trial: Tally,
    pub active: Tally,
}

/// Every connector that is or was on this host, by slug.
pub async fn connectors(context: &Context) -> Result<Vec<ConnectorView>, ServiceError> {
    let mut lines: Vec<Line> = records::all::<Line>(context, "").await?.into_iter().map(|line| line.value).collect();
    // A version may wait for approval or be kept ready where none was ever active.
    for release in releases(context).await? {
        if lines.iter().all(|line| line.connector != release.connector) {
            lines.push(Line { connector: release.connector, ..Line::default() });
        }
    }
    lines.sort_by(|a, b| a.connector.cmp(&b.connector));
    let mut views = Vec::with_capacity(lines.len());
    for line in lines {
        views.push(seen(context, line, false).await?);
    }
    Ok(views)
}

/// One connector.
pub async fn one(context: &Context, connector: &str) -> Result<ConnectorView, ServiceError> {
    let line = line(context, connector).await?;
    let view = seen(context, line.value, true).await?;
    if line.version == 0 && view.versions.is_empty() { Err(ServiceError::NotFound("connector")) } else { Ok(view) }
}

/// One version.
pub async fn version(context: &Context, digest: &str) -> Result<VersionView, ServiceError> {
    let release = get(context, digest).await?.value;
    let line = line(context, &release.connector).await?.value;
    Ok(VersionView { standing: standing(&line, &release), changes: changes(context, &release).await, release })
}

async fn seen(context: &Context, line: Line, compared: bool) -> Result<ConnectorView, ServiceError> {
    let mut versions = Vec::new();
    for release in of(context, &line.connector).await? {
        let changes = if compared { changes(context, &release).await } else { Vec::new() };
        versions.push(VersionView { standing: standing(&line, &release), changes, release });
    }
    let trial = context.shelf()?.trial(&line.connector);
    let counts = trial.map(|trial| trial.counts()).unwrap_or_default();
    Ok(ConnectorView {
        versions,
        active: line.active,
        since: line.since,
        canary: line.canary.map(|order| CanaryView { order, trial: counts.0, active: counts.1 }),
        ended: line.ended,
        connector: line.connector,
    })
}

fn standing(line: &Line, release: &Release) -> Standing {
    let is = |id: Option<&str>| id == Some(release.id.as_str());
    match release.state {
        _ if is(line.active.as_deref()) => Standing::Active,
        _ if is(line.canary.as_ref().map(|canary| canary.version.as_str())) => Standing::Trial,
        ReleaseState::Ready => Standing::Ready,
        ReleaseState::WaitingForApproval => Standing::WaitingForApproval,
    }
}

/// What it may do otherwise than the version that was active when it came in. Nothing where that one is gone.
async fn changes(context: &Context, release: &Release) -> Vec<Change> {
    let Some(over) = release.over.as_ref().filter(|over| **over != release.id) else { return Vec::new() };
    let manifest = async |id: &str| context.releases.as_ref()?.manifest(&Digest(id.to_owned()), context.guests.as_ref()).await;
    match (manifest(over).await, manifest(&release.id).await) {
        (Some(old), Some(new)) => diff::diff(&old, &new),
        _ => Vec::new(),
    }
}
