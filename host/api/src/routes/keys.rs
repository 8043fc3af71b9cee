//! API keys and the organization they belong to.

use axum::Json;
use axum::response::Response;
use crm_sync::services::keys;
use crm_sync::services::organizations::{self, OrganizationChange};
use http::StatusCode;

use super::connections::{ListQuery, precondition};
use super::tagged;
use crate::extract::{Id, IfMatch, JsonBody, Query, Tenant};
use crate::idempotency::NotKept;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::keys::{ApiKey, ApiKeyPatch, CreatedApiKey, NewApiKey, Organization, OrganizationPatch};

/// Creates a key. It is shown in this answer only.
#[utoipa::path(post, path = "/v1/api-keys", tag = "organization", request_body = NewApiKey, responses((status = 201, body = CreatedApiKey)))]
pub(crate) async fn create_api_key(tenant: Tenant, JsonBody(new): JsonBody<NewApiKey>) -> Result<Response, Problem> {
    let made = keys::create_key(tenant.ctx(), tenant.organization(), &new.name, new.scope.into()).await?;
    Ok(NotKept::mark(super::answered(StatusCode::CREATED, CreatedApiKey::from(made))))
}

/// Keys, revoked ones included, oldest first.
#[utoipa::path(get, path = "/v1/api-keys", tag = "organization", params(ListQuery), responses((status = 200, body = Page<ApiKey>)))]
pub(crate) async fn list_api_keys(tenant: Tenant, Query(query): Query<ListQuery>) -> Result<Json<Page<ApiKey>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let found = keys::page(tenant.ctx(), tenant.organization(), after.as_deref(), page::limit(query.limit)?).await?;
    Ok(Json(Page::new(found.items.into_iter().map(Into::into).collect(), found.next)))
}

/// One key.
#[utoipa::path(get, path = "/v1/api-keys/{id}", tag = "organization", params(("id" = String, Path)), responses((status = 200, body = ApiKey)))]
pub(crate) async fn get_api_key(tenant: Tenant, Id(id): Id) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(keys::get(tenant.ctx(), tenant.organization(), &id).await?.value.into()))
}

/// Gives a key another name.
#[utoipa::path(patch, path = "/v1/api-keys/{id}", tag = "organization", request_body = ApiKeyPatch, params(("id" = String, Path)),
    responses((status = 200, body = ApiKey)))]
pub(crate) async fn update_api_key(tenant: Tenant, Id(id): Id, JsonBody(patch): JsonBody<ApiKeyPatch>) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(keys::rename(tenant.ctx(), tenant.organization(), &id, &patch.name).await?.into()))
}

/// Revokes a key, at once and for good. The last key that may write stays: 409 `last_key`.
#[utoipa::path(delete, path = "/v1/api-keys/{id}", tag = "organization", params(("id" = String, Path)), responses((status = 200, body = ApiKey)))]
pub(crate) async fn revoke_api_key(tenant: Tenant, Id(id): Id) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(keys::revoke(tenant.ctx(), tenant.organization(), &id).await?.into()))
}

/// The organization of this key.
#[utoipa::path(get, path = "/v1/organization", tag = "organization",
    responses((status = 200, body = Organization, headers(("etag" = String)))))]
pub(crate) async fn get_organization(tenant: Tenant) -> Result<Response, Problem> {
    let found = organizations::get(tenant.ctx(), tenant.organization()).await?;
    Ok(tagged(StatusCode::OK, found.version, Organization::from(found.value)))
}

/// Changes the organization's name and addresses.
#[utoipa::path(patch, path = "/v1/organization", tag = "organization", request_body = OrganizationPatch,
    params(("if-match" = Option<String>, Header)), responses((status = 200, body = Organization, headers(("etag" = String)))))]
pub(crate) async fn update_organization(
    tenant: Tenant,
    IfMatch(expect): IfMatch,
    JsonBody(patch): JsonBody<OrganizationPatch>,
) -> Result<Response, Problem> {
    let change = OrganizationChange { name: patch.name, portal_url: patch.portal_url, site_url: patch.site_url };
    let saved = organizations::update(tenant.ctx(), tenant.organization(), expect, change).await.map_err(|e| precondition(e, expect))?;
    Ok(tagged(StatusCode::OK, saved.version, Organization::from(saved.value)))
}
