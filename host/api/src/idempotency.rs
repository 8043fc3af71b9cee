//! `Idempotency-Key`: a POST that is sent twice has one effect and one answer. Kept for 24 hours per organization, route
//! and key. File imports are left out: they stream, and are told apart by e-mail anyway.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crm_store::StoreError;
use crm_store::model::{Kind, Put, Record, RecordKey};
use crm_sync::context::Context;
use crm_sync::services::{ServiceError, organizations, records};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::extract::Caller;
use crate::problem::Problem;
use crate::{App, LIST_PATH, UPLOADS, body};

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LIFETIME_MS: u64 = 24 * 60 * 60 * 1_000;
/// A request that is still "running" after this was lost with its process.
const LOST_MS: u64 = 10 * 60 * 1_000;
/// Answers longer than this are not kept (a record holds 8 KiB): the effect still happens once, its repetition is a 409.
const LONGEST_ANSWER: usize = 6 * 1024;
const EXPIRED_LOOKED_AT: usize = 64;
/// Organizations looked at at a time.
const ORGANIZATIONS: usize = 200;

/// Marks an answer that shows a secret: it is kept nowhere, and its repetition is a 409 like that of an answer that was too long.
#[derive(Clone, Copy)]
pub(crate) struct NotKept;

impl NotKept {
    pub(crate) fn mark(mut response: Response) -> Response {
        response.extensions_mut().insert(Self);
        response
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    /// Of the request: target and body.
    request: String,
    at: u64,
    answer: Option<Answer>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    status: u16,
    content_type: Option<String>,
    etag: Option<String>,
    /// Absent when it was too long to keep, or shows a secret.
    body: Option<String>,
}

pub(crate) async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || UPLOADS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let key = match key_of(request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    // Without a valid key there is nobody to keep an answer for; the handler says so.
    let Some(caller) = Caller::of(request.extensions()) else { return next.run(request).await };
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let path = request.uri().path().to_owned();
    let most = if path == LIST_PATH { app.limits.list_bytes } else { app.limits.json_bytes };
    let (parts, body) = request.into_parts();
    let bytes = match Limited::new(body, most).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => return body::problem_of(&*error).into_response(),
    };
    let record = RecordKey {
        organization: caller.organization,
        kind: Kind::Idempotency,
        id: format!("idm_{}", &digest(&[path.as_bytes(), key.as_bytes()])[..40]),
    };
    let fingerprint = digest(&[target.as_bytes(), &bytes]);
    let ctx = app.state.ctx.clone();
    match begin(&ctx, &record, &fingerprint).await {
        Ok(Turn::Ours(version)) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            // On its own task: a client that goes away must not leave the key "running".
            let run = tokio::spawn(async move {
                let response = next.run(request).await;
                end(&ctx, record, version, fingerprint, response).await
            });
            run.await.unwrap_or_else(|_| Problem::internal().into_response())
        }
        Ok(Turn::Answered(answer)) => replay(answer),
        Err(problem) => problem.into_response(),
    }
}

enum Turn {
    /// The first: run it. The version of our mark.
    Ours(u64),
    Answered(Answer),
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(key.to_owned())),
        _ => {
            let detail = "Idempotency-Key must be 1 to 255 visible ASCII characters";
            Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_header", detail))
        }
    }
}

/// SHA-256 over length-prefixed parts, so that no two lists of parts look alike.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

async fn begin(ctx: &Context, record: &RecordKey, fingerprint: &str) -> Result<Turn, Problem> {
    let now = ctx.now();
    let found = ctx.store.get(record).await.map_err(ServiceError::from)?;
    let mut expect = 0;
    if let Some(found) = found {
        expect = found.version;
        let kept: Kept = serde_json::from_str(&found.json).map_err(|_| Problem::internal())?;
        let age = now.saturating_sub(kept.at);
        if age < LIFETIME_MS && kept.request != fingerprint {
            let detail = "the first request with this key had another body or query; use a new key";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch", detail));
        }
        match kept.answer {
            Some(answer) if age < LIFETIME_MS => return Ok(Turn::Answered(answer)),
            None if age < LOST_MS => return Err(running()),
            _ => {}
        }
    } else {
        sweep(ctx, record, now).await;
    }
    let mark = Kept { request: fingerprint.to_owned(), at: now, answer: None };
    match write(ctx, record, expect, Some(&mark)).await {
        Ok(()) => Ok(Turn::Ours(expect + 1)),
        // Someone else was first by a hair.
        Err(StoreError::Conflict) => Err(running()),
        Err(error) => Err(ServiceError::from(error).into()),
    }
}

