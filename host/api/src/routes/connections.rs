//! Connections.

use axum::Json;
use axum::response::Response;
use crm_sync::services::connections::NewConnection as New;
use crm_sync::services::resync::{self, Scope};
use crm_sync::services::settings::ConnectionChange;
use crm_sync::services::{choices, connections, prepare, settings};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::tagged;
use crate::extract::{Id, Ids, IfMatch, JsonBody, OptionalJson, Query, Tenant};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::connections::{
    Choice, Connected, Connection, ConnectionPatch, Disconnected, NewConnection, PrepareOrder, Prepared, ResyncOrder, Resynced, Reverify,
};

/// Approved affiliates are counted up to here when an account is connected.
const MOST_COUNTED: u64 = 1_000_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChoiceQuery {
    /// Part of a name, or a whole id.
    search: Option<String>,
    cursor: Option<String>,
}

/// Connects an account: the test call is made first, and nothing is kept unless the vendor accepts the credentials.
#[utoipa::path(post, path = "/v1/connections", tag = "connections", request_body = NewConnection,
    responses((status = 201, body = Connected, headers(("etag" = String))), (status = 502)))]
pub(crate) async fn create_connection(tenant: Tenant, JsonBody(new): JsonBody<NewConnection>) -> Result<Response, Problem> {
    let backfill = new.backfill;
    let new = New {
        connector: new.connector,
        name: new.name,
        mode: new.mode,
        credentials: new.credentials.0,
        settings: new.settings,
        default_tags: new.default_tags,
    };
    let made = connections::create(tenant.ctx(), tenant.organization(), new).await?;
    let (ctx, organization, id) = (tenant.ctx(), tenant.organization(), made.value.id.clone());
    let approved_before = resync::approved(ctx, organization, MOST_COUNTED).await?;
    let backfill = match backfill {
        true => Some(resync::run(ctx, organization, &id, Scope::All { campaign: None }).await?.into()),
        false => None,
    };
    Ok(tagged(StatusCode::CREATED, made.version, Connected { connection: made.value.into(), approved_before, backfill }))
}

/// Syncs approved affiliates into this connection again: all, some, or those that failed. Wishes for one contact are folded.
#[utoipa::path(post, path = "/v1/connections/{id}/resync", tag = "connections", request_body = ResyncOrder, params(("id" = String, Path)),
    responses((status = 202, body = Resynced)))]
pub(crate) async fn resync_connection(
    tenant: Tenant,
    Id(id): Id,
    JsonBody(order): JsonBody<ResyncOrder>,
) -> Result<(StatusCode, Json<Resynced>), Problem> {
    let scope = match (order.all, order.affiliates, order.failed) {
        (true, None, false) => Scope::All { campaign: order.campaign },
        (false, Some(ids), false) if !ids.is_empty() && order.campaign.is_none() => Scope::Affiliates(ids),
        (false, None, true) if order.campaign.is_none() => Scope::Failed,
        _ => return Err(Problem::invalid("all", "say one of all: true (with or without campaign), affiliates or failed: true")),
    };
    Ok((StatusCode::ACCEPTED, Json(resync::run(tenant.ctx(), tenant.organization(), &id, scope).await?.into())))
}

/// Connections, oldest first, disconnected ones included.
#[utoipa::path(get, path = "/v1/connections", tag = "connections", params(ListQuery), responses((status = 200, body = Page<Connection>)))]
pub(crate) async fn list_connections(tenant: Tenant, Query(query): Query<ListQuery>) -> Result<Json<Page<Connection>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let found = connections::list(tenant.ctx(), tenant.organization(), after.as_deref(), page::limit(query.limit)?).await?;
    Ok(Json(Page::new(found.items.into_iter().map(|c| c.value.into()).collect(), found.next)))
}

/// One connection, with its `ETag`.
#[utoipa::path(get, path = "/v1/connections/{id}", tag = "connections", params(("id" = String, Path)),
    responses((status = 200, body = Connection, headers(("etag" = String)))))]
