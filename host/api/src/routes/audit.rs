//! The audit log: a list, and the same as a table.

use axum::Json;
use axum::response::Response;
use crm_sync::services::audit::{self, AuditFilter};
use crm_sync::services::csv_out::CsvOut;

use crate::extract::{Query, Tenant};
use crate::page::{self, Page};
use crate::problem::{Problem, ProblemBody};
use crate::streamed;
use crate::types::audit::{AuditEntry, AuditExportQuery, AuditQuery, COLUMNS, cells};

/// Lines read at a time.
const PAGE: usize = 500;

/// Who did what, when and from where; newest first. Kept for 400 days.
#[utoipa::path(get, path = "/v1/audit-log", tag = "organization", params(AuditQuery), responses((status = 200, body = Page<AuditEntry>)))]
pub(crate) async fn list_audit_log(tenant: Tenant, Query(query): Query<AuditQuery>) -> Result<Json<Page<AuditEntry>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let filter = filter(query.action, query.target, query.actor, query.since, query.until)?;
    let found = audit::list(tenant.ctx(), tenant.organization(), &filter, after.as_deref(), limit).await?;
    Ok(Json(Page::new(found.items.into_iter().map(Into::into).collect(), found.next)))
}

/// The audit log as CSV, newest first. Cells that a spreadsheet would run as a formula begin with an apostrophe. A transfer that breaks off
/// is not the whole log.
#[utoipa::path(get, path = "/v1/audit-log/export", tag = "organization", params(AuditExportQuery),
    responses((status = 200, content_type = "text/csv", body = String),
        (status = 422, body = ProblemBody, content_type = "application/problem+json", description = "A time is not one of RFC 3339")))]
pub(crate) async fn export_audit_log(tenant: Tenant, Query(query): Query<AuditExportQuery>) -> Result<Response, Problem> {
    let filter = filter(query.action, query.target, query.actor, query.since, query.until)?;
    let (context, organization) = (tenant.ctx().clone(), tenant.organization().to_owned());
    // Read before the answer begins, so that a store that does not answer is said properly.
    let first = audit::list(&context, &organization, &filter, None, PAGE).await?;
    Ok(streamed::answer("text/csv; charset=utf-8", "audit-log.csv", |pieces| async move {
        let (mut out, mut page) = (CsvOut::default(), first);
        out.row(COLUMNS);
        loop {
            page.items.iter().for_each(|entry| out.row(cells(entry)));
            if !out.is_empty() {
                pieces.send(out.take()).await?;
            }
            let Some(next) = page.next else { return Ok(()) };
            page = audit::list(&context, &organization, &filter, Some(&next), PAGE).await?;
        }
    }))
}

fn filter(
    action: Option<String>,
    target: Option<String>,
    actor: Option<String>,
    since: Option<String>,
    until: Option<String>,
) -> Result<AuditFilter, Problem> {
    let (since, until) = (instant("since", since)?, instant("until", until)?);
    Ok(AuditFilter { action, target, actor, since, until })
}

fn instant(field: &str, text: Option<String>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    match parsed.and_then(|t| u64::try_from(t.as_millisecond()).ok()) {
        Some(ms) => Ok(Some(ms)),
        None => Err(Problem::invalid(field, "must be a time of RFC 3339 since 1970, such as 2026-11-23T10:00:00Z")),
    }
}
