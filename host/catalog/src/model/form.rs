//! What a merchant sees and fills in: who the connector is, credential fields, settings, pickers, derived parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::yes;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `[a-z0-9]+(-[a-z0-9]+)*`, at most 40.
    pub slug: String,
    pub name: String,
    pub version: String,
    pub category: String,
    /// One line for the directory.
    pub pitch: String,
    /// The vendor's API documentation.
    pub docs: String,
    #[serde(default)]
    pub authors: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    #[default]
    Merchant,
    Operator,
    Either,
}

/// One field of the connect form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    pub name: String,
    pub label: String,
    /// Where the merchant finds it.
    pub help: String,
    #[serde(default)]
    pub placeholder: String,
    /// Anchored regex that a tidied value must match.
    #[serde(default)]
    pub pattern: Option<String>,
    /// `false`: not secret, and handed to the guest among its settings.
    #[serde(default = "yes")]
    pub secret: bool,
    #[serde(default)]
    pub owner: Owner,
    /// Only asked for in these modes; empty = all.
    #[serde(default)]
    pub modes: Vec<String>,
    #[serde(default)]
    pub optional: bool,
    /// Said when the value looks like a usual wrong paste.
    #[serde(default)]
    pub hints: Vec<Hint>,
    /// `trim`, `lower`, `strip:/suffix`, applied in order before anything else.
    #[serde(default)]
    pub tidy: Vec<String>,
    /// Said when the field is left empty, such as "missing Api-Appid header: ...".
    #[serde(default)]
    pub missing: Option<String>,
    /// Splits one pasted value into named parts (both secret).
    #[serde(default)]
    pub split: Option<Split>,
    /// The key dies after this many days without use.
    #[serde(default)]
    pub idle_days: Option<u32>,
    #[serde(default)]
    pub ask_end_date: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    #[serde(rename = "match")]
    pub matches: String,
    pub say: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    pub on: String,
    pub into: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingKind {
    Text,
    Bool,
    Choice,
    Picker,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub name: String,
    pub label: String,
    #[serde(default)]
    pub help: String,
    pub kind: SettingKind,
    #[serde(default)]
    pub default: Option<String>,
    #[serde(default)]
    pub choices: Vec<String>,
    #[serde(default)]
    pub pattern: Option<String>,
    /// Shown only when each named setting has this value.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    #[serde(default)]
    pub consent_text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picker {
    pub name: String,
    pub label: String,
    #[serde(default)]
    pub help: String,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub depends_on: Option<String>,
    /// Choices known without asking the vendor.
    #[serde(default)]
    pub r#static: Vec<StaticChoice>,
    /// The merchant types the id instead of picking it.
    #[serde(default)]
    pub typed: bool,
    /// Cannot change while connected.
    #[serde(default)]
    pub locked: bool,
    #[serde(default)]
    pub searchable: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticChoice {
    pub id: String,
    pub name: String,
}

/// A part cut from a secret that is itself no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    pub name: String,
    pub from: String,
    /// Regex with exactly one capture group; only the group leaves the secret.
    pub capture: String,
}
