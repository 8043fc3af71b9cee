//! A vendor that answers as it is told, and keeps what it saw: tokens under `/token`, everything else is its API.

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use parking_lot::Mutex;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub authorization: String,
    pub body: String,
}

#[derive(Clone, Debug)]
pub struct Reply(pub u16, pub String);

impl Reply {
    /// Tokens of one number, good for an hour.
    pub fn tokens(number: usize) -> Self {
        Self(200, format!(r#"{{"access_token":"access-canary-{number}","refresh_token":"refresh-canary-{number}","expires_in":3600}}"#))
    }
}

type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

#[derive(Clone)]
pub struct Stub {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone)]
struct Inside {
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    /// The script is told how many requests came to the same path before this one.
    pub async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let inside = Inside { script: Arc::new(script), seen: seen.clone() };
        let router = Router::new().fallback(answer).with_state(inside);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, seen })
    }

    /// Hands out tokens one after the other and takes the newest access token.
    pub async fn obliging() -> Result<Self> {
        Self::start(|seen, before| if seen.path == "/token" { Reply::tokens(before + 1) } else { Reply(200, r#"{"id":"ann"}"#.into()) })
            .await
    }

    pub fn to(&self, path: &str) -> Vec<Seen> {
        self.seen.lock().iter().filter(|s| s.path == path).cloned().collect()
    }
}

async fn answer(State(inside): State<Inside>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let authorization = parts.headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let seen = Seen { path: parts.uri.path().to_owned(), authorization, body: String::from_utf8_lossy(&body).into_owned() };
    let before = {
        let mut all = inside.seen.lock();
        let before = all.iter().filter(|s| s.path == seen.path).count();
        all.push(seen.clone());
        before
    };
    // Off the runtime: a script may take its time.
    let script = inside.script.clone();
    let reply = tokio::task::spawn_blocking(move || script(&seen, before)).await;
    let Reply(status, text) = reply.unwrap_or(Reply(500, String::new()));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json")], Body::from(text)).into_response()
}
