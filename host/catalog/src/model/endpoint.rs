//! Where requests may go, and how many may go there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    pub name: String,
    /// `https://host[:port][/path]`. May hold `{choice}`, `{derived:NAME}`, `{credential:NAME}` (non-secret, pattern-bound)
    /// or be `{token.base}`.
    pub url: String,
    #[serde(default)]
    pub auth: Option<String>,
    /// Constant headers, sent on every call of this endpoint.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Choice name -> host.
    #[serde(default)]
    pub choices: BTreeMap<String, String>,
    /// `setting:NAME` or `verify`.
    #[serde(default)]
    pub choose: Option<String>,
    /// Exact hosts or `*.fixed.suffix` that a computed host must match.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The merchant may type any public host.
    #[serde(default)]
    pub public_host: bool,
    /// Keep the path that the merchant typed with the host.
    #[serde(default)]
    pub keep_path: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitScope {
    #[default]
    Connection,
    Account,
    Credential,
    App,
    HostIp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    #[default]
    Rolling,
    Utc,
    AccountMidnight,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    #[default]
    Requests,
    Cost,
    BadRequests,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub name: String,
    #[serde(default)]
    pub scope: LimitScope,
    /// At most `requests` (or cost units) in `per_s` seconds. Absent for a pure concurrency limit.
    #[serde(default)]
    pub requests: Option<u64>,
    #[serde(default)]
    pub per_s: Option<u64>,
    #[serde(default)]
    pub reset: Reset,
    /// At most this many at once.
    #[serde(default)]
    pub concurrency: Option<u32>,
    #[serde(default)]
    pub counts: Counts,
    #[serde(default)]
    pub headers: Option<LimitHeaders>,
    /// The source of the figure.
    #[serde(default)]
    pub source: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetUnit {
    #[default]
    S,
    Ms,
    Epoch,
    Auto,
    Date,
    Text,
    Structured,
    NOfM,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitHeaders {
    #[serde(default)]
    pub limit: Option<String>,
    #[serde(default)]
    pub remaining: Option<String>,
    #[serde(default)]
    pub reset: Option<String>,
    #[serde(default)]
    pub unit: ResetUnit,
}
