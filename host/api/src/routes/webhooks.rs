//! Webhook endpoints and deliveries.

use axum::Json;
use axum::response::{IntoResponse, Response};
use crm_sync::services::events::EventType;
use crm_sync::services::webhooks::deliveries::{self, DeliveryFilter};
use crm_sync::services::webhooks::{self, EndpointChange, NewEndpoint};
use http::StatusCode;

use super::connections::{ListQuery, precondition};
use super::tagged;
use crate::extract::{Id, IfMatch, JsonBody, Query, Tenant};
use crate::idempotency::NotKept;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::webhooks::{
    CreatedWebhookEndpoint, DeliveryQuery, EventTypeInfo, NewWebhookEndpoint, WebhookDelivery, WebhookDeliveryDetail, WebhookEndpoint,
    WebhookEndpointPatch, WebhookSecret,
};

/// Makes an endpoint. Its secret is shown in this answer and never again (`POST .../secret/rotate` makes a new one).
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks", request_body = NewWebhookEndpoint,
    responses((status = 201, body = CreatedWebhookEndpoint, headers(("etag" = String)))))]
pub(crate) async fn create_webhook_endpoint(tenant: Tenant, JsonBody(new): JsonBody<NewWebhookEndpoint>) -> Result<Response, Problem> {
    let new = NewEndpoint { url: new.url, description: new.description, events: new.events };
    let made = webhooks::create(tenant.ctx(), tenant.organization(), new).await?;
    let body = CreatedWebhookEndpoint { endpoint: made.endpoint.value.into(), secret: made.secret.to_string() };
    Ok(NotKept::mark(tagged(StatusCode::CREATED, made.endpoint.version, body)))
}

/// Endpoints, oldest first.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks", params(ListQuery),
    responses((status = 200, body = Page<WebhookEndpoint>)))]
pub(crate) async fn list_webhook_endpoints(tenant: Tenant, Query(query): Query<ListQuery>) -> Result<Json<Page<WebhookEndpoint>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let found = webhooks::list(tenant.ctx(), tenant.organization(), after.as_deref(), page::limit(query.limit)?).await?;
    Ok(Json(Page::new(found.items.into_iter().map(|e| e.value.into()).collect(), found.next)))
}

/// One endpoint, with its `ETag`.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = WebhookEndpoint, headers(("etag" = String)))))]
pub(crate) async fn get_webhook_endpoint(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let found = webhooks::get(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(tagged(StatusCode::OK, found.version, WebhookEndpoint::from(found.value)))
}

/// Changes address, description or events of an endpoint, disables or enables it.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{id}", tag = "webhooks", request_body = WebhookEndpointPatch,
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = WebhookEndpoint, headers(("etag" = String)))))]
pub(crate) async fn update_webhook_endpoint(
    tenant: Tenant,
    Id(id): Id,
    IfMatch(expect): IfMatch,
    JsonBody(patch): JsonBody<WebhookEndpointPatch>,
) -> Result<Response, Problem> {
    let change = EndpointChange { url: patch.url, description: patch.description, events: patch.events, enabled: patch.enabled };
    let saved = webhooks::update(tenant.ctx(), tenant.organization(), &id, expect, change).await.map_err(|e| precondition(e, expect))?;
    Ok(tagged(StatusCode::OK, saved.version, WebhookEndpoint::from(saved.value)))
}

/// Deletes an endpoint with its secrets. Open deliveries are cancelled; finished ones can still be looked at.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{id}", tag = "webhooks",
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 204, description = "There is no such endpoint now")))]
pub(crate) async fn delete_webhook_endpoint(tenant: Tenant, Id(id): Id, IfMatch(expect): IfMatch) -> Result<StatusCode, Problem> {
    webhooks::delete(tenant.ctx(), tenant.organization(), &id, expect).await.map_err(|e| precondition(e, expect))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new secret, shown in this answer and never again. The one before it signs as well for 24 hours; an older one ends at once.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/secret/rotate", tag = "webhooks",
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = WebhookSecret, headers(("etag" = String)))))]
pub(crate) async fn rotate_webhook_secret(tenant: Tenant, Id(id): Id, IfMatch(expect): IfMatch) -> Result<Response, Problem> {
    let rotated = webhooks::rotate(tenant.ctx(), tenant.organization(), &id, expect).await.map_err(|e| precondition(e, expect))?;
    let version = rotated.endpoint.version;
    Ok(NotKept::mark(tagged(StatusCode::OK, version, WebhookSecret::from(rotated))))
}

/// Sends a `webhook.test` to an endpoint, whatever events it chose. It is a delivery like every other.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/test", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 202, body = WebhookDelivery)))]
pub(crate) async fn test_webhook_endpoint(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let sent = deliveries::test(tenant.ctx(), tenant.organization(), &id).await?;
    Ok((StatusCode::ACCEPTED, Json(WebhookDelivery::from(sent))).into_response())
}

/// Deliveries of an endpoint, newest first.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}/deliveries", tag = "webhooks", params(("id" = String, Path), DeliveryQuery),
    responses((status = 200, body = Page<WebhookDelivery>), (status = 422)))]
pub(crate) async fn list_webhook_deliveries(
    tenant: Tenant,
    Id(id): Id,
    Query(query): Query<DeliveryQuery>,
) -> Result<Json<Page<WebhookDelivery>>, Problem> {
    let before = page::decode_id(query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let kind = match query.event_type.as_deref() {
        None => None,
        Some(word) => {
            Some(EventType::parse(word).ok_or_else(|| Problem::invalid("event_type", "there is no such type: see GET /v1/event-types"))?)
        }
    };
    let filter = DeliveryFilter { state: query.state.map(Into::into), kind };
    let found = deliveries::list(tenant.ctx(), tenant.organization(), &id, &filter, before.as_deref(), limit).await?;
    Ok(Json(Page::new(found.items.into_iter().map(Into::into).collect(), found.next)))
}

/// One delivery: what is sent, every try with its answer, and when it is tried next.
#[utoipa::path(get, path = "/v1/webhook-deliveries/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = WebhookDeliveryDetail)))]
pub(crate) async fn get_webhook_delivery(tenant: Tenant, Id(id): Id) -> Result<Json<WebhookDeliveryDetail>, Problem> {
    Ok(Json(deliveries::one(tenant.ctx(), tenant.organization(), &id).await?.into()))
}

/// Sends a delivery again, now, with the same `webhook-id` and body. A finished one stays as it is: the answer is a new delivery.
#[utoipa::path(post, path = "/v1/webhook-deliveries/{id}/resend", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 202, body = WebhookDelivery)))]
pub(crate) async fn resend_webhook_delivery(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let sent = deliveries::resend(tenant.ctx(), tenant.organization(), &id).await?;
    Ok((StatusCode::ACCEPTED, Json(WebhookDelivery::from(sent))).into_response())
}

/// The types of events, each with an example of what is sent.
#[utoipa::path(get, path = "/v1/event-types", tag = "webhooks", responses((status = 200, body = Page<EventTypeInfo>)))]
pub(crate) async fn list_event_types(_: Tenant) -> Json<Page<EventTypeInfo>> {
    Json(Page::new(EventType::ALL.into_iter().map(Into::into).collect(), None))
}
