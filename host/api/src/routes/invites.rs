//! Invitations: made in bulk, listed, withdrawn. Their links lead to pages; the host sends no e-mail.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use crm_sync::services::invites::{self, InviteFilter, Order, Person};
use http::{StatusCode, header};
use http_body_util::BodyExt;

use crate::body;
use crate::extract::{Id, JsonBody, Query, Tenant};
use crate::idempotency::NotKept;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::invites::{Invite, InviteFileQuery, InviteQuery, InvitesMade, NewInvites};

/// Invites people into a campaign, up to 1,000 at once. This host sends no e-mail: send everyone their `link`, which is shown in this answer and
/// never again. Inviting somebody again makes a new link and ends the older one. Who is in the campaign already gets none.
#[utoipa::path(post, path = "/v1/invites", tag = "invites", request_body = NewInvites,
    responses((status = 201, body = InvitesMade), (status = 404)))]
pub(crate) async fn create_invites(tenant: Tenant, JsonBody(new): JsonBody<NewInvites>) -> Result<Response, Problem> {
    let order = Order { campaign: new.campaign, approve: new.approve, expires_days: new.expires_days, note: new.note };
    let people = new.people.into_iter().map(|p| Person { email: p.email, name: p.name }).collect();
    Ok(made(invites::invite(tenant.ctx(), tenant.organization(), order, people).await?.into()))
}

/// The same for the people of a CSV file: columns Email and Name, by name; up to 10,000 rows and 4 MiB. Rows that cannot be used are reported
/// and passed over.
#[utoipa::path(post, path = "/v1/invites/csv", tag = "invites", params(InviteFileQuery),
    request_body(content((String = "text/csv"))), responses((status = 201, body = InvitesMade)))]
pub(crate) async fn create_invites_from_file(
    tenant: Tenant,
    Query(query): Query<InviteFileQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "text/csv" | "application/csv") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send the file as text/csv"));
    }
    let order = Order { campaign: query.campaign, approve: query.approve, expires_days: query.expires_days, note: query.note };
    let file = request.into_limited_body().collect().await.map_err(|e| body::problem_of(&e))?.to_bytes();
    Ok(made(invites::invite_file(tenant.ctx(), tenant.organization(), order, &file).await?.into()))
}

fn made(made: InvitesMade) -> Response {
    NotKept::mark((StatusCode::CREATED, Json(made)).into_response())
}

/// Invitations, oldest first. They are kept for thirty days after their end.
#[utoipa::path(get, path = "/v1/invites", tag = "invites", params(InviteQuery), responses((status = 200, body = Page<Invite>)))]
pub(crate) async fn list_invites(tenant: Tenant, Query(query): Query<InviteQuery>) -> Result<Json<Page<Invite>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let filter = InviteFilter { campaign: query.campaign, state: query.state.map(Into::into), email: query.email };
    let found = invites::list(tenant.ctx(), tenant.organization(), &filter, after.as_deref(), limit).await?;
    let now = tenant.ctx().now();
    Ok(Json(Page::new(found.items.into_iter().map(|i| Invite::of(i.value, now)).collect(), found.next)))
}

/// One invitation. Its link cannot be shown again: invite anew for a new one.
#[utoipa::path(get, path = "/v1/invites/{id}", tag = "invites", params(("id" = String, Path)), responses((status = 200, body = Invite)))]
pub(crate) async fn get_invite(tenant: Tenant, Id(id): Id) -> Result<Json<Invite>, Problem> {
    let found = invites::get(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(Json(Invite::of(found.value, tenant.ctx().now())))
}

/// Withdraws an invitation: its link leads nowhere from now on. One that has ended stays as it is; one that was accepted is 409
/// `invite_accepted`.
#[utoipa::path(post, path = "/v1/invites/{id}/revoke", tag = "invites", params(("id" = String, Path)), responses((status = 200, body = Invite)))]
pub(crate) async fn revoke_invite(tenant: Tenant, Id(id): Id) -> Result<Json<Invite>, Problem> {
    let revoked = invites::revoke(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(Json(Invite::of(revoked, tenant.ctx().now())))
}
