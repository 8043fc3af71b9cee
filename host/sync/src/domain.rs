//! The merchant's world as documents: what is kept under each [`Kind`] as JSON. Field names are the API's words.

use crm_contract::types::{Account, Binding, Consent, Pair};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Organization {
    pub id: String,
    pub name: String,
    pub created: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    Read,
    ReadWrite,
}

/// An API key as kept: never the key itself. The document lives under organization `""` (the key names the organization,
/// not the other way round) with the unique name `("hash", sha256)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: String,
    pub organization: String,
    pub name: String,
    /// SHA-256 of the whole key, lower-case hex.
    pub hash: String,
    /// The last four characters, for recognition.
    pub last4: String,
    pub scope: KeyScope,
    pub created: u64,
    pub revoked: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    Live,
    /// The vendor refused the credentials; jobs are parked until they are fixed.
    NeedsCredentials,
    /// Something must be made in the merchant's account first; jobs are parked until the merchant says yes (`prepare`).
    NeedsPreparation,
    Disconnected,
}

/// One merchant's account on a connector. Also the lane of its jobs (same id).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: String,
    pub organization: String,
    pub connector: String,
    pub name: String,
    pub state: ConnectionState,
    /// Why it needs credentials, in the vendor's words.
    pub trouble: Option<String>,
    pub mode: String,
    /// The merchant's settings, non-secret credentials included.
    pub settings: Vec<Pair>,
    pub picked: Vec<Pair>,
    pub facts: Vec<Pair>,
    pub bindings: Vec<Binding>,
    pub account: Account,
    /// Merchant-supplied host, bound into the sealed credentials; empty when the manifest fixes the host.
    pub host: String,
    /// Tags on every contact of this connection, besides the system tag.
    pub default_tags: Vec<String>,
    /// Runs this version instead of the active one.
    pub pinned: Option<String>,
    /// Last four characters of each secret, for recognition.
    pub last4: Vec<Pair>,
    pub created: u64,
    pub verified: u64,
    /// When the merchant last agreed to what `prepare` creates in the account; `None` = never asked.
    #[serde(default)]
    pub prepared: Option<u64>,
}

impl Connection {
    /// What a guest may know of it.
    pub fn for_guest(&self) -> crm_contract::types::Connection {
        crm_contract::types::Connection {
            mode: self.mode.clone(),
            settings: self.settings.clone(),
            picked: self.picked.clone(),
            facts: self.facts.clone(),
            tags: self.bindings.clone(),
        }
    }

    /// Whose sealed credentials it uses.
    pub fn whose(&self) -> crm_store::Whose {
        crm_store::Whose {
            organization: self.organization.clone(),
            connection: self.id.clone(),
            connector: self.connector.clone(),
            host: self.host.clone(),
        }
    }

    /// The endpoint choice in use: set by a setting where the manifest says so, else found by verify.
    pub fn choice(&self, manifest: &crm_catalog::model::Manifest) -> Option<String> {
        let by_setting = manifest.endpoints.iter().filter_map(|e| e.choose.as_deref()).find_map(|c| c.strip_prefix("setting:"));
        match by_setting {
            Some(name) => crm_contract::types::find(&self.settings, name).map(str::to_owned),
            None => self.account.choice.clone(),
        }
    }

    /// Whether approvals make jobs for it. A connection whose credentials are refused still takes jobs: they wait, parked.
    pub fn takes_jobs(&self) -> bool {
        self.state != ConnectionState::Disconnected
    }

    /// What its contacts are exclusive by: the vendor's account where verify named one, else the connection.
    pub fn exclusive_key(&self, normalised_email: &str) -> String {
        match &self.account.id {
            Some(account) => format!("{}:{account}/{normalised_email}", self.connector),
            None => format!("{}/{normalised_email}", self.id),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    pub id: String,
    pub organization: String,
    pub name: String,
    pub slug: String,
    /// Tags on the contacts of this campaign, besides the connection's.
    pub extra_tags: Vec<String>,
    pub created: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AffiliateStatus {
    Pending,
    Approved,
    Paused,
    Removed,
    Rejected,
}

/// One affiliate of one campaign. Unique: `("email", "<campaign>/<normalised e-mail>")`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affiliate {
    pub id: String,
    pub organization: String,
    pub campaign: String,
    pub email: String,
    pub first: Option<String>,
    pub last: Option<String>,
    pub full: Option<String>,
    pub company: Option<String>,
    /// Referral slug.
    pub slug: Option<String>,
    pub status: AffiliateStatus,
    pub consent: Option<Consent>,
    pub approved: Option<u64>,
    pub created: u64,
}

pub use crm_catalog::tags::SYSTEM_TAG;

/// System tag, connection defaults and campaign extras, trimmed, in that order, without repeats (case-insensitive).
pub fn wanted_tags(defaults: &[String], extras: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in std::iter::once(SYSTEM_TAG).chain(defaults.iter().chain(extras).map(String::as_str)) {
        let tag = tag.trim();
        if !tag.is_empty() && !tags.iter().any(|t| t.to_lowercase() == tag.to_lowercase()) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// The form of an e-mail by which people are told apart: trimmed, NFC, lower case.
pub fn normalise_email(email: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    email.trim().nfc().collect::<String>().to_lowercase()
}
