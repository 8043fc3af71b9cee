//! The audit log.

use std::collections::BTreeMap;

use crm_sync::domain::AuditEntry as Kept;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{map, time, word};

/// Who did what to what, when and from where. Holds ids, names of fields and counts, never values that were changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    id: String,
    at: String,
    /// `campaign.updated`
    action: String,
    /// The id of what was acted on.
    target: String,
    details: BTreeMap<String, String>,
    actor: AuditActor,
}

#[derive(Debug, Serialize, ToSchema)]
struct AuditActor {
    /// `api_key`, `console`, `operator`, `public` (an applicant, an invited person) or `host`.
    kind: String,
    /// The key's id; null where there is none.
    id: Option<String>,
    /// The address that the request came from.
    ip: Option<String>,
    request_id: Option<String>,
}

impl From<Kept> for AuditEntry {
    fn from(kept: Kept) -> Self {
        let actor = AuditActor {
            kind: word(&kept.actor.kind),
            id: Some(kept.actor.id).filter(|id| !id.is_empty()),
            ip: kept.actor.ip,
            request_id: kept.actor.request,
        };
        Self { at: time(kept.at), details: map(&kept.details), actor, id: kept.id, action: kept.action, target: kept.target }
    }
}

/// The columns of [`cells`].
pub(crate) const COLUMNS: [&str; 9] = ["id", "at", "action", "target", "details", "actor_kind", "actor_id", "ip", "request_id"];

/// One row of the table.
pub(crate) fn cells(kept: &Kept) -> [String; 9] {
    let details = kept.details.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect::<Vec<_>>().join("; ");
    let actor = &kept.actor;
    [
        kept.id.clone(),
        time(kept.at),
        kept.action.clone(),
        kept.target.clone(),
        details,
        word(&actor.kind),
        actor.id.clone(),
        actor.ip.clone().unwrap_or_default(),
        actor.request.clone().unwrap_or_default(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// The beginning of the action: `affiliate.`, `campaign.updated`.
    pub(crate) action: Option<String>,
    /// The id of what was acted on.
    pub(crate) target: Option<String>,
    /// The id of the key that did it.
    pub(crate) actor: Option<String>,
    /// RFC 3339: not before.
    pub(crate) since: Option<String>,
    /// RFC 3339: before.
    pub(crate) until: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditExportQuery {
    /// The beginning of the action.
    pub(crate) action: Option<String>,
    /// The id of what was acted on.
    pub(crate) target: Option<String>,
    /// The id of the key that did it.
    pub(crate) actor: Option<String>,
    /// RFC 3339: not before.
    pub(crate) since: Option<String>,
    /// RFC 3339: before.
    pub(crate) until: Option<String>,
}
