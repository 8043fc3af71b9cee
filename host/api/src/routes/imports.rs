//! CSV imports: the file is read as it arrives, raw or as one part of a form.

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::{Json, RequestExt};
use crm_sync::services::import::Import;
use futures_util::StreamExt;
use http::{StatusCode, header};

use crate::extract::{Query, Tenant};
use crate::problem::Problem;
use crate::types::affiliates::{ImportQuery, Imported};
use crate::{App, body};

/// Imports affiliates from a CSV file. Bad rows are reported and passed over; what is there already is a duplicate.
#[utoipa::path(post, path = "/v1/affiliates/import", tag = "affiliates", params(ImportQuery),
    request_body(content((String = "text/csv"), (String = "multipart/form-data"))),
    responses((status = 200, body = Imported)))]
pub(crate) async fn import_affiliates(
    tenant: Tenant,
    State(app): State<App>,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Json<Imported>, Problem> {
    // One layout so far; the parameter is there so that a second one changes nothing for those who name theirs.
    let _ = query.format;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let ctx = app.state.ctx.clone();
    let mut import = match kind.as_str() {
        "text/csv" | "application/csv" | "multipart/form-data" => Import::begin(&ctx, tenant.organization(), &query.campaign).await?,
        _ => {
            let detail = "send the file as text/csv, or as a part of multipart/form-data";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
    };
    if kind == "multipart/form-data" {
        from_form(request, &app, &mut import).await?;
    } else {
        let mut pieces = request.into_limited_body().into_data_stream();
        while let Some(piece) = pieces.next().await {
            import.push(&piece.map_err(|e| body::problem_of(&e))?).await?;
        }
    }
    Ok(Json(import.finish().await?.into()))
}

/// Reads the first part that is a file, or is called `file`.
async fn from_form(request: Request, app: &App, import: &mut Import<'_>) -> Result<(), Problem> {
    let mut form =
        Multipart::from_request(request, app).await.map_err(|e| Problem::new(StatusCode::BAD_REQUEST, "bad_request", e.body_text()))?;
    while let Some(mut part) = form.next_field().await.map_err(of_form)? {
        if part.file_name().is_none() && part.name() != Some("file") {
            continue;
        }
        while let Some(piece) = part.chunk().await.map_err(of_form)? {
            import.push(&piece).await?;
        }
        return Ok(());
    }
    Err(Problem::invalid("file", "the form has no part with a file"))
}

fn of_form(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE);
    }
    body::problem_of(&error)
}
