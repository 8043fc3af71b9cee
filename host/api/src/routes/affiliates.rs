//! Affiliates: create, list, change, put into campaigns; approve, pause, remove, reject.

use axum::Json;
use axum::response::Response;
use crm_sync::domain::AffiliateStatus;
use crm_sync::services::affiliates::{self, AffiliateChange, AffiliateFilter, NewAffiliate as New};
use crm_sync::services::approval::{self, Order, Whom};
use http::StatusCode;

use super::connections::precondition;
use super::tagged;
use crate::extract::{Id, IfMatch, JsonBody, OptionalJson, Query, Tenant};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::affiliates::{Affiliate, AffiliatePatch, AffiliateQuery, Changed, JoinOrder, NewAffiliate, OneChange, StatusChange};

/// Creates an affiliate in a campaign. An e-mail that the organization has already is 409 `already_exists` with its id in `existing`: put
/// that one into the campaign instead.
#[utoipa::path(post, path = "/v1/affiliates", tag = "affiliates", request_body = NewAffiliate,
    responses((status = 201, body = Affiliate, headers(("etag" = String)))))]
pub(crate) async fn create_affiliate(tenant: Tenant, JsonBody(new): JsonBody<NewAffiliate>) -> Result<Response, Problem> {
    let (campaign, approve) = (new.campaign, new.approve);
    let new = New {
        email: new.email,
        first: new.first,
        last: new.last,
        full: new.full,
        company: new.company,
        website: new.website,
        promotes: new.promotes,
        slug: new.slug,
        coupon: new.coupon,
        consent: new.consent.map(Into::into),
    };
    let made = affiliates::create(tenant.ctx(), tenant.organization(), &campaign, new, approve).await?;
    Ok(tagged(StatusCode::CREATED, made.version, Affiliate::from(made.value)))
}

/// Affiliates, oldest first.
#[utoipa::path(get, path = "/v1/affiliates", tag = "affiliates", params(AffiliateQuery), responses((status = 200, body = Page<Affiliate>)))]
pub(crate) async fn list_affiliates(tenant: Tenant, Query(query): Query<AffiliateQuery>) -> Result<Json<Page<Affiliate>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let status = query.status.map(Into::into);
    let filter = AffiliateFilter { campaign: query.campaign, status, email: query.email, slug: query.slug };
    let found = affiliates::list(tenant.ctx(), tenant.organization(), &filter, after.as_deref(), limit).await?;
    Ok(Json(Page::new(found.items.into_iter().map(|a| a.value.into()).collect(), found.next)))
}

/// One affiliate, with its `ETag`.
#[utoipa::path(get, path = "/v1/affiliates/{id}", tag = "affiliates", params(("id" = String, Path)),
    responses((status = 200, body = Affiliate, headers(("etag" = String)))))]
pub(crate) async fn get_affiliate(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let found = affiliates::get(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(tagged(StatusCode::OK, found.version, Affiliate::from(found.value)))
}

/// Changes an affiliate; connections of approved campaigns are synced. A new e-mail moves the contact where the vendor allows it.
#[utoipa::path(patch, path = "/v1/affiliates/{id}", tag = "affiliates", request_body = AffiliatePatch,
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = Affiliate, headers(("etag" = String)))))]
pub(crate) async fn update_affiliate(
    tenant: Tenant,
    Id(id): Id,
    IfMatch(expect): IfMatch,
    JsonBody(patch): JsonBody<AffiliatePatch>,
) -> Result<Response, Problem> {
    let change = AffiliateChange {
        email: patch.email,
        first: patch.first,
        last: patch.last,
        full: patch.full,
        company: patch.company,
        website: patch.website,
        promotes: patch.promotes,
        slug: patch.slug,
        coupon: patch.coupon,
    };
    let saved = affiliates::update(tenant.ctx(), tenant.organization(), &id, expect, change).await.map_err(|e| precondition(e, expect))?;
    Ok(tagged(StatusCode::OK, saved.version, Affiliate::from(saved.value)))
}

/// Puts an affiliate into one more campaign.
#[utoipa::path(post, path = "/v1/affiliates/{id}/campaigns", tag = "affiliates", request_body = JoinOrder, params(("id" = String, Path)),
    responses((status = 200, body = Affiliate, headers(("etag" = String)))))]
pub(crate) async fn join_campaign(tenant: Tenant, Id(id): Id, JsonBody(order): JsonBody<JoinOrder>) -> Result<Response, Problem> {
    let saved = affiliates::join(tenant.ctx(), tenant.organization(), &id, &order.campaign, order.approve).await?;
    Ok(tagged(StatusCode::OK, saved.version, Affiliate::from(saved.value)))
}

/// Approves many: by ids, or every pending affiliate of a campaign. Their syncs are on disk when this answers.
#[utoipa::path(post, path = "/v1/affiliates/approve", tag = "affiliates", request_body = StatusChange,
    responses((status = 202, body = Changed)))]
