//! Routes: each handler checks nothing but the shape of its request, and hands it to a service.

mod affiliates;
mod campaigns;
mod connections;
mod connectors;
mod imports;
mod oauth;
mod syncs;
mod system;

use axum::Json;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{App, openapi};

pub(crate) use system::router as system;

/// All of `/v1`.
pub(crate) fn all(app: &App) -> OpenApiRouter<App> {
    let import = OpenApiRouter::new().routes(routes!(imports::import_affiliates)).layer(DefaultBodyLimit::max(app.limits.file_bytes));
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(connectors::list_connectors))
        .routes(routes!(connectors::get_connector))
        .routes(routes!(oauth::start_authorization, oauth::start_authorization_with))
        .routes(routes!(oauth::authorization_callback))
        .routes(routes!(connections::create_connection, connections::list_connections))
        .routes(routes!(connections::get_connection, connections::update_connection, connections::disconnect))
        .routes(routes!(connections::list_choices))
        .routes(routes!(connections::prepare_connection))
        .routes(routes!(connections::reverify_connection))
        .routes(routes!(campaigns::create_campaign, campaigns::list_campaigns))
        .routes(routes!(campaigns::get_campaign, campaigns::update_campaign))
        .routes(routes!(affiliates::create_affiliate, affiliates::list_affiliates))
        .routes(routes!(affiliates::approve_affiliates))
        .routes(routes!(affiliates::get_affiliate))
        .routes(routes!(affiliates::approve_affiliate))
        .routes(routes!(syncs::list_syncs))
        .routes(routes!(syncs::count_syncs))
        .routes(routes!(syncs::preview_sync))
        .routes(routes!(syncs::get_sync))
        .routes(routes!(syncs::retry_sync))
        .routes(routes!(syncs::cancel_sync))
        .merge(import)
}

/// An answer with the record's version as its `ETag`.
pub(crate) fn tagged<T: serde::Serialize>(status: http::StatusCode, version: u64, body: T) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
