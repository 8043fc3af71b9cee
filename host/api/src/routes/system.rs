//! Routes for machines: health, readiness, metrics, the OpenAPI document.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use crm_store::StoreError;
use http::{StatusCode, header};
use serde_json::Value;

use crate::App;
use crate::problem::Problem;

pub(crate) fn router(document: &Value) -> Router<App> {
    let text: Arc<str> = document.to_string().into();
    Router::new()
        .route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(move || async move { ([(header::CONTENT_TYPE, "application/json")], text.to_string()) }))
}

/// Ready while the store works and the process is not about to stop. A full disk is no reason to send readers away.
async fn ready(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    if app.state.draining.load(Ordering::Relaxed) {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "the process is about to stop").retry_after(5));
    }
    match app.state.ctx.store.health() {
        Ok(()) | Err(StoreError::NoSpace { .. }) => Ok(Json(serde_json::json!({ "status": "ready" }))),
        Err(error) => Err(crm_sync::services::ServiceError::from(error).into()),
    }
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (app.state.metrics)())
}
