//! Versions of connectors, as the operator sees them.

use crm_catalog::diff::{Change, Direction};
use crm_sync::replay::{Differs, Gate, Place};
use crm_sync::services::releases::{
    CanaryView, ConnectorView, Ended, Installed, RefusedFile as KeptRefused, Source as KeptSource, Standing, Tally, Uninstalled as Gone,
    VersionView,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::time;

/// How to take a connector file in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InstallQuery {
    /// `false`: it is only kept ready, to be pinned, tried or activated. Left out, new work runs it as soon as it may.
    pub(crate) activate: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UninstallQuery {
    /// `true`: also while connections use it. Their jobs then wait until it is back.
    pub(crate) force: Option<bool>,
}

/// Say yes to a version that may do more than the active one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproveVersion {
    /// `false`: it is kept ready. Left out, new work runs it from now on.
    #[serde(default)]
    pub(crate) activate: Option<bool>,
}

/// Let a part of the connections run another version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialOrder {
    /// Digest of the version to try.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub(crate) version: String,
    /// Share of the connections. A connection stays on its side; raising the share leaves those that are in.
    #[schema(minimum = 1, maximum = 100)]
    pub(crate) percent: u32,
    /// The trial ends by itself when its share of failed attempts exceeds the active version's by more than so many percentage points; 5 if
    /// left out.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    pub(crate) margin: Option<u32>,
    /// Attempts of the trial before it is judged; 50 if left out.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub(crate) attempts: Option<u32>,
}

/// How a version stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum VersionState {
    /// New work runs it.
    Active,
    /// A part of the connections runs it.
    Trial,
    /// It may be activated, tried, and pinned.
    Ready,
    /// It may do more than the active version, or does it otherwise: nothing runs it before an operator says yes.
    WaitingForApproval,
}

/// One version of a connector: one file, named by its digest for ever.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectorVersion {
    /// BLAKE3 of the file.
    id: String,
    connector: String,
    /// Its number, as its manifest says.
    version: String,
    state: VersionState,
    bytes: u64,
    source: VersionSource,
    /// The trusted key that signed the file; null = it was not signed, and did not have to be.
    signer: Option<String>,
    /// The operator's key that brought it in; null = the host itself, from its folder.
    by: Option<String>,
    installed: String,
    approval: Option<VersionApproval>,
    /// Fixtures in the file that it was run on, and passed; 0 = it holds none.
    fixtures: u64,
    /// What it would have sent in the syncs that its connector did last; null = there was no active version to compare with.
    replay: Option<ReplaySummary>,
    /// The version that it was compared with: the active one when it came in.
    compared_with: Option<String>,
    /// What it may do otherwise than that one, those that widen first.
    changes: Vec<VersionChange>,
}

/// The syncs done last, run again on a version without sending anything.
#[derive(Debug, Serialize, ToSchema)]
struct ReplaySummary {
    /// Syncs that were run again.
    replayed: u32,
    /// Of those: the same requests in the same order.
    same: u32,
    /// Of those: ended in another way than they had.
    ended_otherwise: u32,
    /// Not all that were asked for could be run again in time.
    cut_short: bool,
    /// What is different, most frequent first.
    places: Vec<ReplayPlace>,
    /// The newest syncs that differ: `GET .../replay` shows one in full.
    different: Vec<ReplayDifference>,
}

/// One kind of difference.
#[derive(Debug, Serialize, ToSchema)]
struct ReplayPlace {
    /// The call; empty = the run as a whole.
    call: String,
    /// Such as `body at /tags/0`, `new call`, `no longer made`.
    what: String,
    /// In how many syncs.
    syncs: u32,
}

/// One sync that differs.
#[derive(Debug, Serialize, ToSchema)]
struct ReplayDifference {
    organization: String,
    sync: String,
    words: String,
}

/// Who said yes, and when.
#[derive(Debug, Serialize, ToSchema)]
struct VersionApproval {
    by: String,
    at: String,
}

/// Where a file came from.
#[derive(Debug, Serialize, ToSchema)]
struct VersionSource {
    /// `folder`, `upload` or `registry`.
    kind: &'static str,
    /// The file's name in the host's folder.
    file: Option<String>,
    /// The registry's reference, as the sender stated it.
    reference: Option<String>,
}

/// One difference in what a version may do.
#[derive(Debug, Serialize, ToSchema)]
struct VersionChange {
    /// It may do more: an operator must agree.
    wider: bool,
    /// What it is about, such as `calls (save)`.
    about: String,
    words: String,
}

/// What became of a file that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstalledVersion {
    #[serde(flatten)]
    version: ConnectorVersion,
    /// It was here already, and nothing changed.
    known: bool,
}

/// A connector on this host.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectorVersions {
    connector: String,
    /// Digest of the version that new work runs; null = none.
    active: Option<String>,
    /// Since when.
    since: String,
    trial: Option<VersionTrial>,
    /// How the last trial ended by itself.
    last_trial: Option<EndedTrial>,
    /// By number, lowest first.
    versions: Vec<ConnectorVersion>,
}

