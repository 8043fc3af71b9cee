//! The manifest as data: what `connector.toml` says, field by field. Parsing and validation live in `parse` and
//! `validate`; a [`Manifest`] that came from there keeps every promise written here. Documented for authors in
//! `connectors/SPEC.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod auth;
mod call;
mod endpoint;
mod form;
mod rules;

pub use auth::*;
pub use call::*;
pub use endpoint::*;
pub use form::*;
pub use rules::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub connector: Identity,
    #[serde(default)]
    pub credentials: Vec<Credential>,
    #[serde(default)]
    pub settings: Vec<Setting>,
    #[serde(default)]
    pub pickers: Vec<Picker>,
    #[serde(default)]
    pub derived: Vec<Derived>,
    #[serde(default)]
    pub auth: Vec<Auth>,
    pub endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub limits: Vec<Limit>,
    pub calls: Vec<Call>,
    #[serde(default)]
    pub tags: Tags,
    #[serde(default)]
    pub later: Option<LaterRule>,
    #[serde(default)]
    pub sync: SyncRule,
    pub supports: Supports,
    pub setup: Setup,
    /// Scenarios of SPEC.md that cannot exist for this vendor, with the reason.
    #[serde(default)]
    pub waived: BTreeMap<String, String>,
    /// Where the brief and the vendor's newest source disagree, and which was followed.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// Who else says that the requests are right: SDKs, descriptions, the vendor's software.
    #[serde(default)]
    pub witnesses: Vec<Witness>,
}

impl Manifest {
    pub fn call(&self, name: &str) -> Option<&Call> {
        self.calls.iter().find(|c| c.name == name)
    }

    pub fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.name == name)
    }

    pub fn auth(&self, name: &str) -> Option<&Auth> {
        self.auth.iter().find(|a| a.name == name)
    }

    pub fn limit(&self, name: &str) -> Option<&Limit> {
        self.limits.iter().find(|l| l.name == name)
    }

    pub fn credential(&self, name: &str) -> Option<&Credential> {
        self.credentials.iter().find(|c| c.name == name)
    }

    pub fn picker(&self, name: &str) -> Option<&Picker> {
        self.pickers.iter().find(|p| p.name == name)
    }
}

fn yes() -> bool {
    true
}
fn one() -> u32 {
    1
}
fn api() -> String {
    "api".into()
}
fn bearer() -> String {
    "Bearer".into()
}
fn ok200() -> Vec<u16> {
    vec![200]
}
fn status200() -> u16 {
    200
}
