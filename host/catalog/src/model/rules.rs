//! What holds for the connector as a whole: tags, waiting, effort per sync, what it supports, and its setup page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagModel {
    Name,
    Id,
    List,
    Options,
    Boolean,
    String,
    #[default]
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fold {
    Lower,
    Slug,
    #[default]
    None,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tags {
    #[serde(default)]
    pub model: TagModel,
    /// `account` or `picker:NAME`.
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub max_len: Option<u32>,
    #[serde(default)]
    pub fold: Fold,
    /// Characters a tag may not hold.
    #[serde(default)]
    pub forbid: String,
    #[serde(default)]
    pub separator: Option<String>,
    #[serde(default)]
    pub max_per_contact: Option<u32>,
    /// What stands in for tags where the vendor has none, for the "What syncs" page.
    #[serde(default)]
    pub doc: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterRule {
    pub first_s: u32,
    pub max_s: u32,
    pub give_up_s: u32,
}

/// How many calls one sync makes at most: what the limiter promises a run until runs have shown what they use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncRule {
    pub new: u32,
    pub existing: u32,
    /// Jobs of one connection that may run at once.
    pub concurrency: u32,
}

impl Default for SyncRule {
    fn default() -> Self {
        Self { new: 3, existing: 3, concurrency: 4 }
    }
}

/// Which exports the host may call. `verify` and `sync-contact` are never optional.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supports {
    #[serde(default)]
    pub prepare: bool,
    #[serde(default)]
    pub untag: bool,
    #[serde(default)]
    pub lookup: bool,
    /// Seconds before a lookup may say "missing".
    #[serde(default)]
    pub settle_s: u32,
    /// Moves the contact when its e-mail changes.
    #[serde(default)]
    pub email_change: bool,
    /// Person fields that are used besides e-mail: `first`, `last`, `full`, `company`, `consent`, `fields`.
    #[serde(default)]
    pub person: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Steps to the key, in order.
    pub key_location: Vec<String>,
    #[serde(default)]
    pub troubleshooting: Vec<Trouble>,
    /// What disconnecting does and does not do.
    pub disconnect: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    pub symptom: String,
    pub cause: String,
    pub fix: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    pub brief: String,
    pub vendor: String,
    pub followed: String,
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WitnessKind {
    Description,
    Sdk,
    Software,
}

/// Somebody else's word for the requests, which a test compares with ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    pub kind: WitnessKind,
    /// Package or file, and its version.
    pub name: String,
    /// The calls whose requests it was compared with.
    pub calls: Vec<String>,
    /// `CALL: WHERE` -> why it differs there.
    #[serde(default)]
    pub explained: BTreeMap<String, String>,
}