/// A trial under way.
#[derive(Debug, Serialize, ToSchema)]
struct VersionTrial {
    /// Digest of the version.
    version: String,
    percent: u32,
    margin: u32,
    attempts: u32,
    since: String,
    /// The operator's key.
    by: String,
    /// Of the version on trial, since it began or the host started.
    tried: AttemptTally,
    /// Of the active version, in the same time.
    served: AttemptTally,
}

/// Attempts, and how many of them failed. Refused credentials and spent limits are no failures.
#[derive(Debug, Serialize, ToSchema)]
struct AttemptTally {
    attempts: u64,
    failed: u64,
}

/// A trial that ended by itself.
#[derive(Debug, Serialize, ToSchema)]
struct EndedTrial {
    version: String,
    at: String,
    /// In words, with the figures.
    why: String,
}

/// A file that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedFile {
    /// BLAKE3 of the file.
    id: String,
    source: VersionSource,
    bytes: u64,
    /// The operator's key that sent it; null = the host itself, from its folder.
    by: Option<String>,
    at: String,
    /// Which check said no: `signature`, `number` (another file has it), `size`, `section`, `wit-version`, `manifest`, `structure`, `imports`,
    /// `exports`, `compile`, `instantiate`, or `smoke` (the fixtures in the file).
    stage: String,
    why: String,
}

/// What was taken off.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UninstalledConnector {
    versions: usize,
    /// Connections whose jobs wait for the connector from now on.
    parked_connections: usize,
}

fn said(by: String) -> Option<String> {
    Some(by).filter(|by| !by.is_empty())
}

impl From<KeptSource> for VersionSource {
    fn from(kept: KeptSource) -> Self {
        match kept {
            KeptSource::Folder { file } => Self { kind: "folder", file: Some(file), reference: None },
            KeptSource::Upload => Self { kind: "upload", file: None, reference: None },
            KeptSource::Registry { reference } => Self { kind: "registry", file: None, reference: Some(reference) },
        }
    }
}

impl From<Change> for VersionChange {
    fn from(change: Change) -> Self {
        Self { wider: change.direction == Direction::Wider, about: change.about, words: change.words }
    }
}

impl From<VersionView> for ConnectorVersion {
    fn from(VersionView { release, standing, changes }: VersionView) -> Self {
        Self {
            state: match standing {
                Standing::Active => VersionState::Active,
                Standing::Trial => VersionState::Trial,
                Standing::Ready => VersionState::Ready,
                Standing::WaitingForApproval => VersionState::WaitingForApproval,
            },
            id: release.id,
            connector: release.connector,
            version: release.version,
            bytes: release.bytes,
            source: release.source.into(),
            signer: release.signer,
            by: said(release.by),
            installed: time(release.installed),
            fixtures: release.fixtures,
            replay: release.gate.map(Into::into),
            approval: release.approved.map(|yes| VersionApproval { by: yes.by, at: time(yes.at) }),
            compared_with: release.over,
            changes: changes.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Gate> for ReplaySummary {
    fn from(gate: Gate) -> Self {
        let place = |Place { call, what, syncs }| ReplayPlace { call, what, syncs };
        let difference = |Differs { organization, sync, words }| ReplayDifference { organization, sync, words };
        Self {
            replayed: gate.replayed,
            same: gate.same,
            ended_otherwise: gate.ended_otherwise,
            cut_short: gate.cut_short,
            places: gate.places.into_iter().map(place).collect(),
            different: gate.different.into_iter().map(difference).collect(),
        }
    }
}

impl InstalledVersion {
    pub(crate) fn new(installed: &Installed, view: VersionView) -> Self {
        Self { version: view.into(), known: installed.known }
    }
}

impl From<Tally> for AttemptTally {
    fn from(tally: Tally) -> Self {
        Self { attempts: tally.attempts, failed: tally.failed }
    }
}

impl From<CanaryView> for VersionTrial {
    fn from(CanaryView { order, trial, active }: CanaryView) -> Self {
        Self {
            version: order.version,
            percent: order.percent,
            margin: order.margin,
            attempts: order.attempts,
            since: time(order.since),
            by: order.by,
            tried: trial.into(),
            served: active.into(),
        }
    }
}

impl From<Ended> for EndedTrial {
    fn from(ended: Ended) -> Self {
        Self { version: ended.version, at: time(ended.at), why: ended.why }
    }
}

impl From<ConnectorView> for ConnectorVersions {
    fn from(view: ConnectorView) -> Self {
        Self {
            connector: view.connector,
            active: view.active,
            since: time(view.since),
            trial: view.canary.map(Into::into),
            last_trial: view.ended.map(Into::into),
            versions: view.versions.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<KeptRefused> for RefusedFile {
    fn from(kept: KeptRefused) -> Self {
        Self {
            id: kept.id,
            source: kept.source.into(),
            bytes: kept.bytes,
            by: said(kept.by),
            at: time(kept.at),
            stage: kept.stage,
            why: kept.why,
        }
    }
}

impl From<Gone> for UninstalledConnector {
    fn from(gone: Gone) -> Self {
        Self { versions: gone.versions, parked_connections: gone.parked }
    }
}
