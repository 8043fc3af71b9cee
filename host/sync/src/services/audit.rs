//! The audit log: who did what to what, when and from where. An entry is a put of the commit that makes the change, so that
//! neither exists without the other.

use crm_contract::types::Pair;
use crm_store::model::{Put, RecordKey};
use serde::Serialize;

use super::records::{self, Document, Paged};
use super::{ServiceError, Versioned, organizations};
use crate::context::Context;
use crate::domain::{Actor, ActorKind, AuditEntry};
use crate::ids::{newest_first_from, newest_first_id};

/// Longest text of one detail, in characters.
const DETAIL: usize = 300;

/// The entry as a put. `action` is `noun.verb`, `target` an id; `details` hold names of fields and counts, never a value that was changed.
pub fn entry(context: &Context, organization: &str, action: &str, target: &str, details: &[(&str, String)]) -> Result<Put, ServiceError> {
    let now = context.now();
    let actor = match &context.actor {
        Some(actor) => Actor::clone(actor),
        None => Actor { kind: ActorKind::Host, id: String::new(), ip: None, request: None },
    };
    let entry = AuditEntry {
        id: newest_first_id("aud", now),
        organization: organization.to_owned(),
        at: now,
        actor,
        action: action.to_owned(),
        target: target.to_owned(),
        details: details.iter().map(|(key, value)| Pair::new(*key, value.chars().take(DETAIL).collect::<String>())).collect(),
    };
    records::put(&entry, 0)
}

/// Writes a document that somebody changed, with the line that names its changed fields. `expect` is the version they saw, and is looked at
/// here: what is wrong with a change in itself is said whatever the version is (RFC 9110, 13.2.1). Nothing changed = nothing is written.
pub(crate) async fn save<T: Document + PartialEq>(
    context: &Context,
    action: &str,
    expect: Option<u64>,
    before: Versioned<T>,
    value: T,
) -> Result<Versioned<T>, ServiceError> {
    records::expected(expect, before.version)?;
    if value == before.value {
        return Ok(before);
    }
    let RecordKey { organization, id, .. } = value.key();
    let log = entry(context, &organization, action, &id, &[("fields", changed(&before.value, &value)?)])?;
    context.store.commit(vec![records::put(&value, before.version)?, log], Vec::new()).await?;
    Ok(Versioned { value, version: before.version + 1 })
}

/// Names of the fields that differ.
pub(crate) fn changed<T: Serialize>(before: &T, after: &T) -> Result<String, ServiceError> {
    let fields = |value: &T| serde_json::to_value(value).map_err(|e| ServiceError::Damaged(e.to_string()));
    let (before, after) = (fields(before)?, fields(after)?);
    let names = after.as_object().into_iter().flatten().filter(|(name, value)| before.get(name.as_str()) != Some(value));
    Ok(names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "))
}

/// Which lines to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    /// The beginning of the action: `affiliate.`, `campaign.updated`.
    pub action: Option<String>,
    pub target: Option<String>,
    /// The id of who did it.
    pub actor: Option<String>,
    /// Unix milliseconds: not before.
    pub since: Option<u64>,
    /// Unix milliseconds: before.
    pub until: Option<u64>,
}

/// A page of the log, newest first. A page may hold fewer than `limit` and still have a next one.
pub async fn list(
    context: &Context,
    organization: &str,
    filter: &AuditFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<AuditEntry>, ServiceError> {
    let start = filter.until.map(|until| newest_first_from("aud", until.saturating_sub(1)));
    let after = match (after, &start) {
        (Some(after), Some(start)) => Some(after.max(start.as_str())),
        (Some(after), None) => Some(after),
        (None, start) => start.as_deref(),
    };
    let keep = |entry: &AuditEntry| {
        filter.action.as_ref().is_none_or(|action| entry.action.starts_with(action))
            && filter.target.as_ref().is_none_or(|target| &entry.target == target)
            && filter.actor.as_ref().is_none_or(|actor| &entry.actor.id == actor)
    };
    // Behind the first line that is too old, all are.
    let oldest = filter.since.map(|since| newest_first_from("aud", since.saturating_sub(1)));
    let too_old = |id: &str| oldest.as_deref().is_some_and(|oldest| id > oldest);
    let page = records::page_until::<AuditEntry>(context, organization, after, limit, keep, too_old).await?;
    Ok(Paged { items: page.items.into_iter().map(|entry| entry.value).collect(), next: page.next })
}

const BATCH: usize = 500;

/// Deletes what is older than the configured days, organization by organization; of the operator's own log (organization `""`) too.
pub async fn sweep(context: &Context) {
    if let Err(error) = try_sweep(context).await {
        tracing::warn!(%error, "old lines of audit logs stay a little longer");
    }
}

async fn try_sweep(context: &Context) -> Result<(), ServiceError> {
    let before = context.now().saturating_sub(u64::from(context.config.audit_days) * 86_400_000);
    sweep_one(context, "", before).await?;
    let mut after: Option<String> = None;
    loop {
        let Paged { items, next } = organizations::list(context, after.as_deref(), BATCH).await?;
        for organization in items {
            sweep_one(context, &organization.id, before).await?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn sweep_one(context: &Context, organization: &str, before: u64) -> Result<(), ServiceError> {
    let start = newest_first_from("aud", before);
    loop {
        let old = records::page::<AuditEntry>(context, organization, Some(&start), BATCH, |_| true).await?.items;
        if old.is_empty() {
            return Ok(());
        }
        let puts = old.iter().map(|entry| Put::delete(entry.value.key(), Some(entry.version))).collect();
        context.store.commit(puts, Vec::new()).await?;
    }
}
