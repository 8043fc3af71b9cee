//! Routes: each handler checks nothing but the shape of its request, and hands it to a service.

mod admin;
mod affiliates;
mod audit;
mod campaigns;
mod connections;
mod connectors;
mod imports;
mod invites;
mod keys;
mod oauth;
mod people;
mod replays;
mod syncs;
mod system;
mod versions;
mod webhooks;

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
    let uploads = OpenApiRouter::new().routes(routes!(imports::create_import, imports::list_imports));
    let uploads = uploads.layer(DefaultBodyLimit::max(app.limits.file_bytes));
    let lists = OpenApiRouter::new().routes(routes!(invites::create_invites_from_file));
    let lists = lists.layer(DefaultBodyLimit::max(app.limits.list_bytes));
    let connectors = OpenApiRouter::new().routes(routes!(versions::install_connector, versions::list_installed_connectors));
    let connectors = connectors.layer(DefaultBodyLimit::max(app.limits.connector_bytes));
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(keys::get_organization, keys::update_organization))
        .routes(routes!(keys::create_api_key, keys::list_api_keys))
        .routes(routes!(keys::get_api_key, keys::update_api_key, keys::revoke_api_key))
        .routes(routes!(audit::list_audit_log))
        .routes(routes!(audit::export_audit_log))
        .routes(routes!(admin::create_organization, admin::list_organizations))
        .routes(routes!(admin::show_organization))
        .routes(routes!(admin::create_organization_key))
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
        .routes(routes!(connections::resync_connection))
        .routes(routes!(campaigns::get_campaign, campaigns::update_campaign))
        .routes(routes!(campaigns::list_overrides))
        .routes(routes!(campaigns::get_override, campaigns::set_override, campaigns::clear_override))
        .routes(routes!(affiliates::create_affiliate, affiliates::list_affiliates))
        .routes(routes!(people::export_affiliates))
        .routes(routes!(people::export_affiliate))
        .routes(routes!(people::erase_affiliate))
        .routes(routes!(affiliates::approve_affiliates))
        .routes(routes!(affiliates::reject_affiliates))
        .routes(routes!(affiliates::pause_affiliates))
        .routes(routes!(affiliates::remove_affiliates))
        .routes(routes!(affiliates::get_affiliate, affiliates::update_affiliate))
        .routes(routes!(affiliates::join_campaign))
        .routes(routes!(affiliates::approve_affiliate))
        .routes(routes!(affiliates::reject_affiliate))
        .routes(routes!(affiliates::pause_affiliate))
        .routes(routes!(affiliates::remove_affiliate))
        .routes(routes!(invites::create_invites, invites::list_invites))
        .routes(routes!(invites::get_invite))
        .routes(routes!(invites::revoke_invite))
        .routes(routes!(syncs::list_syncs))
        .routes(routes!(syncs::count_syncs))
        .routes(routes!(syncs::preview_sync))
        .routes(routes!(syncs::get_sync))
        .routes(routes!(syncs::retry_sync))
        .routes(routes!(syncs::cancel_sync))
        .merge(uploads)
        .merge(lists)
        .merge(connectors)
        .routes(routes!(versions::list_refused_files))
        .routes(routes!(versions::show_installed_connector, versions::uninstall_connector))
        .routes(routes!(versions::roll_back_connector))
        .routes(routes!(versions::set_connector_trial, versions::end_connector_trial))
        .routes(routes!(versions::show_version, versions::remove_version))
        .routes(routes!(versions::approve_version))
        .routes(routes!(versions::activate_version))
        .routes(routes!(replays::replay_sync))
        .routes(routes!(replays::connector_journal))
        .routes(routes!(replays::sync_journal))
        .routes(routes!(imports::get_import))
        .routes(routes!(imports::start_import))
        .routes(routes!(imports::cancel_import))
        .routes(routes!(imports::import_results))
        .routes(routes!(imports::import_events))
        .routes(routes!(webhooks::create_webhook_endpoint, webhooks::list_webhook_endpoints))
        .routes(routes!(webhooks::get_webhook_endpoint, webhooks::update_webhook_endpoint, webhooks::delete_webhook_endpoint))
        .routes(routes!(webhooks::rotate_webhook_secret))
        .routes(routes!(webhooks::test_webhook_endpoint))
        .routes(routes!(webhooks::list_webhook_deliveries))
        .routes(routes!(webhooks::get_webhook_delivery))
        .routes(routes!(webhooks::resend_webhook_delivery))
        .routes(routes!(webhooks::list_event_types))
}

/// An answer without one.
pub(crate) fn answered<T: serde::Serialize>(status: http::StatusCode, body: T) -> Response {
    (status, Json(body)).into_response()
}

/// An answer with the record's version as its `ETag`.
pub(crate) fn tagged<T: serde::Serialize>(status: http::StatusCode, version: u64, body: T) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
