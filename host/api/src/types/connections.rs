//! Connections, their choices and their preparation.

use std::collections::BTreeMap;

use crm_contract::types::{Choice as GuestChoice, Prepared as GuestPrepared};
use crm_sync::domain::Connection as Kept;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{map, time, word};

/// Connect an account. The credentials are tried before anything is kept. (No `Debug`: it holds secrets.)
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
    /// `live`, `needs_credentials`, `needs_preparation` (say yes with `POST .../prepare`) or `disconnected`.
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
