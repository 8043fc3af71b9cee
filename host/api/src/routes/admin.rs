//! What the operator does while the host runs. An organization's key finds nothing here.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use crm_sync::services::{keys, organizations};
use http::StatusCode;

use super::connections::ListQuery;
use crate::App;
use crate::extract::{Id, JsonBody, OperatorAuth, Query};
use crate::idempotency::NotKept;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::keys::{CreatedApiKey, NewApiKey, NewOrganization, Organization};

/// Creates an organization. It has no key yet: make one below.
#[utoipa::path(post, path = "/v1/admin/organizations", tag = "admin", security(("operator_key" = [])), request_body = NewOrganization,
    responses((status = 201, body = Organization)))]
pub(crate) async fn create_organization(
    operator: OperatorAuth,
    State(app): State<App>,
    JsonBody(new): JsonBody<NewOrganization>,
) -> Result<Response, Problem> {
    let made = organizations::create(&operator.ctx(&app), &new.name, new.test).await?;
    Ok(super::answered(StatusCode::CREATED, Organization::from(made)))
}

/// All organizations, oldest first.
#[utoipa::path(get, path = "/v1/admin/organizations", tag = "admin", security(("operator_key" = [])), params(ListQuery),
    responses((status = 200, body = Page<Organization>)))]
pub(crate) async fn list_organizations(
    operator: OperatorAuth,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Organization>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let found = organizations::list(&operator.ctx(&app), after.as_deref(), page::limit(query.limit)?).await?;
    Ok(Json(Page::new(found.items.into_iter().map(Into::into).collect(), found.next)))
}

/// One organization.
#[utoipa::path(get, path = "/v1/admin/organizations/{id}", tag = "admin", security(("operator_key" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Organization)))]
pub(crate) async fn show_organization(operator: OperatorAuth, State(app): State<App>, Id(id): Id) -> Result<Json<Organization>, Problem> {
    Ok(Json(organizations::get(&operator.ctx(&app), &id).await?.value.into()))
}

/// Creates a key for an organization. It is shown in this answer only.
#[utoipa::path(post, path = "/v1/admin/organizations/{id}/keys", tag = "admin", security(("operator_key" = [])), request_body = NewApiKey,
    params(("id" = String, Path)), responses((status = 201, body = CreatedApiKey)))]
pub(crate) async fn create_organization_key(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(id): Id,
    JsonBody(new): JsonBody<NewApiKey>,
) -> Result<Response, Problem> {
    let made = keys::create_key(&operator.ctx(&app), &id, &new.name, new.scope.into()).await?;
    Ok(NotKept::mark(super::answered(StatusCode::CREATED, CreatedApiKey::from(made))))
}