pub(crate) async fn approve_affiliates(
    tenant: Tenant,
    JsonBody(order): JsonBody<StatusChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    many(&tenant, order, AffiliateStatus::Approved).await
}

/// Rejects many: by ids, or every pending affiliate of a campaign.
#[utoipa::path(post, path = "/v1/affiliates/reject", tag = "affiliates", request_body = StatusChange,
    responses((status = 202, body = Changed)))]
pub(crate) async fn reject_affiliates(
    tenant: Tenant,
    JsonBody(order): JsonBody<StatusChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    many(&tenant, order, AffiliateStatus::Rejected).await
}

/// Pauses many: by ids, or every approved affiliate of a campaign. Their tags come off where the connection's `untag_on` says so.
#[utoipa::path(post, path = "/v1/affiliates/pause", tag = "affiliates", request_body = StatusChange,
    responses((status = 202, body = Changed)))]
pub(crate) async fn pause_affiliates(
    tenant: Tenant,
    JsonBody(order): JsonBody<StatusChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    many(&tenant, order, AffiliateStatus::Paused).await
}

/// Removes many from a campaign: by ids, or everyone in it. Their tags come off where the connection's `untag_on` says so; contacts stay.
#[utoipa::path(post, path = "/v1/affiliates/remove", tag = "affiliates", request_body = StatusChange,
    responses((status = 202, body = Changed)))]
pub(crate) async fn remove_affiliates(
    tenant: Tenant,
    JsonBody(order): JsonBody<StatusChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    many(&tenant, order, AffiliateStatus::Removed).await
}

/// Approves one, whatever the status was. The syncs are on disk when this answers.
#[utoipa::path(post, path = "/v1/affiliates/{id}/approve", tag = "affiliates", params(("id" = String, Path)),
    request_body = Option<OneChange>, responses((status = 202, body = Changed)))]
pub(crate) async fn approve_affiliate(
    tenant: Tenant,
    Id(id): Id,
    order: OptionalJson<OneChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    one(&tenant, id, order, AffiliateStatus::Approved).await
}

/// Rejects one.
#[utoipa::path(post, path = "/v1/affiliates/{id}/reject", tag = "affiliates", params(("id" = String, Path)),
    request_body = Option<OneChange>, responses((status = 202, body = Changed)))]
pub(crate) async fn reject_affiliate(
    tenant: Tenant,
    Id(id): Id,
    order: OptionalJson<OneChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    one(&tenant, id, order, AffiliateStatus::Rejected).await
}

/// Pauses one. Approving again restores.
#[utoipa::path(post, path = "/v1/affiliates/{id}/pause", tag = "affiliates", params(("id" = String, Path)),
    request_body = Option<OneChange>, responses((status = 202, body = Changed)))]
pub(crate) async fn pause_affiliate(
    tenant: Tenant,
    Id(id): Id,
    order: OptionalJson<OneChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    one(&tenant, id, order, AffiliateStatus::Paused).await
}

/// Removes one from a campaign. The contact stays; approving again restores.
#[utoipa::path(post, path = "/v1/affiliates/{id}/remove", tag = "affiliates", params(("id" = String, Path)),
    request_body = Option<OneChange>, responses((status = 202, body = Changed)))]
pub(crate) async fn remove_affiliate(
    tenant: Tenant,
    Id(id): Id,
    order: OptionalJson<OneChange>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    one(&tenant, id, order, AffiliateStatus::Removed).await
}

async fn many(tenant: &Tenant, order: StatusChange, to: AffiliateStatus) -> Result<(StatusCode, Json<Changed>), Problem> {
    let whom = match (order.ids, order.campaign, order.all) {
        (Some(ids), _, None) if ids.is_empty() => return Err(Problem::invalid("ids", "name at least one affiliate")),
        (Some(_), _, None) if order.statuses.is_some() => return Err(Problem::invalid("statuses", "goes with all: true")),
        (Some(ids), campaign, None) => Whom::Ids { ids, campaign },
        (None, Some(campaign), Some(true)) => {
            Whom::AllOf { campaign, statuses: order.statuses.unwrap_or_default().into_iter().map(Into::into).collect() }
        }
        (None, Some(_), _) => return Err(Problem::invalid("all", "say all: true to change everyone of the campaign")),
        _ => return Err(Problem::invalid("ids", "give either ids, or campaign with all: true")),
    };
    let order = Order { to, reason: order.reason };
    Ok((StatusCode::ACCEPTED, Json(approval::change(tenant.ctx(), tenant.organization(), whom, order).await?.into())))
}

async fn one(
    tenant: &Tenant,
    id: String,
    OptionalJson(order): OptionalJson<OneChange>,
    to: AffiliateStatus,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    let (campaign, reason) = order.map_or((None, None), |o| (o.campaign, o.reason));
    let (whom, order) = (Whom::Ids { ids: vec![id], campaign }, Order { to, reason });
    Ok((StatusCode::ACCEPTED, Json(approval::change(tenant.ctx(), tenant.organization(), whom, order).await?.into())))
}
