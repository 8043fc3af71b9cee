//! Connections, their choices and their preparation.

use std::collections::BTreeMap;

use crm_contract::types::{Choice as GuestChoice, Prepared as GuestPrepared};
use crm_sync::domain::Connection as Kept;
use crm_sync::services::resync::Resynced as Did;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::affiliates::Status;
use super::campaigns::clearable;
use super::fields::FieldSource;
use super::{map, time, word};

/// Connect an account. The credentials are tried before anything is kept.
// No `Debug`: it holds secrets.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConnection {
    /// The connector's slug.
    pub(crate) connector: String,
    /// Defaults to the connector's name.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Authentication mode; defaults to the connector's first.
    #[serde(default)]
    pub(crate) mode: Option<String>,
    /// By the names of the connect form.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) credentials: Typed,
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
    /// Tags on every contact of this connection, besides the system tag.
    #[serde(default)]
    pub(crate) default_tags: Vec<String>,
    /// Also sync everyone who is approved already, at once. Only where nothing must be picked first.
    #[serde(default)]
    pub(crate) backfill: bool,
}

/// Credentials as typed, wiped when dropped.
#[derive(Default)]
pub(crate) struct Typed(pub(crate) BTreeMap<String, Zeroizing<String>>);

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let plain = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self(plain.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect()))
    }
}

/// Change a connection; everything absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionPatch {
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Choice ids by picker; null clears.
    #[serde(default)]
    pub(crate) picked: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(crate) default_tags: Option<Vec<String>>,
    /// By name; null goes back to the default.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Option<String>>,
    /// Vendor fields (ids of the picker `fields`) by what goes into them; null maps it no longer.
    #[serde(default)]
    pub(crate) fields: BTreeMap<FieldSource, Option<String>>,
    /// Leaving a campaign with one of these statuses (`paused`, `removed`, `rejected`) takes the campaign's tags off.
    #[serde(default)]
    pub(crate) untag_on: Option<Vec<Status>>,
    /// Digest of a loaded version to run; null = the active one.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    pub(crate) pinned: Option<Option<String>>,
}

/// Whom to sync again: `all: true` (of one `campaign` or of all), `affiliates`, or `failed: true`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResyncOrder {
    /// Every approved affiliate.
    #[serde(default)]
    pub(crate) all: bool,
    /// With `all`: only those of this campaign.
    #[serde(default)]
    pub(crate) campaign: Option<String>,
    /// These, where they are approved. At most 1,000 ids.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub(crate) affiliates: Option<Vec<String>>,
    /// Those whose last sync into this connection failed.
    #[serde(default)]
    pub(crate) failed: bool,
}

/// What a resync did. The syncs are on disk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resynced {
    /// Memberships that are synced again.
    affiliates: u64,
    /// New syncs.
    syncs: u64,
    /// Joined a sync of the same contact that was still open.
    folded: u64,
}

impl From<Did> for Resynced {
    fn from(did: Did) -> Self {
        Self { affiliates: did.affiliates, syncs: did.syncs, folded: did.folded }
    }
}

/// A new connection, and whom it could bring over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connected {
    #[serde(flatten)]
    pub(crate) connection: Connection,
    /// Affiliates (per campaign) that were approved before and are not in this account through us: `POST .../resync` with `all: true`
    /// brings them over. Counted up to 1,000,000.
    pub(crate) approved_before: u64,
    /// With `backfill: true`: what was enqueued for them.
    pub(crate) backfill: Option<Resynced>,
}

/// Make the test call again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reverify {
    /// New credentials, all of them; absent = try the stored ones.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(crate) credentials: Option<Typed>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrepareOrder {
    /// false: only look what is missing in the account. true: create it.
    pub(crate) apply: bool,
}

/// One merchant's account on a connector.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connection {
    id: String,
    connector: String,
    name: String,
    /// `live`, `needs_credentials`, `needs_preparation` (say yes with `POST .../prepare`), `needs_connector` (the platform took the
    /// integration off; syncs wait until it is back) or `disconnected`.
    state: String,
    /// Why it waits: the vendor's words about the credentials, or what must be made in the account.
    trouble: Option<String>,
    mode: String,
    account: Account,
    /// Non-secret credentials included.
    settings: BTreeMap<String, String>,
    picked: BTreeMap<String, String>,
    default_tags: Vec<String>,
    /// The last characters of each secret, where it is long enough to show them.
    credentials: BTreeMap<String, String>,
    /// The version it is pinned to.
    pinned: Option<String>,
    /// Vendor fields by what of the affiliate goes into them.
    fields: BTreeMap<FieldSource, String>,
    /// Leaving a campaign with one of these statuses takes the campaign's tags off.
    untag_on: Vec<String>,
    created: String,
    verified: String,
    /// When the account was last prepared.
    prepared: Option<String>,
}

/// The account as the vendor names it.
#[derive(Debug, Serialize, ToSchema)]
struct Account {
    id: Option<String>,
    name: Option<String>,
    /// Region or host that answered.
    region: Option<String>,
    /// Permissions that the key lacks.
    lacking: Vec<String>,
}

impl From<Kept> for Connection {
    fn from(kept: Kept) -> Self {
        Self {
            state: word(&kept.state),
            account: Account { id: kept.account.id, name: kept.account.name, region: kept.account.choice, lacking: kept.account.lacking },
            settings: map(&kept.settings),
            picked: map(&kept.picked),
            credentials: map(&kept.last4),
            created: time(kept.created),
            verified: time(kept.verified),
            prepared: kept.prepared.map(time),
            id: kept.id,
            connector: kept.connector,
            name: kept.name,
            trouble: kept.trouble,
            mode: kept.mode,
            default_tags: kept.default_tags,
            pinned: kept.pinned,
            fields: kept.fields.into_iter().map(|m| (m.source.into(), m.target)).collect(),
            untag_on: kept.untag_on.iter().map(|s| s.word().to_owned()).collect(),
        }
    }
}

/// What disconnecting did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Disconnected {
    pub(crate) connection: Connection,
    /// Syncs that were not finished and are cancelled now.
    pub(crate) cancelled_syncs: u64,
    /// Whether the vendor ended the grant. null = there was none that could be ended; false = remove this application in the vendor's
    /// account as well.
    pub(crate) revoked: Option<bool>,
}

/// Something to pick.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Choice {
    id: String,
    name: String,
    detail: Option<String>,
    selectable: bool,
}

impl From<GuestChoice> for Choice {
    fn from(choice: GuestChoice) -> Self {
        Self { id: choice.id, name: choice.name, detail: choice.detail, selectable: choice.selectable }
    }
}

/// What the account holds of what syncs need.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Prepared {
    /// With `apply = false` what is missing; with `apply = true` what could not be created.
    missing: Vec<Choice>,
    /// Tags that are ready, as the vendor spells them.
    tags: BTreeMap<String, String>,
    ready: bool,
}

impl From<GuestPrepared> for Prepared {
    fn from(prepared: GuestPrepared) -> Self {
        Self {
            ready: prepared.to_create.is_empty(),
            missing: prepared.to_create.into_iter().map(Into::into).collect(),
            tags: prepared.tags.into_iter().map(|t| (t.name, t.wire)).collect(),
        }
    }
}
