//! A vendor that answers what its fixtures answer, takes its time, and refuses with 429 whatever exceeds a limit of its manifest.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use crm_catalog::model::{Call, Manifest};
use crm_contract::ports::Clock;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::allowance::Allowance;
use crate::answers::{Answers, Asked};

pub(crate) struct Twin {
    manifest: Arc<Manifest>,
    answers: Answers,
    clock: Arc<dyn Clock>,
    latency: Duration,
    pub(crate) state: Mutex<Counted>,
}

#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) limits: Vec<Allowance>,
    pub(crate) calls: u64,
    /// Requests that were one too many.
    pub(crate) refused: u64,
    /// Requests that no exchange of the fixture is like.
    pub(crate) unknown: Vec<String>,
}

impl Twin {
    /// Starts it on a port of the system's choice: `http://127.0.0.1:PORT`.
    pub(crate) async fn start(
        manifest: Arc<Manifest>,
        answers: Answers,
        clock: Arc<dyn Clock>,
        latency: Duration,
    ) -> io::Result<(Arc<Self>, String)> {
        let limits = manifest.limits.iter().map(Allowance::new).collect();
        let state = Mutex::new(Counted { limits, ..Counted::default() });
        let twin = Arc::new(Self { manifest, answers, clock, latency, state });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(answer).with_state(twin.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap_or_default() });
        Ok((twin, url))
    }

    /// Counts a request on its arrival; `false` = it is one too many.
    fn admit(&self, call: &Call) -> bool {
        let now = self.clock.now_ms();
        let mut state = self.state.lock();
        state.calls += 1;
        let mut drawn: Vec<&mut Allowance> = state.limits.iter_mut().filter(|limit| call.limits.contains(&limit.limit.name)).collect();
        if drawn.iter_mut().any(|limit| limit.is_spent(call, now)) {
            state.refused += 1;
            return false;
        }
        drawn.into_iter().for_each(|limit| limit.take(call, now));
        true
    }

    fn done(&self, call: &Call, status: u16) -> Vec<(String, String)> {
        let now = self.clock.now_ms();
        let mut state = self.state.lock();
        let drawn = state.limits.iter_mut().filter(|limit| call.limits.contains(&limit.limit.name));
        let said = drawn.map(|limit| {
            limit.give_back(status, now);
            limit.headers(now)
        });
        said.collect::<Vec<_>>().concat()
    }
}

async fn answer(State(twin): State<Arc<Twin>>, method: Method, uri: Uri, _: HeaderMap, body: Bytes) -> Response<Body> {
    let body = String::from_utf8_lossy(&body).into_owned();
    let asked = Asked { method: method.as_str(), path: uri.path(), query: uri.query().unwrap_or_default(), body: &body };
    let given = twin.answers.to(&asked);
    let Some((given, call)) = given.and_then(|given| Some((twin.manifest.call(&given.call)?, given)).map(|(call, given)| (given, call)))
    else {
        let mut state = twin.state.lock();
        if state.unknown.len() < 5 {
            state.unknown.push(format!("{method} {uri}"));
        }
        return plain(StatusCode::NOT_IMPLEMENTED, Vec::new(), String::new());
    };
    if !twin.admit(call) {
        return plain(StatusCode::TOO_MANY_REQUESTS, Vec::new(), String::new());
    }
    tokio::time::sleep(twin.latency).await;
    let headers = twin.done(call, given.status).into_iter().chain(given.headers);
    let status = StatusCode::from_u16(given.status).unwrap_or(StatusCode::NOT_IMPLEMENTED);
    plain(status, headers.collect(), given.body)
}

fn plain(status: StatusCode, headers: Vec<(String, String)>, body: String) -> Response<Body> {
    let empty = status == StatusCode::NO_CONTENT;
    let mut response = Response::new(if empty { Body::empty() } else { Body::from(body) });
    *response.status_mut() = status;
    if !empty {
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    }
    for (name, value) in headers {
        // What the vendor counts wins over the figures of a fixture.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && !response.headers().contains_key(&name) | (name == "content-type")
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