pub(crate) async fn get_connection(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let found = connections::get(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(tagged(StatusCode::OK, found.version, Connection::from(found.value)))
}

/// Changes name, picked destinations, default tags, settings, mapped fields, what takes tags off, or the pinned version. `If-Match` guards against lost updates.
#[utoipa::path(patch, path = "/v1/connections/{id}", tag = "connections", request_body = ConnectionPatch,
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = Connection, headers(("etag" = String))), (status = 502)))]
pub(crate) async fn update_connection(
    tenant: Tenant,
    Id(id): Id,
    IfMatch(expect): IfMatch,
    JsonBody(patch): JsonBody<ConnectionPatch>,
) -> Result<Response, Problem> {
    let change = ConnectionChange {
        name: patch.name,
        picked: patch.picked,
        default_tags: patch.default_tags,
        settings: patch.settings,
        fields: patch.fields.into_iter().map(|(source, target)| (source.into(), target)).collect(),
        untag_on: patch.untag_on.map(|statuses| statuses.into_iter().map(Into::into).collect()),
        pinned: patch.pinned,
    };
    let saved = settings::update(tenant.ctx(), tenant.organization(), &id, expect, change).await.map_err(|e| precondition(e, expect))?;
    Ok(tagged(StatusCode::OK, saved.version, Connection::from(saved.value)))
}

/// Disconnects: open syncs are cancelled, an OAuth grant is ended where the vendor allows it, and the stored credentials deleted.
/// Contacts at the vendor stay as they are.
#[utoipa::path(delete, path = "/v1/connections/{id}", tag = "connections", params(("id" = String, Path)),
    responses((status = 200, body = Disconnected)))]
pub(crate) async fn disconnect(tenant: Tenant, Id(id): Id) -> Result<Json<Disconnected>, Problem> {
    let done = connections::disconnect(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(Json(Disconnected { connection: done.connection.into(), cancelled_syncs: done.cancelled, revoked: done.revoked }))
}

/// Choices of one of the connector's pickers, live from the account.
#[utoipa::path(get, path = "/v1/connections/{id}/choices/{picker}", tag = "connections",
    params(("id" = String, Path), ("picker" = String, Path), ChoiceQuery), responses((status = 200, body = Page<Choice>), (status = 409), (status = 422), (status = 502)))]
pub(crate) async fn list_choices(
    tenant: Tenant,
    Ids(id, picker): Ids,
    Query(query): Query<ChoiceQuery>,
) -> Result<Json<Page<Choice>>, Problem> {
    let cursor = page::decode(query.cursor.as_deref())?;
    let found = choices::list(tenant.ctx(), tenant.organization(), &id, &picker, query.search.as_deref(), cursor).await?;
    Ok(Json(Page::new(found.items.into_iter().map(Into::into).collect(), found.next)))
}

/// Looks what the account lacks for syncs to work, or creates it.
#[utoipa::path(post, path = "/v1/connections/{id}/prepare", tag = "connections", request_body = PrepareOrder,
    params(("id" = String, Path)), responses((status = 200, body = Prepared), (status = 502)))]
pub(crate) async fn prepare_connection(
    tenant: Tenant,
    Id(id): Id,
    JsonBody(order): JsonBody<PrepareOrder>,
) -> Result<Json<Prepared>, Problem> {
    Ok(Json(prepare::run(tenant.ctx(), tenant.organization(), &id, order.apply).await?.into()))
}

/// Makes the test call again, with new credentials where given, and resumes syncs that waited for them.
#[utoipa::path(post, path = "/v1/connections/{id}/reverify", tag = "connections", request_body = Option<Reverify>,
    params(("id" = String, Path)), responses((status = 200, body = Connection, headers(("etag" = String))), (status = 502)))]
pub(crate) async fn reverify_connection(
    tenant: Tenant,
    Id(id): Id,
    OptionalJson(order): OptionalJson<Reverify>,
) -> Result<Response, Problem> {
    let credentials = order.and_then(|o| o.credentials).map(|c| c.0);
    let saved = connections::reverify(tenant.ctx(), tenant.organization(), &id, credentials).await?;
    Ok(tagged(StatusCode::OK, saved.version, Connection::from(saved.value)))
}

/// With `If-Match`, a change in between is the failed precondition that the client asked for.
pub(crate) fn precondition(error: crm_sync::services::ServiceError, expect: Option<u64>) -> Problem {
    match error {
        crm_sync::services::ServiceError::Changed if expect.is_some() => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "it was changed since you read it: read it again and decide anew",
        ),
        other => other.into(),
    }
}
