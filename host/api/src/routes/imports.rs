//! Imports: the file is spooled as it arrives, raw or as one part of a form; what follows is watched by polling or as server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use crm_sync::services::imports::formats::Format;
use crm_sync::services::imports::{self, ImportFilter, NewImport, Upload};
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};

use crate::extract::{Id, Query, Tenant};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::types::imports::{Import, ImportForm, ImportOrder, ImportQuery};
use crate::{App, body, streamed};

/// Takes a CSV file of affiliates, and checks it: nothing is imported before its start. Any size up to the host's limit; UTF-8, or UTF-16
/// with a mark; comma, semicolon or tab.
#[utoipa::path(post, path = "/v1/imports", tag = "imports", params(ImportOrder),
    request_body(content((String = "text/csv"), (ImportForm = "multipart/form-data"))),
    responses((status = 202, body = Import)))]
pub(crate) async fn create_import(
    tenant: Tenant,
    State(app): State<App>,
    Query(order): Query<ImportOrder>,
    request: Request,
) -> Result<Response, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let made = match kind.as_str() {
        "multipart/form-data" => from_form(&tenant, &app, order, request).await?,
        "text/csv" | "application/csv" => {
            let mut upload = begin(&tenant, &order, order.mapping.as_deref()).await?;
            let mut pieces = request.into_limited_body().into_data_stream();
            while let Some(piece) = pieces.next().await {
                upload.push(&piece.map_err(|e| body::problem_of(&e))?).await?;
            }
            upload.finish().await?
        }
        _ => {
            let detail = "send the file as text/csv, or as a part of multipart/form-data";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
    };
    let location = HeaderValue::from_str(&format!("/v1/imports/{}", made.value.id)).map_err(|_| Problem::internal())?;
    let mut response = (StatusCode::ACCEPTED, Json(Import::from(made.value))).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn begin(tenant: &Tenant, order: &ImportOrder, mapping: Option<&str>) -> Result<Upload, Problem> {
    let mapping = match mapping {
        Some(json) => Some(
            serde_json::from_str::<BTreeMap<String, String>>(json)
                .map_err(|_| Problem::invalid("mapping", "must be a JSON object: the name of a column and, as text, the field it gives"))?,
        ),
        None => None,
    };
    let format = Format::parse(order.format.map(|f| f.word()).as_deref(), mapping.as_ref())?;
    let new = NewImport {
        campaign: order.campaign.clone(),
        format,
        approve: order.approve.unwrap_or(false),
        start: order.start.unwrap_or(false),
    };
    Ok(Upload::begin(tenant.ctx(), tenant.organization(), new).await?)
}

/// Reads the first part that is a file, or is called `file`; a part `mapping` must stand before it.
async fn from_form(
    tenant: &Tenant,
    app: &App,
    order: ImportOrder,
    request: Request,
) -> Result<crm_sync::services::Versioned<crm_sync::services::imports::Import>, Problem> {
    let mut form =
        Multipart::from_request(request, app).await.map_err(|e| Problem::new(StatusCode::BAD_REQUEST, "bad_request", e.body_text()))?;
    let mut mapping = order.mapping.clone();
    let mut upload: Option<Upload> = None;
    while let Some(mut part) = form.next_field().await.map_err(of_form)? {
        if part.name() == Some("mapping") && part.file_name().is_none() {
            if upload.is_some() {
                return Err(Problem::invalid("mapping", "the part mapping must stand before the file"));
            }
            mapping = Some(part.text().await.map_err(of_form)?);
            continue;
        }
        if upload.is_some() || (part.file_name().is_none() && part.name() != Some("file")) {
            continue;
        }
        let mut begun = begin(tenant, &order, mapping.as_deref()).await?;
        while let Some(piece) = part.chunk().await.map_err(of_form)? {
            begun.push(&piece).await?;
        }
        upload = Some(begun);
    }
    match upload {
        Some(upload) => Ok(upload.finish().await?),
        None => Err(Problem::invalid("file", "the form has no part with a file")),
    }
}

fn of_form(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE);
    }
    body::problem_of(&error)
}

