//! Server-rendered pages over the services of `crm-sync`: the directory of integrations, a console that shows what was
//! sent, and the pages where people apply and accept invitations. They work without JavaScript and on a phone.
//!
//! This room may touch axum and the services. It must not touch wasmtime, sled or an HTTP client.

mod accept;
mod apply;
mod connect;
mod console;
mod integrations;
mod layout;
mod offer;
mod session;
mod stamp;
mod sync_page;
mod visitors;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use crm_sync::context::Context;
use crm_sync::services::gate::Gate;
use http::{HeaderName, HeaderValue, header};

use session::Sessions;
use visitors::Visitors;

pub use visitors::Welcoming;

/// What the pages work with.
#[derive(Clone)]
pub struct WebState {
    pub ctx: Context,
    /// The API's: wrong keys are counted together.
    pub gate: Arc<Gate>,
    /// Set the `Secure` attribute on the session cookie: yes wherever TLS ends in front of the host.
    pub secure_cookies: bool,
}

#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) state: WebState,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) visitors: Arc<Visitors>,
}

/// The pages. Has no fallback, so that it can be merged with the API's router.
pub fn router(state: WebState) -> Router {
    router_with(state, &Welcoming::default())
}

/// The pages with other limits for applicants (tests use them).
pub fn router_with(state: WebState, welcoming: &Welcoming) -> Router {
    let site = Site { state, sessions: Arc::default(), visitors: Visitors::new(welcoming) };
    Router::new()
        .route("/integrations", get(integrations::directory))
        .route("/integrations/{slug}", get(integrations::one))
        .route("/integrations/{slug}/connected", get(connect::connected))
        .route("/integrations/{slug}/not-connected", get(connect::not_connected))
        .route("/console/connect/{slug}", get(connect::form).post(connect::begin))
        .route("/console/connections", get(connect::connections))
        .route("/console/connections/{id}/reconnect", post(connect::again))
        .route("/console", get(console::front).post(console::sign_in))
        .route("/console/sign-out", post(console::sign_out))
        .route("/console/syncs", get(console::syncs))
        .route("/console/syncs/{id}", get(sync_page::one))
        .route("/p/{program}", get(apply::show).post(apply::send))
        .route("/p/{program}/thanks", get(apply::thanks))
        .route("/p/{program}/joined", get(accept::joined))
        .route("/i/{token}", get(accept::show).post(accept::send))
        .route("/assets/site.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], layout::CSS) }))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .layer(middleware::from_fn(guard))
        .with_state(site)
}

/// Headers of every page; and no form is taken that another site sent.
async fn guard(request: Request, next: Next) -> Response {
    let foreign = request.headers().get("sec-fetch-site").is_some_and(|v| v != "same-origin" && v != "none");
    let mut response = if foreign && request.method() == http::Method::POST {
        layout::message(http::StatusCode::FORBIDDEN, "This form was sent from another site.").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    // A page whose form leads to a vendor says so itself.
    if let Ok(policy) = HeaderValue::from_str(&layout::policy(&BTreeSet::new())) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
