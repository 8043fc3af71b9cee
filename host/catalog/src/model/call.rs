//! One HTTP request that a connector may make: the unit of the manifest's law.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{api, ok200, one, status200};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Verify,
    Pick,
    Prepare,
    Sync,
    Untag,
    Lookup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Read,
    Idempotent,
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyKind {
    #[default]
    None,
    Json,
    Form,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alters {
    Contact,
    Account,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub name: String,
    /// What the call does, in the merchant's words ("What syncs"), with the vendor's doc page.
    pub doc: String,
    #[serde(default)]
    pub source: String,
    /// Stages whose functions may use it.
    pub stages: Vec<Stage>,
    #[serde(default = "api")]
    pub endpoint: String,
    pub method: Method,
    /// Template below the endpoint's URL: `/objects/{id}/tags`. A `{name}` is filled by the guest and encoded as one segment.
    pub path: String,
    pub effect: Effect,
    /// Path parameters in which `/` may occur (it is then encoded).
    #[serde(default)]
    pub slash_in: Vec<String>,
    /// Query keys the guest may use.
    #[serde(default)]
    pub query: Vec<String>,
    /// Query keys the host adds.
    #[serde(default)]
    pub fixed_query: BTreeMap<String, String>,
    /// Request headers the guest may set.
    #[serde(default)]
    pub headers: Vec<String>,
    #[serde(default)]
    pub body: BodyKind,
    /// Overrides the content type that `body` implies.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Body fields the guest may write: JSON pointers (`/contact/email`; `*` = any key or index; a trailing `/**` = anything
    /// below), form keys (`form:email`), JSON inside a form key (`form:json#/vars/*`); `{setting:NAME}` and `{fact:NAME}`
    /// stand for a chosen name. A JSON leaf not covered is refused.
    #[serde(default)]
    pub writes: Vec<String>,
    /// Constants that the host sets in the body (JSON pointer or `form:key` -> value); the guest may not change them.
    #[serde(default)]
    pub fixed: BTreeMap<String, serde_json::Value>,
    /// Must have been answered, freshly, in this run, before this call leaves.
    #[serde(default)]
    pub guard: Option<String>,
    /// Fields of `writes` that are refused when the guard found someone.
    #[serde(default)]
    pub new_only: Vec<String>,
    /// Fields that are never sent although an entry of `writes` covers them; keys are compared without case.
    #[serde(default)]
    pub never: Vec<String>,
    /// For a guard: when its answer means "there is someone".
    #[serde(default)]
    pub found: Option<Found>,
    #[serde(default)]
    pub alters: Option<Alters>,
    /// One at a time per account.
    #[serde(default)]
    pub exclusive: Option<Alters>,
    /// A read whose recorded answer may be reused on resume for this long.
    #[serde(default)]
    pub fresh_s: Option<u32>,
    /// Statuses besides 2xx that count as good.
    #[serde(default)]
    pub ok: Vec<u16>,
    #[serde(default)]
    pub limits: Vec<String>,
    #[serde(default = "one")]
    pub cost: u32,
    /// Response headers the guest may read.
    #[serde(default)]
    pub read_headers: Vec<String>,
    /// JSON pointers blanked in the journal (vendor-made secrets).
    #[serde(default)]
    pub redact: Vec<String>,
    /// Default 20, ceiling 60.
    #[serde(default)]
    pub timeout_s: Option<u32>,
    /// Response cap; default 1024, ceiling 8192.
    #[serde(default)]
    pub max_kib: Option<u32>,
    #[serde(default)]
    pub starts_automations: bool,
    /// The answer that a preview gives in the vendor's stead.
    #[serde(default)]
    pub sample: Option<Sample>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    #[serde(default = "ok200")]
    pub status: Vec<u16>,
    /// JSON pointer that must be there and be neither null nor empty; absent = the status decides.
    #[serde(default)]
    pub pointer: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    #[serde(default = "status200")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: String,
}
