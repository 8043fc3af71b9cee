//! What the host's API answers about connectors, as far as it is printed. Whatever is missing or new is no error: host and command may be of
//! different ages.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One version of a connector: what `POST /v1/admin/connectors` answers, and a line of every list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    /// Digest of the file.
    pub(super) id: String,
    pub(super) connector: String,
    pub(super) version: String,
    /// `active`, `ready`, `waiting_for_approval`, ...
    pub(super) state: String,
    /// Since when; else when it was brought in.
    #[serde(alias = "installed", alias = "installed_at")]
    pub(super) since: Value,
    /// The trusted key that signed it.
    pub(super) signer: Option<String>,
    /// A word, or an object with `kind` and where in that kind.
    pub(super) source: Value,
    pub(super) changes: Vec<Change>,
    /// It was there before it was sent.
    pub(super) known: bool,
}

/// One difference to the version before.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    pub(super) wider: bool,
    pub(super) about: String,
    pub(super) words: String,
}

/// One connector with its versions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Connector {
    #[serde(alias = "slug")]
    pub(super) connector: String,
    pub(super) versions: Vec<Version>,
    /// Digest of the version that new work runs.
    pub(super) active: Option<String>,
    pub(super) since: Value,
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Connector>,
    #[serde(default)]
    pub(super) next_cursor: Option<String>,
}

/// Answer of an uninstall.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Uninstalled {
    /// Connections whose jobs wait from now on.
    #[serde(rename = "parked_connections")]
    pub(super) parked: u64,
}

/// An error of the API (`application/problem+json`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) code: String,
    pub(super) errors: Vec<FieldProblem>,
    pub(super) request_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FieldProblem {
    pub(super) field: String,
    pub(super) detail: String,
}

impl Version {
    /// It is not in force, and waits for somebody.
    pub(super) fn waits(&self) -> bool {
        self.state.starts_with("waiting")
    }
}

/// Reads an answer; `None` where it has another form.
pub(super) fn read<T: DeserializeOwned>(answer: &Value) -> Option<T> {
    serde_json::from_value(answer.clone()).ok()
}
