//! The outermost layer: a request id for every request and answer, panics caught, and every error turned into
//! problem+json, also those of axum itself and of routes that do not exist.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, header};
use rand::distr::{Alphanumeric, SampleString};

use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request being answered, for handlers that log or forward it.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).and_then(|v| v.to_str().ok()).filter(|id| acceptable(id)).map(str::to_owned);
    let id = given.unwrap_or_else(|| format!("req_{}", Alphanumeric.sample_string(&mut rand::rng(), 22)));
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = caught(next.run(request)).await;
    if response.extensions_mut().remove::<Panicked>().is_some() {
        tracing::error!(request = %id, %method, %path, "a handler panicked");
    }
    if response.status().is_client_error() || response.status().is_server_error() {
        write_problem(&mut response, &id);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Says in an answer that its handler panicked.
#[derive(Clone)]
struct Panicked;

/// What `answer` comes to; a panic is an internal error.
pub(crate) async fn caught(answer: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            let mut response = Problem::internal().into_response();
            response.extensions_mut().insert(Panicked);
            response
        }
    }
}

fn acceptable(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Replaces the body of an error answer; its other headers (`Allow`, `Retry-After`, `WWW-Authenticate`) stay.
fn write_problem(response: &mut Response, request_id: &str) {
    let status = response.status();
    let mut problem = response.extensions_mut().remove::<Problem>().unwrap_or_else(|| Problem::of_status(status));
    problem.request_id = request_id.to_owned();
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = response.headers_mut();
    headers.remove(header::TRANSFER_ENCODING);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.body_mut() = Body::from(body);
}