fn running() -> Problem {
    Problem::new(StatusCode::CONFLICT, "idempotency_running", "try again in a moment for its answer").retry_after(1)
}

/// Keeps the answer; a failure on our side is not kept, so that the repetition may succeed.
async fn end(ctx: &Context, record: RecordKey, version: u64, fingerprint: String, response: Response) -> Response {
    if response.status().is_server_error() || response.status() == StatusCode::REQUEST_TIMEOUT {
        let _lost_is_fine = write(ctx, &record, version, None).await;
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Problems get their body later; what is kept of them is written now, without a request id.
    let problem = parts.extensions.get::<Problem>().and_then(|p| serde_json::to_vec(p).ok());
    let keeps = parts.extensions.get::<NotKept>().is_none();
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(_) => return Problem::internal().into_response(),
    };
    let kept_body = problem.map_or_else(|| bytes.clone(), Bytes::from);
    let header_text = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let answer = Answer {
        status: parts.status.as_u16(),
        content_type: header_text(header::CONTENT_TYPE),
        etag: header_text(header::ETAG),
        body: (keeps && kept_body.len() <= LONGEST_ANSWER).then(|| String::from_utf8(kept_body.to_vec()).ok()).flatten(),
    };
    let kept = Kept { request: fingerprint, at: ctx.now(), answer: Some(answer) };
    if let Err(error) = write(ctx, &record, version, Some(&kept)).await {
        tracing::warn!(%error, "an answer could not be kept for its Idempotency-Key");
    }
    parts.headers.remove(header::TRANSFER_ENCODING);
    Response::from_parts(parts, Body::from(bytes))
}

fn replay(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let Some(body) = answer.body else {
        let detail = "the first request with this key succeeded; its answer is not kept: it was too long, or shows a secret once";
        return Problem::new(StatusCode::CONFLICT, "idempotency_answered", detail).into_response();
    };
    if status.is_client_error() {
        return match serde_json::from_str::<Problem>(&body) {
            Ok(problem) => problem.into_response(),
            Err(_) => Problem::internal().into_response(),
        };
    }
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    for (name, value) in [(header::CONTENT_TYPE, answer.content_type), (header::ETAG, answer.etag)] {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

async fn write(ctx: &Context, record: &RecordKey, expect: u64, kept: Option<&Kept>) -> Result<(), StoreError> {
    let json = match kept {
        Some(kept) => Some(serde_json::to_string(kept).map_err(|e| StoreError::Unusable(e.to_string()))?),
        None => None,
    };
    let put = Put { record: record.clone(), expect: Some(expect), json, unique: Vec::new() };
    ctx.store.commit(vec![put], Vec::new()).await.map(|_| ())
}

fn expired(record: &Record, now: u64) -> bool {
    serde_json::from_str::<Kept>(&record.json).is_ok_and(|kept| now.saturating_sub(kept.at) >= LIFETIME_MS)
}

/// Each new key clears some expired ones behind it, so that they cannot pile up.
async fn sweep(ctx: &Context, record: &RecordKey, now: u64) {
    let Ok(records) = ctx.store.page(&record.organization, Kind::Idempotency, Some(&record.id), EXPIRED_LOOKED_AT).await else { return };
    let puts: Vec<Put> = records
        .into_iter()
        .filter(|record| expired(record, now))
        .map(|r| Put::delete(RecordKey { organization: r.organization, kind: r.kind, id: r.id }, Some(r.version)))
        .collect();
    if !puts.is_empty()
        && let Err(error) = ctx.store.commit(puts, Vec::new()).await
    {
        tracing::debug!(%error, "expired idempotency keys stay a little longer");
    }
}

/// Deletes every kept answer that is older than a day, also of organizations that send nothing any more. Answers how many.
pub async fn expire_answers(context: &Context) -> Result<u64, ServiceError> {
    let now = context.now();
    let expired = |record: &Record| expired(record, now);
    // The operator's lie outside all organizations.
    let mut gone = records::delete_where(context, "", Kind::Idempotency, expired).await?;
    let mut after = None::<String>;
    loop {
        let page = organizations::list(context, after.as_deref(), ORGANIZATIONS).await?;
        for organization in page.items {
            gone += records::delete_where(context, &organization.id, Kind::Idempotency, expired).await?;
        }
        let Some(next) = page.next else { return Ok(gone) };
        after = Some(next);
    }
}
