//! The JSON API under `/v1`, over the services of `crm-sync`. Conventions: `API-DESIGN.md`.
//!
//! This room may touch axum and the services. It must not touch wasmtime, sled or an HTTP client; it holds the API's JSON
//! types and no rules of its own.

mod body;
mod door;
mod extract;
mod idempotency;
mod openapi;
mod outer;
mod page;
mod problem;
mod routes;
mod serve;
mod streamed;
mod strict;
mod timed_io;
mod types;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use crm_sync::context::Context;
use crm_sync::services::gate::Gate;

use problem::Problem;

pub use idempotency::expire_answers;
pub use openapi::document as openapi_document;
pub use outer::RequestId;
pub use problem::{FieldProblem, ProblemBody, VendorProblem};
pub use serve::{Serving, Shutdown, Timeouts, serve, serve_with};

/// Routes that take a file as it arrives. They have longer time limits, and no `Idempotency-Key`: what they do is told apart otherwise.
pub(crate) const UPLOADS: &[&str] = &["/v1/imports", "/v1/admin/connectors"];
/// A list of people as a file: larger than JSON may be, and read as a whole.
pub(crate) const LIST_PATH: &str = "/v1/invites/csv";

/// What the API works with.
#[derive(Clone)]
pub struct ApiState {
    pub ctx: Context,
    /// Whose keys may come in, and how often. The pages share it.
    pub gate: Arc<Gate>,
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
    /// Lists of people to invite, as CSV.
    pub list_bytes: usize,
    /// Connector files.
    pub connector_bytes: usize,
    /// A JSON body must be there within this; between two pieces of a file there may be at most this.
    pub body: Duration,
    /// A whole file must be there within this.
    pub file_total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes: 1024 * 1024,
            file_bytes: 2 * 1024 * 1024 * 1024,
            list_bytes: crm_sync::services::invites::FILE_BYTES,
            connector_bytes: 4 * 1024 * 1024,
            body: Duration::from_secs(30),
            file_total: Duration::from_secs(6 * 60 * 60),
        }
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
    let queries = strict::Queries::of(&document);
    router
        .layer(middleware::from_fn_with_state(queries, strict::layer))
        .merge(routes::system(&document))
        .fallback(|| async { Problem::not_found() })
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::layer))
        .layer(DefaultBodyLimit::max(json_bytes))
        .layer(middleware::from_fn_with_state(app.clone(), body::layer))
        .layer(middleware::from_fn_with_state(app.clone(), door::layer))
        .layer(middleware::from_fn(outer::layer))
        .with_state(app)
}
