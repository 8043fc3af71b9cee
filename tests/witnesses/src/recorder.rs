//! A vendor that only repeats what the fixtures say it answered: for vendors without a twin. It keeps every request, and
//! answers the next exchange of the same method whose path is the most like the one asked for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use crm_conformance::{Exchange, Fixture};
use crm_twins::Recorded;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub struct Recorder {
    /// `http://127.0.0.1:PORT`.
    pub base_url: String,
    kept: Arc<Kept>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    left: Mutex<VecDeque<Exchange>>,
    requests: Mutex<Vec<Recorded>>,
}

impl Recorder {
    /// Starts one that answers what these fixtures answer, one after the other.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(fixtures: &[&Fixture]) -> io::Result<Self> {
        let runs = |fixture: &Fixture| {
            fixture.exchanges.iter().chain(fixture.then.iter().flat_map(|step| &step.exchanges)).cloned().collect::<Vec<_>>()
        };
        let exchanges = fixtures.iter().flat_map(|fixture| runs(fixture));
        let kept = Arc::new(Kept { left: Mutex::new(exchanges.collect()), requests: Mutex::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(answer).with_state(kept.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap_or_default() });
        Ok(Self { base_url, kept, task })
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.kept.requests.lock().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(kept): State<Arc<Kept>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<String, String> = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    kept.requests.lock().push(Recorded {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let mut left = kept.left.lock();
    let next = closest(&left, method.as_str(), uri.path());
    let given = next.and_then(|at| left.remove(at)).and_then(|exchange| exchange.response);
    let status = given.as_ref().and_then(|given| StatusCode::from_u16(given.status).ok()).unwrap_or(StatusCode::NOT_IMPLEMENTED);
    let mut response = Response::new(Body::from(given.map(|given| given.bytes()).unwrap_or_default()));
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    }
    response
}

/// The place of the exchange that shares most segments of its path, of several the first: a library may speak another version.
fn closest(left: &VecDeque<Exchange>, method: &str, path: &str) -> Option<usize> {
    let shared =
        |exchange: &Exchange| exchange.request.path.split('/').filter(|segment| path.split('/').any(|asked| asked == *segment)).count();
    let of_method = left.iter().enumerate().filter(|(_, exchange)| exchange.request.method == method);
    let fits = |exchange: &Exchange| (exchange.request.path == path, shared(exchange));
    of_method.min_by_key(|(_, exchange)| std::cmp::Reverse(fits(exchange))).map(|(at, _)| at)
}
