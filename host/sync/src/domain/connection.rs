//! A merchant's account on a connector.

use crm_contract::types::{Account, Binding, Pair};
use serde::{Deserialize, Serialize};

use super::{AffiliateStatus, FieldMapping};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    Live,
    /// The vendor refused the credentials; jobs are parked until they are fixed.
    NeedsCredentials,
    /// Something must be made in the merchant's account first; jobs are parked until the merchant says yes (`prepare`).
    NeedsPreparation,
    /// The platform took its connector off the host; jobs are parked until it is back.
    NeedsConnector,
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
    /// What of the affiliate goes into which field of the vendor.
    #[serde(default)]
    pub fields: Vec<FieldMapping>,
    /// Leaving a campaign with one of these statuses takes the campaign's tags off the contact.
    #[serde(default = "untag_always")]
    pub untag_on: Vec<AffiliateStatus>,
    /// The campaign whose override is applied to this value; facts learnt go there. Never kept.
    #[serde(skip)]
    pub overridden_by: Option<String>,
}

/// Unless the merchant says otherwise, tags go with the membership.
pub fn untag_always() -> Vec<AffiliateStatus> {
    vec![AffiliateStatus::Paused, AffiliateStatus::Removed, AffiliateStatus::Rejected]
}

impl Connection {
    /// A live connection of which nothing is known or chosen yet.
    pub fn new(
        id: impl Into<String>,
        organization: impl Into<String>,
        connector: impl Into<String>,
        name: impl Into<String>,
        now: u64,
    ) -> Self {
        Self {
            id: id.into(),
            organization: organization.into(),
            connector: connector.into(),
            name: name.into(),
            state: ConnectionState::Live,
            trouble: None,
            mode: String::new(),
            settings: Vec::new(),
            picked: Vec::new(),
            facts: Vec::new(),
            bindings: Vec::new(),
            account: Account::default(),
            host: String::new(),
            default_tags: Vec::new(),
            pinned: None,
            last4: Vec::new(),
            created: now,
            verified: now,
            prepared: None,
            fields: Vec::new(),
            untag_on: untag_always(),
            overridden_by: None,
        }
    }

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
