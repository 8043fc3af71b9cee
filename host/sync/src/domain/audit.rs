//! Who acts, and the lines of the audit log.

use crm_contract::types::Pair;
use serde::{Deserialize, Serialize};

/// Who asks for a change: goes into the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub kind: ActorKind,
    /// The key's id; empty where there is none.
    pub id: String,
    /// The address the request came from.
    pub ip: Option<String>,
    /// The request's id.
    pub request: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    ApiKey,
    /// Someone signed in to the console, with a key.
    Console,
    Operator,
    /// Someone without a key: an applicant, an invited person.
    Public,
    /// The host itself: workers, imports that go on after a restart.
    Host,
}

/// One line of the audit log. Holds ids and names of fields, never values that were changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub id: String,
    pub organization: String,
    pub at: u64,
    pub actor: Actor,
    /// `campaign.updated`
    pub action: String,
    /// The id of what was acted on.
    pub target: String,
    /// What else says what was done: changed fields, counts.
    pub details: Vec<Pair>,
}
