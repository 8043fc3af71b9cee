//! Campaigns and their overrides.

use axum::Json;
use axum::response::Response;
use crm_sync::services::campaigns::{self, CampaignChange, NewCampaign as New};
use crm_sync::services::overrides::{self, NewOverride};
use http::StatusCode;

use super::connections::{ListQuery, precondition};
use super::tagged;
use crate::extract::{Id, Ids, IfMatch, JsonBody, Query, Tenant};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::campaigns::{Campaign, CampaignPatch, NewCampaign, Override, OverrideOrder};

/// Creates a campaign.
#[utoipa::path(post, path = "/v1/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses((status = 201, body = Campaign, headers(("etag" = String)))))]
pub(crate) async fn create_campaign(tenant: Tenant, JsonBody(new): JsonBody<NewCampaign>) -> Result<Response, Problem> {
    let new = New {
        name: new.name,
        slug: new.slug,
        description: new.description,
        terms_url: new.terms_url,
        site_url: new.site_url,
        auto_approve: new.auto_approve,
        open: new.open,
        cookie_window_days: new.cookie_window_days,
        attribution: new.attribution.into(),
        commission: new.commission.into(),
        extra_tags: new.extra_tags,
    };
    let made = campaigns::create(tenant.ctx(), tenant.organization(), new).await?;
    Ok(tagged(StatusCode::CREATED, made.version, Campaign::of(made.value, tenant.ctx())))
}

/// Campaigns, oldest first.
#[utoipa::path(get, path = "/v1/campaigns", tag = "campaigns", params(ListQuery), responses((status = 200, body = Page<Campaign>)))]
pub(crate) async fn list_campaigns(tenant: Tenant, Query(query): Query<ListQuery>) -> Result<Json<Page<Campaign>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let found = campaigns::list(tenant.ctx(), tenant.organization(), after.as_deref(), page::limit(query.limit)?).await?;
    Ok(Json(Page::new(found.items.into_iter().map(|c| Campaign::of(c.value, tenant.ctx())).collect(), found.next)))
}

/// One campaign, with its `ETag`.
#[utoipa::path(get, path = "/v1/campaigns/{id}", tag = "campaigns", params(("id" = String, Path)),
    responses((status = 200, body = Campaign, headers(("etag" = String)))))]
pub(crate) async fn get_campaign(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let found = campaigns::get(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(tagged(StatusCode::OK, found.version, Campaign::of(found.value, tenant.ctx())))
}

/// Changes a campaign. Contacts that are already synced change with their next sync (`POST /v1/connections/{id}/resync`).
#[utoipa::path(patch, path = "/v1/campaigns/{id}", tag = "campaigns", request_body = CampaignPatch,
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = Campaign, headers(("etag" = String)))))]
pub(crate) async fn update_campaign(
    tenant: Tenant,
    Id(id): Id,
    IfMatch(expect): IfMatch,
    JsonBody(patch): JsonBody<CampaignPatch>,
) -> Result<Response, Problem> {
    let change = CampaignChange {
        name: patch.name,
        description: patch.description,
        terms_url: patch.terms_url,
        site_url: patch.site_url,
        auto_approve: patch.auto_approve,
        open: patch.open,
        cookie_window_days: patch.cookie_window_days,
        attribution: patch.attribution.map(Into::into),
        commission: patch.commission.map(Into::into),
        extra_tags: patch.extra_tags,
    };
    let saved = campaigns::update(tenant.ctx(), tenant.organization(), &id, expect, change).await.map_err(|e| precondition(e, expect))?;
    Ok(tagged(StatusCode::OK, saved.version, Campaign::of(saved.value, tenant.ctx())))
}

/// What this campaign does differently, connection by connection.
#[utoipa::path(get, path = "/v1/campaigns/{id}/connections", tag = "campaigns", params(("id" = String, Path)),
    responses((status = 200, body = Page<Override>)))]
pub(crate) async fn list_overrides(tenant: Tenant, Id(id): Id) -> Result<Json<Page<Override>>, Problem> {
    let found = overrides::list(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(Json(Page::new(found.into_iter().map(|o| o.value.into()).collect(), None)))
}

/// What this campaign does differently on one connection. 404 where it does nothing differently.
#[utoipa::path(get, path = "/v1/campaigns/{id}/connections/{connection}", tag = "campaigns",
    params(("id" = String, Path), ("connection" = String, Path, description = "Connection id")),
    responses((status = 200, body = Override, headers(("etag" = String)))))]
pub(crate) async fn get_override(tenant: Tenant, Ids(id, connection): Ids) -> Result<Response, Problem> {
    let found = overrides::get(tenant.ctx(), tenant.organization(), &id, &connection).await?;
    Ok(tagged(StatusCode::OK, found.version, Override::from(found.value)))
}

/// Sets what this campaign does differently on one connection. Syncs made from now on follow it.
#[utoipa::path(put, path = "/v1/campaigns/{id}/connections/{connection}", tag = "campaigns", request_body = OverrideOrder,
    params(("id" = String, Path), ("connection" = String, Path, description = "Connection id"), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = Override, headers(("etag" = String)))))]
pub(crate) async fn set_override(
    tenant: Tenant,
    Ids(id, connection): Ids,
    IfMatch(expect): IfMatch,
    JsonBody(order): JsonBody<OverrideOrder>,
) -> Result<Response, Problem> {
    let new = NewOverride {
        off: order.off,
        picked: order.picked,
        extra_tags: order.extra_tags,
        fields: order.fields.into_iter().map(|(source, target)| (source.into(), target)).collect(),
    };
    let set = overrides::set(tenant.ctx(), tenant.organization(), &id, &connection, expect, new).await;
    let saved = set.map_err(|e| precondition(e, expect))?;
    Ok(tagged(StatusCode::OK, saved.version, Override::from(saved.value)))
}

/// Goes back to what the connection says.
#[utoipa::path(delete, path = "/v1/campaigns/{id}/connections/{connection}", tag = "campaigns",
    params(("id" = String, Path), ("connection" = String, Path, description = "Connection id")),
    responses((status = 204, description = "There is no override now")))]
pub(crate) async fn clear_override(tenant: Tenant, Ids(id, connection): Ids) -> Result<StatusCode, Problem> {
    overrides::clear(tenant.ctx(), tenant.organization(), &id, &connection).await?;
    Ok(StatusCode::NO_CONTENT)
}