/// Imports, oldest first.
#[utoipa::path(get, path = "/v1/imports", tag = "imports", params(ImportQuery), responses((status = 200, body = Page<Import>)))]
pub(crate) async fn list_imports(tenant: Tenant, Query(query): Query<ImportQuery>) -> Result<Json<Page<Import>>, Problem> {
    let after = page::decode_id(query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let filter = ImportFilter { campaign: query.campaign, state: query.state.map(Into::into) };
    let found = imports::list(tenant.ctx(), tenant.organization(), &filter, after.as_deref(), limit).await?;
    Ok(Json(Page::new(found.items.into_iter().map(|i| i.value.into()).collect(), found.next)))
}

/// One import: how far it is, and what came of it.
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "imports", params(("id" = String, Path)), responses((status = 200, body = Import)))]
pub(crate) async fn get_import(tenant: Tenant, Id(id): Id) -> Result<Json<Import>, Problem> {
    Ok(Json(imports::get(tenant.ctx(), tenant.organization(), &id).await?.value.into()))
}

/// Starts an import that was checked; one that is still being checked starts by itself then.
#[utoipa::path(post, path = "/v1/imports/{id}/start", tag = "imports", params(("id" = String, Path)),
    responses((status = 202, body = Import)))]
pub(crate) async fn start_import(tenant: Tenant, Id(id): Id) -> Result<(StatusCode, Json<Import>), Problem> {
    let started = imports::start(tenant.ctx(), tenant.organization(), &id).await?;
    Ok((StatusCode::ACCEPTED, Json(started.value.into())))
}

/// Stops an import. What it imported stays.
#[utoipa::path(post, path = "/v1/imports/{id}/cancel", tag = "imports", params(("id" = String, Path)),
    responses((status = 200, body = Import)))]
pub(crate) async fn cancel_import(tenant: Tenant, Id(id): Id) -> Result<Json<Import>, Problem> {
    Ok(Json(imports::cancel(tenant.ctx(), tenant.organization(), &id).await?.value.into()))
}

/// What came of every row so far, as CSV: row, result (`created`, `joined`, `duplicate`, `error`), affiliate, column, message. Before the start:
/// what would come of it. Cells are safe to open in a spreadsheet, and hold no e-mail address. A transfer that breaks off is not the whole file.
#[utoipa::path(get, path = "/v1/imports/{id}/results", tag = "imports", params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 409)))]
pub(crate) async fn import_results(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let mut results = imports::results(tenant.ctx(), tenant.organization(), &id).await?;
    Ok(streamed::answer("text/csv; charset=utf-8", &format!("{id}.csv"), |pieces| async move {
        while let Some(piece) = results.next().await? {
            pieces.send(piece).await?;
        }
        Ok(())
    }))
}

/// Between two events of one stream.
const SPACING: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The import as it is now and whenever it has come further, at most four times a second: events `progress`, and at its end one `end`. The data of
/// each is the import. A stream that broke off is opened anew: it begins with the present state.
#[utoipa::path(get, path = "/v1/imports/{id}/events", tag = "imports", params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(crate) async fn import_events(tenant: Tenant, Id(id): Id) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // Found at all? And it is the asker's own from here on.
    imports::get(tenant.ctx(), tenant.organization(), &id).await?;
    let changes = tenant.ctx().imports.watch();
    let start = Watch { tenant, id, changes, told: None, ended: false };
    let events = futures_util::stream::unfold(start, |mut watch| async {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Watch {
    tenant: Tenant,
    id: String,
    changes: tokio::sync::watch::Receiver<u64>,
    /// The version that the client knows.
    told: Option<u64>,
    ended: bool,
}

impl Watch {
    /// The next event; `None` after the end, and when the import cannot be read any more.
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            if self.told.is_some() {
                tokio::time::sleep(SPACING).await;
                self.changes.changed().await.ok()?;
            }
            self.changes.mark_unchanged();
            let found = imports::get(self.tenant.ctx(), self.tenant.organization(), &self.id).await.ok()?;
            if self.told == Some(found.version) {
                continue;
            }
            self.told = Some(found.version);
            self.ended = found.value.state.is_final();
            let name = if self.ended { "end" } else { "progress" };
            return Event::default().event(name).id(found.version.to_string()).json_data(Import::from(found.value)).ok();
        }
        None
    }
}
