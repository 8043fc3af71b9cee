//! Serving the router over HTTP/1.1 with timeouts that work. `axum::serve` installs no timer, which leaves hyper's own
//! header timeout without effect; here a timer is installed, and [`crate::timed_io`] covers what hyper does not: a
//! client that connects and stays silent, and one that does not read its answer.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use crm_sync::client::ClientAddr;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use crate::timed_io::{Activity, TimedIo};

/// When to stop, and how long requests under way may take then.
pub struct Shutdown {
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
    grace: Duration,
}

impl Shutdown {
    /// Stops when `signal` completes; 25 seconds of grace.
    pub fn on(signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { signal: Box::pin(signal), grace: Duration::from_secs(25) }
    }

    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// How long clients may take, and how many may be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the connection, or from the first byte of a later request, to the end of the headers.
    pub header: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// The client must take some of its answer within this.
    pub write: Duration,
    pub connections: usize,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { header: Duration::from_secs(10), idle: Duration::from_secs(60), write: Duration::from_secs(30), connections: 1_024 }
    }
}

/// How to serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    pub timeouts: Timeouts,
    /// Proxies in front of this host whose `X-Forwarded-For` is believed; 0 = the peer is the client.
    pub trusted_proxies: u8,
}

/// Serves until `shutdown`, then finishes the requests under way.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> io::Result<()> {
    serve_with(listener, router, Serving::default(), shutdown).await
}

/// [`serve`] with other timeouts, or behind proxies. Handlers find a [`ClientAddr`] among the request's extensions.
pub async fn serve_with(listener: TcpListener, router: Router, serving: Serving, shutdown: Shutdown) -> io::Result<()> {
    let Serving { timeouts, trusted_proxies } = serving;
    let Shutdown { mut signal, grace } = shutdown;
    let slots = Arc::new(Semaphore::new(timeouts.connections));
    let graceful = GracefulShutdown::new();
    loop {
        // A slot first: beyond the cap, connections wait in the kernel's queue and cost nothing here.
        let (slot, stream, peer) = tokio::select! {
            () = &mut signal => break,
            accepted = accept(&listener, &slots) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to come back instead of spinning.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let activity = Activity::default();
        let io = TokioIo::new(TimedIo::new(stream, activity.clone(), &timeouts));
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let (router, busy) = (router.clone(), activity.begin());
            let mut request = request;
            let client = client_of(&request, peer, trusted_proxies);
            request.extensions_mut().insert(client);
            async move {
                let response = router.oneshot(request.map(Body::new)).await;
                drop(busy);
                response
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(timeouts.header);
        let connection = graceful.watch(http.serve_connection(io, service));
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(grace) => tracing::warn!("some requests did not finish in time and were cut off"),
    }
    Ok(())
}

fn client_of<B>(request: &Request<B>, peer: IpAddr, trusted_proxies: u8) -> ClientAddr {
    let lines = request.headers().get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    ClientAddr::behind(peer, trusted_proxies, lines)
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(OwnedSemaphorePermit, TcpStream, IpAddr)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Small answers should leave at once.
    stream.set_nodelay(true)?;
    Ok((slot, stream, peer.ip()))
}
