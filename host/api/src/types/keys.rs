//! API keys, the organization itself, and what the operator sees of organizations.

use crm_sync::domain::{ApiKey as Kept, KeyScope, Organization as KeptOrganization};
use crm_sync::services::keys::CreatedKey as Made;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::campaigns::clearable;
use super::time;

/// What a key may do: `read` is enough for GET, everything else needs `read_write`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    Read,
    ReadWrite,
}

impl From<Scope> for KeyScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::ReadWrite => Self::ReadWrite,
        }
    }
}

impl From<KeyScope> for Scope {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::Read => Self::Read,
            KeyScope::ReadWrite => Self::ReadWrite,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKey {
    /// For recognition.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    pub(crate) scope: Scope,
}

/// Change a key. What it may do stays: make another one instead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyPatch {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
}

/// A key, without the key itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    id: String,
    name: String,
    scope: Scope,
    /// The last four characters, for recognition.
    last4: String,
    created: String,
    /// To the minute.
    last_used: Option<String>,
    revoked: Option<String>,
}

impl From<Kept> for ApiKey {
    fn from(kept: Kept) -> Self {
        Self {
            scope: kept.scope.into(),
            created: time(kept.created),
            last_used: kept.last_used.map(time),
            revoked: kept.revoked.map(time),
            id: kept.id,
            name: kept.name,
            last4: kept.last4,
        }
    }
}

/// A new key. `secret` is shown this once; only its SHA-256 is kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedApiKey {
    #[serde(flatten)]
    key: ApiKey,
    /// The key itself: `rk_live_...`, in a test organization `rk_test_...`.
    secret: String,
}

impl From<Made> for CreatedApiKey {
    fn from(made: Made) -> Self {
        Self { key: made.record.into(), secret: made.secret }
    }
}

/// The organization of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Organization {
    id: String,
    name: String,
    /// A test organization: its keys begin with `rk_test_`.
    test: bool,
    /// Where affiliates sign in.
    portal_url: Option<String>,
    /// Where referral links lead when the campaign does not say.
    site_url: Option<String>,
    created: String,
}

impl From<KeptOrganization> for Organization {
    fn from(kept: KeptOrganization) -> Self {
        Self {
            created: time(kept.created),
            id: kept.id,
            name: kept.name,
            test: kept.test,
            portal_url: kept.portal_url,
            site_url: kept.site_url,
        }
    }
}

/// Change the organization; everything absent stays, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pub(crate) portal_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pub(crate) site_url: Option<Option<String>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganization {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// For tests: keys begin with `rk_test_`.
    #[serde(default)]
    pub(crate) test: bool,
}
