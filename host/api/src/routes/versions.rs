//! Versions of connectors: the operator brings them in, lets them in, swaps and tries them, rolls back, takes them off.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crm_sync::context::Context;
use crm_sync::services::ServiceError;
use crm_sync::services::releases::{self, CanaryOrder, Intake, Source};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;

use crate::extract::{Id, JsonBody, OperatorAuth, OptionalJson, Query};
use crate::page::Page;
use crate::problem::Problem;
use crate::types::versions::{
    ApproveVersion, ConnectorVersion, ConnectorVersions, InstallQuery, InstalledVersion, RefusedFile, TrialOrder, UninstallQuery,
    UninstalledConnector,
};
use crate::{App, body};

const SIGNATURE: &str = "x-connector-signature";
const SOURCE: &str = "x-connector-source";
/// The longest reference that is kept, in characters.
const REFERENCE: usize = 500;

/// Runs to its end whether the client waits or not: records and engine must not part.
async fn whole<T, F>(operator: &OperatorAuth, app: &App, work: impl FnOnce(Context) -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    T: Send + 'static,
{
    let running = tokio::spawn(work(operator.ctx(app)));
    Ok(running.await.map_err(|_| Problem::internal())??)
}

/// Takes a connector file in: signature, manifest, contract version, structure, imports, compilation, one instantiation and the fixtures in the
/// file are checked before anything can run it, and whatever fails leaves the active version as it is. A version that may do no more than the
/// active one runs new work at once; one that may do more waits for `approve`. The same file again changes nothing and is answered 200.
///
/// Headers: `x-connector-signature` is the base64 of the text that `minisign -S` writes, needed where the host requires signatures;
/// `x-connector-source` names the registry reference (`oci://...`) that the file was pulled from.
#[utoipa::path(post, path = "/v1/admin/connectors", tag = "admin", security(("operator_key" = [])),
    params(InstallQuery,
        ("x-connector-signature" = Option<String>, Header, description = "Base64 of the minisign signature"),
        ("x-connector-source" = Option<String>, Header, description = "Where the file was pulled from, such as oci://registry.example/acme@sha256:...")),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = InstalledVersion), (status = 200, body = InstalledVersion)))]
pub(crate) async fn install_connector(
    operator: OperatorAuth,
    State(app): State<App>,
    Query(query): Query<InstallQuery>,
    request: Request,
) -> Result<Response, Problem> {
    if request.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/wasm") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send the file as application/wasm"));
    }
    let signature = signature(request.headers())?;
    let source = source(request.headers())?;
    let file = request.into_limited_body().collect().await.map_err(|e| body::problem_of(&e))?.to_bytes().to_vec();
    let intake = Intake { file, source, signature, activate: query.activate.unwrap_or(true) };
    let (installed, view) = whole(&operator, &app, |context| async move {
        let installed = releases::install(&context, intake).await?;
        let view = releases::version(&context, &installed.release.id).await?;
        Ok((installed, view))
    })
    .await?;
    let status = if installed.known { StatusCode::OK } else { StatusCode::CREATED };
    let location = HeaderValue::from_str(&format!("/v1/admin/versions/{}", installed.release.id)).map_err(|_| Problem::internal())?;
    let mut response = (status, Json(InstalledVersion::new(&installed, view))).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

fn signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(SIGNATURE) else { return Ok(None) };
    let text = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some).ok_or_else(|| {
        let detail = format!("{SIGNATURE} must be the base64 of the whole text that `minisign -S` writes");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_header", detail)
    })
}

fn source(headers: &HeaderMap) -> Result<Source, Problem> {
    let Some(value) = headers.get(SOURCE) else { return Ok(Source::Upload) };
    let reference = value.to_str().ok().filter(|text| text.starts_with("oci://") && text.len() <= REFERENCE);
    let reference = reference.ok_or_else(|| {
        let detail = format!("{SOURCE} must be a reference that begins with oci://, of at most {REFERENCE} characters");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_header", detail)
    })?;
    Ok(Source::Registry { reference: reference.to_owned() })
}

/// Every connector that is or was on this host, with its versions, by slug. What a version may do otherwise is shown by the version itself.
#[utoipa::path(get, path = "/v1/admin/connectors", tag = "admin", security(("operator_key" = [])),
    responses((status = 200, body = Page<ConnectorVersions>)))]
pub(crate) async fn list_installed_connectors(
    operator: OperatorAuth,
    State(app): State<App>,
) -> Result<Json<Page<ConnectorVersions>>, Problem> {
    let all = releases::connectors(&operator.ctx(&app)).await?;
    Ok(Json(Page::new(all.into_iter().map(Into::into).collect(), None)))
}

/// Files that were refused as versions, newest first: at most the last hundred.
#[utoipa::path(get, path = "/v1/admin/refused-files", tag = "admin", security(("operator_key" = [])),
    responses((status = 200, body = Page<RefusedFile>)))]
pub(crate) async fn list_refused_files(operator: OperatorAuth, State(app): State<App>) -> Result<Json<Page<RefusedFile>>, Problem> {
    let all = releases::refused(&operator.ctx(&app)).await?;
    Ok(Json(Page::new(all.into_iter().map(Into::into).collect(), None)))
}

/// One connector with its versions.
#[utoipa::path(get, path = "/v1/admin/connectors/{slug}", tag = "admin", security(("operator_key" = [])), params(("slug" = String, Path)),
    responses((status = 200, body = ConnectorVersions)))]
pub(crate) async fn show_installed_connector(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(slug): Id,
) -> Result<Json<ConnectorVersions>, Problem> {
    Ok(Json(releases::one(&operator.ctx(&app), &slug).await?.into()))
}

