//! The door: whose key a request shows, before anything else looks at it. The limit of that key is in every answer, also in refusals.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crm_sync::client::ClientAddr;
use crm_sync::quota::Standing;
use crm_sync::services::gate::Entry;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::extract::bearer;
use crate::problem::Problem;
use crate::{App, outer};

/// Fields of draft-ietf-httpapi-ratelimit-headers-11. The policy's name is the same in both.
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Requests without a key go on without a principal: those who need one refuse them.
pub(crate) async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let secret = bearer(request.headers()).filter(|_| request.uri().path().starts_with("/v1/"));
    let Some(secret) = secret else { return outer::caught(next.run(request)).await };
    let from = request.extensions().get::<ClientAddr>().copied().unwrap_or(ClientAddr::UNKNOWN);
    match app.state.gate.enter(&app.state.ctx, from, secret).await {
        Ok(Entry::In(principal, standing)) => {
            request.extensions_mut().insert(principal);
            let response = outer::caught(next.run(request)).await;
            with_limit(response, standing)
        }
        Ok(Entry::Operator(operator, standing)) => {
            request.extensions_mut().insert(operator);
            let response = outer::caught(next.run(request)).await;
            with_limit(response, standing)
        }
        Ok(Entry::Unknown) => outer::caught(next.run(request)).await,
        Ok(Entry::Spent(standing)) => {
            let detail = format!("this key may make {} requests in {} s", standing.rate.amount, standing.rate.window_s);
            with_limit(too_many(detail, standing.next_s), Some(standing))
        }
        Ok(Entry::TooManyWrong { wait_s }) => too_many("too many wrong API keys came from this address".to_owned(), wait_s),
        Err(error) => Problem::from(error).into_response(),
    }
}

fn too_many(detail: String, wait_s: u32) -> Response {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(wait_s).into_response()
}

fn with_limit(mut response: Response, standing: Option<Standing>) -> Response {
    if let Some(Standing { rate, left, next_s }) = standing {
        let fields =
            [(POLICY, format!("\"default\";q={};w={}", rate.amount, rate.window_s)), (LIMIT, format!("\"default\";r={left};t={next_s}"))];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
}
