//! Syncs.

use axum::Json;
use crm_sync::services::preview;
use crm_sync::services::syncs::{self, SyncFilter};
use http::StatusCode;

use crate::extract::{Id, JsonBody, Query, Tenant};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::previews::{Preview, PreviewOrder};
use crate::types::syncs::{CountQuery, Counts, Retry, Sync, SyncDetail, SyncQuery};

/// Syncs, newest first.
#[utoipa::path(get, path = "/v1/syncs", tag = "syncs", params(SyncQuery), responses((status = 200, body = Page<Sync>)))]
pub(crate) async fn list_syncs(tenant: Tenant, Query(query): Query<SyncQuery>) -> Result<Json<Page<Sync>>, Problem> {
    let before = page::decode_id(query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let filter = SyncFilter {
        state: query.state.map(Into::into),
        connection: query.connection,
        affiliate: query.affiliate,
        campaign: query.campaign,
    };
    let found = syncs::list(tenant.ctx(), tenant.organization(), &filter, before.as_deref(), limit).await?;
    Ok(Json(Page::new(found.items.into_iter().map(Into::into).collect(), found.next)))
}

/// How many syncs are in each state.
#[utoipa::path(get, path = "/v1/syncs/counts", tag = "syncs", params(CountQuery), responses((status = 200, body = Counts)))]
pub(crate) async fn count_syncs(tenant: Tenant, Query(query): Query<CountQuery>) -> Result<Json<Counts>, Problem> {
    Ok(Json(syncs::counts(tenant.ctx(), tenant.organization(), query.connection.as_deref()).await?.into()))
}

/// One sync with its attempts and steps: the exact requests and answers, secrets as labelled slots.
#[utoipa::path(get, path = "/v1/syncs/{id}", tag = "syncs", params(("id" = String, Path)), responses((status = 200, body = SyncDetail)))]
pub(crate) async fn get_sync(tenant: Tenant, Id(id): Id) -> Result<Json<SyncDetail>, Problem> {
    Ok(Json(syncs::get(tenant.ctx(), tenant.organization(), &id).await?.into()))
}

/// Runs a sync again now: from the failed step, from the start, or with the newest version of its connector.
#[utoipa::path(post, path = "/v1/syncs/{id}/retry", tag = "syncs", request_body = Retry, params(("id" = String, Path)),
    responses((status = 202, body = Sync)))]
pub(crate) async fn retry_sync(tenant: Tenant, Id(id): Id, JsonBody(order): JsonBody<Retry>) -> Result<(StatusCode, Json<Sync>), Problem> {
    let job = syncs::retry(tenant.ctx(), tenant.organization(), &id, order.mode.into()).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Cancels a sync that is not running.
#[utoipa::path(post, path = "/v1/syncs/{id}/cancel", tag = "syncs", params(("id" = String, Path)), responses((status = 200, body = Sync)))]
pub(crate) async fn cancel_sync(tenant: Tenant, Id(id): Id) -> Result<Json<Sync>, Problem> {
    Ok(Json(syncs::cancel(tenant.ctx(), tenant.organization(), &id).await?.into()))
}

/// The exact requests that a sync would send. Nothing is sent.
#[utoipa::path(post, path = "/v1/syncs/preview", tag = "syncs", request_body = PreviewOrder, responses((status = 200, body = Preview), (status = 502)))]
pub(crate) async fn preview_sync(tenant: Tenant, JsonBody(mut order): JsonBody<PreviewOrder>) -> Result<Json<Preview>, Problem> {
    let subject = order.subject()?;
    Ok(Json(preview::run(tenant.ctx(), tenant.organization(), &order.connection, subject).await?.into()))
}