/// Takes a connector off this host with all its versions. Refused while connections use it, unless forced: their jobs then wait, and go on when
/// the connector is installed again.
#[utoipa::path(delete, path = "/v1/admin/connectors/{slug}", tag = "admin", security(("operator_key" = [])),
    params(("slug" = String, Path), UninstallQuery), responses((status = 200, body = UninstalledConnector)))]
pub(crate) async fn uninstall_connector(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(slug): Id,
    Query(query): Query<UninstallQuery>,
) -> Result<Json<UninstalledConnector>, Problem> {
    let force = query.force.unwrap_or(false);
    let gone = whole(&operator, &app, |context| async move { releases::uninstall(&context, &slug, force).await }).await?;
    Ok(Json(gone.into()))
}

/// Makes the version that was active before the active one again, and ends a trial.
#[utoipa::path(post, path = "/v1/admin/connectors/{slug}/rollback", tag = "admin", security(("operator_key" = [])),
    params(("slug" = String, Path)), responses((status = 200, body = ConnectorVersion)))]
pub(crate) async fn roll_back_connector(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(slug): Id,
) -> Result<Json<ConnectorVersion>, Problem> {
    let view = whole(&operator, &app, |context| async move {
        let release = releases::roll_back(&context, &slug).await?;
        releases::version(&context, &release.id).await
    })
    .await?;
    Ok(Json(view.into()))
}

/// Lets a part of the connections run another version, or changes how large that part is. The trial ends by itself when the version fails more
/// often than the active one; activating its version ends it as well.
#[utoipa::path(put, path = "/v1/admin/connectors/{slug}/trial", tag = "admin", security(("operator_key" = [])),
    params(("slug" = String, Path)), request_body = TrialOrder, responses((status = 200, body = ConnectorVersions)))]
pub(crate) async fn set_connector_trial(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(slug): Id,
    JsonBody(order): JsonBody<TrialOrder>,
) -> Result<Json<ConnectorVersions>, Problem> {
    let usual = CanaryOrder::default();
    let order = CanaryOrder {
        version: order.version,
        percent: order.percent,
        margin: order.margin.unwrap_or(usual.margin),
        attempts: order.attempts.unwrap_or(usual.attempts),
    };
    let view = whole(&operator, &app, |context| async move {
        releases::set_canary(&context, &slug, order).await?;
        releases::one(&context, &slug).await
    })
    .await?;
    Ok(Json(view.into()))
}

/// Ends a trial: all connections run the active version again. No trial is no error.
#[utoipa::path(delete, path = "/v1/admin/connectors/{slug}/trial", tag = "admin", security(("operator_key" = [])),
    params(("slug" = String, Path)), responses((status = 200, body = ConnectorVersions)))]
pub(crate) async fn end_connector_trial(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(slug): Id,
) -> Result<Json<ConnectorVersions>, Problem> {
    let view = whole(&operator, &app, |context| async move {
        releases::stop_canary(&context, &slug).await?;
        releases::one(&context, &slug).await
    })
    .await?;
    Ok(Json(view.into()))
}

/// One version, with what it may do otherwise than the one that was active when it came in.
#[utoipa::path(get, path = "/v1/admin/versions/{digest}", tag = "admin", security(("operator_key" = [])),
    params(("digest" = String, Path)), responses((status = 200, body = ConnectorVersion)))]
pub(crate) async fn show_version(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(digest): Id,
) -> Result<Json<ConnectorVersion>, Problem> {
    Ok(Json(releases::version(&operator.ctx(&app), &digest).await?.into()))
}

/// Says yes to a version that may do more, and makes it the active one. Saying it twice is no error.
#[utoipa::path(post, path = "/v1/admin/versions/{digest}/approve", tag = "admin", security(("operator_key" = [])),
    params(("digest" = String, Path)), request_body = Option<ApproveVersion>, responses((status = 200, body = ConnectorVersion)))]
pub(crate) async fn approve_version(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(digest): Id,
    OptionalJson(order): OptionalJson<ApproveVersion>,
) -> Result<Json<ConnectorVersion>, Problem> {
    let activate = order.and_then(|order| order.activate).unwrap_or(true);
    let view = whole(&operator, &app, |context| async move {
        releases::approve(&context, &digest, activate).await?;
        releases::version(&context, &digest).await
    })
    .await?;
    Ok(Json(view.into()))
}

/// Makes a version the active one: a promotion, or a roll-back to a version of one's choice. Attempts in flight end on the version that they
/// began with.
#[utoipa::path(post, path = "/v1/admin/versions/{digest}/activate", tag = "admin", security(("operator_key" = [])),
    params(("digest" = String, Path)), responses((status = 200, body = ConnectorVersion)))]
pub(crate) async fn activate_version(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(digest): Id,
) -> Result<Json<ConnectorVersion>, Problem> {
    let view = whole(&operator, &app, |context| async move {
        releases::activate(&context, &digest).await?;
        releases::version(&context, &digest).await
    })
    .await?;
    Ok(Json(view.into()))
}

/// Takes a version away with its file. Refused while it is active, on trial, or pinned.
#[utoipa::path(delete, path = "/v1/admin/versions/{digest}", tag = "admin", security(("operator_key" = [])),
    params(("digest" = String, Path)), responses((status = 204)))]
pub(crate) async fn remove_version(operator: OperatorAuth, State(app): State<App>, Id(digest): Id) -> Result<StatusCode, Problem> {
    whole(&operator, &app, |context| async move { releases::remove(&context, &digest).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
