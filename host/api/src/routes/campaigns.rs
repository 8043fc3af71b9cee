//! Campaigns.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use crm_sync::services::campaigns::{self, CampaignChange, NewCampaign as New};
use http::StatusCode;

use super::connections::{ListQuery, precondition};
use super::tagged;
use crate::App;
use crate::extract::{Id, IfMatch, JsonBody, Query, Tenant};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::campaigns::{Campaign, CampaignPatch, NewCampaign};

/// Creates a campaign.
#[utoipa::path(post, path = "/v1/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses((status = 201, body = Campaign, headers(("etag" = String)))))]
pub(crate) async fn create_campaign(
    tenant: Tenant,
    State(app): State<App>,
    JsonBody(new): JsonBody<NewCampaign>,
) -> Result<Response, Problem> {
    let new = New { name: new.name, slug: new.slug, extra_tags: new.extra_tags };
    let made = campaigns::create(&app.state.ctx, tenant.organization(), new).await?;
    Ok(tagged(StatusCode::CREATED, made.version, Campaign::from(made.value)))
}

/// Campaigns, oldest first.
#[utoipa::path(get, path = "/v1/campaigns", tag = "campaigns", params(ListQuery), responses((status = 200, body = Page<Campaign>)))]
pub(crate) async fn list_campaigns(
    tenant: Tenant,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Campaign>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let found = campaigns::list(&app.state.ctx, tenant.organization(), after.as_deref(), page::limit(query.limit)?).await?;
    Ok(Json(Page::new(found.items.into_iter().map(|c| c.value.into()).collect(), found.next)))
}

/// One campaign, with its `ETag`.
#[utoipa::path(get, path = "/v1/campaigns/{id}", tag = "campaigns", params(("id" = String, Path)),
    responses((status = 200, body = Campaign, headers(("etag" = String)))))]
pub(crate) async fn get_campaign(tenant: Tenant, State(app): State<App>, Id(id): Id) -> Result<Response, Problem> {
    let found = campaigns::get(&app.state.ctx, tenant.organization(), &id).await?;
    Ok(tagged(StatusCode::OK, found.version, Campaign::from(found.value)))
}

/// Changes a campaign's name or extra tags. Contacts that are already synced change with their next sync.
#[utoipa::path(patch, path = "/v1/campaigns/{id}", tag = "campaigns", request_body = CampaignPatch,
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = Campaign, headers(("etag" = String)))))]
pub(crate) async fn update_campaign(
    tenant: Tenant,
    State(app): State<App>,
    Id(id): Id,
    IfMatch(expect): IfMatch,
    JsonBody(patch): JsonBody<CampaignPatch>,
) -> Result<Response, Problem> {
    let change = CampaignChange { name: patch.name, extra_tags: patch.extra_tags };
    let saved = campaigns::update(&app.state.ctx, tenant.organization(), &id, expect, change).await.map_err(|e| precondition(e, expect))?;
    Ok(tagged(StatusCode::OK, saved.version, Campaign::from(saved.value)))
}
