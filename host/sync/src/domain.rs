//! The merchant's world as documents: what is kept under each [`Kind`] as JSON. Field names are the API's words.

mod audit;
mod connection;

use crm_contract::types::{Binding, Consent, Pair};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Organization {
    pub id: String,
    pub name: String,
    /// A test organization's keys begin with `rk_test_`; its data is apart like every organization's.
    #[serde(default)]
    pub test: bool,
    /// Where affiliates sign in; goes to vendors where a connection maps it.
    #[serde(default)]
    pub portal_url: Option<String>,
    /// Where referral links lead when the campaign does not say.
    #[serde(default)]
    pub site_url: Option<String>,
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
    /// When it was last seen, to the minute.
    #[serde(default)]
    pub last_used: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    pub id: String,
    pub organization: String,
    pub name: String,
    /// Permanent, unique within the organization.
    pub slug: String,
    /// Public handle of the application page (`/p/{program}`): permanent, unique on this host.
    pub program: String,
    pub description: Option<String>,
    pub terms_url: Option<String>,
    /// Where referral links lead: `<site_url>?via=<slug>`.
    pub site_url: Option<String>,
    /// Who applies is approved at once.
    pub auto_approve: bool,
    /// Whether the application page takes applications.
    pub open: bool,
    /// 30, 60 or 90.
    pub cookie_window_days: u32,
    pub attribution: Attribution,
    pub commission: Commission,
    /// Tags on the contacts of this campaign, besides the connection's.
    pub extra_tags: Vec<String>,
    pub created: u64,
}

/// Which referral counts when there were several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    FirstTouch,
    #[default]
    LastTouch,
}

/// What an affiliate earns. Shown and validated here, paid elsewhere. Decimal text, so that no digit is lost: percentages with at most two
/// places, amounts with at most three, as no currency has more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Commission {
    /// A share of every payment.
    RevShare { percent: String },
    /// A fixed amount per sale.
    Cps { amount: String, currency: String },
    /// A fixed amount for the sale and a share of what follows.
    Hybrid { amount: String, currency: String, continuation_percent: String },
}

/// What one campaign does differently on one connection. Its id is [`override_id`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Override {
    pub id: String,
    pub organization: String,
    pub campaign: String,
    pub connection: String,
    /// Nothing of this campaign goes to this connection.
    pub off: bool,
    /// Another destination; empty = the connection's.
    pub picked: Vec<Pair>,
    /// What the choices brought with them and what was learnt in that destination.
    pub facts: Vec<Pair>,
    pub bindings: Vec<Binding>,
    /// As [`Connection::prepared`], of that destination.
    pub prepared: Option<u64>,
    /// Besides the connection's and the campaign's.
    pub extra_tags: Vec<String>,
    /// In place of the connection's mapping, source by source; an empty target leaves that source out.
    pub fields: Vec<FieldMapping>,
    pub created: u64,
}

/// The id of the record in which a campaign's override on a connection is kept. The prefixes are left out: ids are at most 64 characters.
pub fn override_id(campaign: &str, connection: &str) -> String {
    let bare = |id: &str| id.rsplit('_').next().unwrap_or_default().to_owned();
    format!("ovr_{}_{}", bare(campaign), bare(connection))
}

impl Override {
    /// What tells contacts of its destination apart from the connection's own; empty = the same destination.
    pub fn scope(&self) -> String {
        destination(&self.picked)
    }
}

/// A name for a destination that a campaign picked for itself.
pub fn destination(picked: &[Pair]) -> String {
    let mut picked: Vec<String> = picked.iter().map(|p| format!("{}={}", p.key, p.value)).collect();
    picked.sort();
    picked.join("&")
}

/// Something of the affiliate that can be written to a field of the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldSource {
    AffiliateId,
    Status,
    ReferralLink,
    Slug,
    Coupon,
    CampaignName,
    PortalUrl,
    ApprovedDate,
}

/// One source and the vendor's field (an id of the picker `fields`) it is written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldMapping {
    pub source: FieldSource,
    pub target: String,
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

impl AffiliateStatus {
    pub const ALL: [Self; 5] = [Self::Pending, Self::Approved, Self::Paused, Self::Removed, Self::Rejected];

    /// As the API spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Paused => "paused",
            Self::Removed => "removed",
            Self::Rejected => "rejected",
        }
    }
}

/// Campaigns that one affiliate may be in at most.
pub const MOST_CAMPAIGNS: usize = 25;

/// One person who promotes for an organization, in any number of campaigns. Unique within the organization: the normalised e-mail and the
/// referral slug.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affiliate {
    pub id: String,
    pub organization: String,
    pub email: String,
    /// Addresses before this one, newest first, a few: under them vendors may still know the contact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_emails: Vec<String>,
    pub first: Option<String>,
    pub last: Option<String>,
    pub full: Option<String>,
    pub company: Option<String>,
    /// Website or channel.
    pub website: Option<String>,
    /// How they mean to promote, in their own words.
    pub promotes: Option<String>,
    /// Referral slug, for all campaigns.
    pub slug: Option<String>,
    pub coupon: Option<String>,
    pub consent: Option<Consent>,
    /// Oldest first.
    pub campaigns: Vec<Membership>,
    pub source: Source,
    pub created: u64,
    pub updated: u64,
}

/// How an affiliate stands with one campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    pub campaign: String,
    pub status: AffiliateStatus,
    pub joined: u64,
    /// When last approved; `None` = never was.
    pub approved: Option<u64>,
    /// When the status last changed.
    pub changed: u64,
    /// Why paused, removed or rejected, in the merchant's words.
    pub reason: Option<String>,
}

/// By which way an affiliate came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Api,
    Page,
    Invite,
    Import,
}

impl Affiliate {
    pub fn membership(&self, campaign: &str) -> Option<&Membership> {
        self.campaigns.iter().find(|m| m.campaign == campaign)
    }

    pub fn membership_mut(&mut self, campaign: &str) -> Option<&mut Membership> {
        self.campaigns.iter_mut().find(|m| m.campaign == campaign)
    }
}

pub use audit::{Actor, ActorKind, AuditEntry};
pub use connection::{Connection, ConnectionState, untag_always};
pub use crm_catalog::tags::SYSTEM_TAG;

/// Whether a tag is among these, in any spelling.
pub fn holds_tag(tags: &[String], tag: &str) -> bool {
    let tag = tag.to_lowercase();
    tags.iter().any(|held| held.to_lowercase() == tag)
}

/// System tag, connection defaults and campaign extras, trimmed, in that order, without repeats (case-insensitive).
pub fn wanted_tags(defaults: &[String], extras: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in std::iter::once(SYSTEM_TAG).chain(defaults.iter().chain(extras).map(String::as_str)) {
        let tag = tag.trim();
        if !tag.is_empty() && !holds_tag(&tags, tag) {
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
