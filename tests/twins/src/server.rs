//! HTTP/1.1 on loopback: keep-alive connections, one task each, and the power to cut one short. Vendor requests take a
//! direct path; everything below `/_twin` goes to the control router.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

use crate::body::{BoxError, TwinBody};
use crate::control;
use crate::core::{Answered, Core, Cut, Vendor};

/// Longest request body that is read.
const MAX_BODY: usize = 4 << 20;

/// A twin that serves until it is stopped or dropped.
pub struct Running<V> {
    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub base_url: String,
    pub control: Arc<Core<V>>,
    task: JoinHandle<()>,
}

impl<V> Running<V> {
    /// Closes the listener and every connection, and waits until that is done.
    pub async fn stop(mut self) {
        self.task.abort();
        // The task ends by being aborted; that is the outcome wanted.
        drop((&mut self.task).await);
    }

    /// Serves until the listener fails.
    pub async fn forever(mut self) {
        drop((&mut self.task).await);
    }
}

impl<V> Drop for Running<V> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `core` on a port of loopback; 0 lets the system choose.
pub(crate) async fn serve<V: Vendor>(core: Core<V>, port: u16) -> io::Result<Running<V>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let control = Arc::new(core);
    let task = tokio::spawn(accept(listener, control.clone()));
    Ok(Running { base_url, control, task })
}

async fn accept<V: Vendor>(listener: TcpListener, core: Arc<Core<V>>) {
    let router = control::router(core.clone());
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, core.clone(), router.clone()));
            }
            // Out of file descriptors, or a peer that left at once: a later accept may succeed.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn connection<V: Vendor>(stream: TcpStream, core: Arc<Core<V>>, router: axum::Router) {
    // Small answers must not wait for more to come. A socket that refuses the option still works.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| one(request, core.clone(), router.clone()));
    // An error is a cut that the script asked for, or a client that left.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn one<V: Vendor>(request: Request<Incoming>, core: Arc<Core<V>>, router: axum::Router) -> Result<Response<TwinBody>, BoxError> {
    if request.uri().path().starts_with("/_twin") {
        let Ok(response) = router.oneshot(request).await;
        return Ok(response.map(TwinBody::Control));
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    let query = head.uri.query().unwrap_or_default();
    let answered = core.answer(&head.method, head.uri.path(), query, &head.headers, &body).await;
    respond(answered)
}

fn respond(answered: Answered) -> Result<Response<TwinBody>, BoxError> {
    let Answered { reply, limits } = answered;
    if reply.cut == Cut::Silent {
        return Err("cut by the fault script".into());
    }
    let mut response = Response::new(whole(&reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status)?;
    let headers = response.headers_mut();
    if !reply.body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    for (name, value) in limits {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value)?);
    }
    for (name, value) in &reply.headers {
        headers.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    if reply.cut == Cut::Midway {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
        let half = reply.body.slice(..reply.body.len() / 2);
        *response.body_mut() = TwinBody::Broken { half: Some(half).filter(|h| !h.is_empty()), flushed: false };
    }
    Ok(response)
}

fn whole(body: &Bytes) -> TwinBody {
    TwinBody::Whole(Some(body.clone()).filter(|b| !b.is_empty()))
}
