//! The JSON API under `/v1`, over the services of `crm-sync`. Conventions: `API-DESIGN.md`.
//!
//! This room may touch axum and the services. It must not touch wasmtime, sled or an HTTP client; it holds the API's JSON
//! types and no rules of its own.

mod body;
mod extract;
mod idempotency;
mod openapi;
mod outer;
mod page;
mod problem;
mod routes;
mod serve;
mod timed_io;
mod types;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use crm_sync::context::Context;

use problem::Problem;

pub use openapi::document as openapi_document;
pub use outer::RequestId;
pub use problem::{FieldProblem, ProblemBody, VendorProblem};
pub use serve::{Shutdown, Timeouts, serve, serve_with};

pub(crate) const IMPORT_PATH: &str = "/v1/affiliates/import";

/// What the API works with.
#[derive(Clone)]
pub struct ApiState {
    pub ctx: Context,
    /// Renders the metrics as Prometheus text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Set when the process is about to stop: `/readyz` says so.
    pub draining: Arc<AtomicBool>,
}

/// Sizes in bytes, and how long a body may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub json_bytes: usize,
    pub file_bytes: usize,
    /// A JSON body must be there within this; between two pieces of a file there may be at most this.
    pub body: Duration,
    /// A whole file must be there within this.
    pub file_total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { json_bytes: 1024 * 1024, file_bytes: 32 * 1024 * 1024, body: Duration::from_secs(30), file_total: Duration::from_secs(600) }
    }
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) state: ApiState,
    pub(crate) limits: Limits,
}

/// The API with the documented limits.
pub fn router(state: ApiState) -> Router {
    router_with(state, Limits::default())
}

/// The API with other limits (tests use small ones). Other routers may be merged into it; their errors are their own.
pub fn router_with(state: ApiState, limits: Limits) -> Router {
    let json_bytes = limits.json_bytes;
    let app = App { state, limits };
    let (router, document) = routes::all(&app).split_for_parts();
    let document = openapi::completed(document);
    router
        .merge(routes::system(document))
        .fallback(|| async { Problem::not_found() })
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::layer))
        .layer(DefaultBodyLimit::max(json_bytes))
        .layer(middleware::from_fn_with_state(app.clone(), body::layer))
        .layer(middleware::from_fn(outer::layer))
        .with_state(app)
}
