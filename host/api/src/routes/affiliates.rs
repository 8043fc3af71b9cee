//! Affiliates: create, list, approve.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use crm_sync::services::affiliates::{self, AffiliateFilter, NewAffiliate as New};
use crm_sync::services::approval::{self, Whom};
use http::StatusCode;

use super::tagged;
use crate::App;
use crate::extract::{Id, JsonBody, Query, Tenant};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::affiliates::{Affiliate, AffiliateQuery, Approval, Approved, NewAffiliate};

/// Creates a pending affiliate of a campaign.
#[utoipa::path(post, path = "/v1/affiliates", tag = "affiliates", request_body = NewAffiliate,
    responses((status = 201, body = Affiliate)))]
pub(crate) async fn create_affiliate(
    tenant: Tenant,
    State(app): State<App>,
    JsonBody(new): JsonBody<NewAffiliate>,
) -> Result<Response, Problem> {
    let campaign = new.campaign;
    let new = New {
        email: new.email,
        first: new.first,
        last: new.last,
        full: new.full,
        company: new.company,
        slug: new.slug,
        consent: new.consent.map(Into::into),
    };
    let made = affiliates::create(&app.state.ctx, tenant.organization(), &campaign, new).await?;
    Ok(tagged(StatusCode::CREATED, made.version, Affiliate::from(made.value)))
}

/// Affiliates, oldest first.
#[utoipa::path(get, path = "/v1/affiliates", tag = "affiliates", params(AffiliateQuery), responses((status = 200, body = Page<Affiliate>)))]
pub(crate) async fn list_affiliates(
    tenant: Tenant,
    State(app): State<App>,
    Query(query): Query<AffiliateQuery>,
) -> Result<Json<Page<Affiliate>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let filter = AffiliateFilter { campaign: query.campaign, status: query.status.map(Into::into), email: query.email };
    let found = affiliates::list(&app.state.ctx, tenant.organization(), &filter, after.as_deref(), limit).await?;
    Ok(Json(Page::new(found.items.into_iter().map(|a| a.value.into()).collect(), found.next)))
}

/// One affiliate.
#[utoipa::path(get, path = "/v1/affiliates/{id}", tag = "affiliates", params(("id" = String, Path)),
    responses((status = 200, body = Affiliate)))]
pub(crate) async fn get_affiliate(tenant: Tenant, State(app): State<App>, Id(id): Id) -> Result<Response, Problem> {
    let found = affiliates::get(&app.state.ctx, tenant.organization(), &id).await?;
    Ok(tagged(StatusCode::OK, found.version, Affiliate::from(found.value)))
}

/// Approves many: by ids, or every pending affiliate of a campaign. Their syncs are on disk when this answers.
#[utoipa::path(post, path = "/v1/affiliates/approve", tag = "affiliates", request_body = Approval,
    responses((status = 202, body = Approved)))]
pub(crate) async fn approve_affiliates(
    tenant: Tenant,
    State(app): State<App>,
    JsonBody(order): JsonBody<Approval>,
) -> Result<(StatusCode, Json<Approved>), Problem> {
    let whom = match (order.ids, order.campaign, order.all) {
        (Some(ids), None, None) if ids.is_empty() => return Err(Problem::invalid("ids", "name at least one affiliate")),
        (Some(ids), None, None) => Whom::Ids(ids),
        (None, Some(campaign), Some(true)) => Whom::AllOf { campaign },
        (None, Some(_), _) => return Err(Problem::invalid("all", "say all: true to approve every pending affiliate of the campaign")),
        _ => return Err(Problem::invalid("ids", "give either ids, or campaign with all: true")),
    };
    Ok((StatusCode::ACCEPTED, Json(approval::approve(&app.state.ctx, tenant.organization(), whom).await?.into())))
}

/// Approves one, whatever the status was. The syncs are on disk when this answers.
#[utoipa::path(post, path = "/v1/affiliates/{id}/approve", tag = "affiliates", params(("id" = String, Path)),
    responses((status = 202, body = Approved)))]
pub(crate) async fn approve_affiliate(tenant: Tenant, State(app): State<App>, Id(id): Id) -> Result<(StatusCode, Json<Approved>), Problem> {
    let did = approval::approve(&app.state.ctx, tenant.organization(), Whom::Ids(vec![id])).await?;
    Ok((StatusCode::ACCEPTED, Json(did.into())))
}
