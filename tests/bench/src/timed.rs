//! Ports with a stopwatch: they delegate to the real rooms and add up where the time goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, Gateway, GuestFault, GuestLog, Guests, Journal, Mode, Outbound, Scope};
use crm_contract::types::{Answer, Invocation, Request, Response, Unanswered};

/// Nanoseconds and counts, added up over all runs.
#[derive(Default)]
pub struct Clocks {
    pub guest_ns: AtomicU64,
    pub guest_runs: AtomicU64,
    /// Inside `egress.send`: checks, journal, limiter, network and the vendor.
    pub send_ns: AtomicU64,
    pub sends: AtomicU64,
}

impl Clocks {
    fn add(total: &AtomicU64, count: &AtomicU64, since: Instant) {
        total.fetch_add(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

pub struct TimedGuests {
    inner: Arc<dyn Guests>,
    clocks: Arc<Clocks>,
}

impl TimedGuests {
    pub fn new(inner: Arc<dyn Guests>, clocks: Arc<Clocks>) -> Self {
        Self { inner, clocks }
    }
}

#[async_trait]
impl Guests for TimedGuests {
    async fn call(
        &self,
        digest: &Digest,
        invocation: Invocation,
        outbound: Arc<dyn Outbound>,
        log: Arc<dyn GuestLog>,
    ) -> Result<Answer, GuestFault> {
        let start = Instant::now();
        let answer = self.inner.call(digest, invocation, outbound, log).await;
        Clocks::add(&self.clocks.guest_ns, &self.clocks.guest_runs, start);
        answer
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        self.inner.loaded()
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        self.inner.active(slug)
    }

    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.inner.manifest(digest)
    }
}

/// A gateway around each of whose sends something is held: made before the send, dropped after it.
pub struct Around<H> {
    inner: Arc<dyn Gateway>,
    hold: H,
}

impl<H, T> Around<H>
where
    H: Fn() -> T + Clone + Send + Sync + 'static,
    T: Send + 'static,
{
    pub fn new(inner: Arc<dyn Gateway>, hold: H) -> Self {
        Self { inner, hold }
    }
}

impl<H, T> Gateway for Around<H>
where
    H: Fn() -> T + Clone + Send + Sync + 'static,
    T: Send + 'static,
{
    fn open(&self, scope: Scope, mode: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        Arc::new(AroundSends { inner: self.inner.open(scope, mode, journal), hold: self.hold.clone() })
    }

    fn forget(&self, organization: &str, connection: &str) {
        self.inner.forget(organization, connection);
    }

    fn ready_at(&self, scope: &Scope, calls: u32) -> Option<u64> {
        self.inner.ready_at(scope, calls)
    }

    fn throttled(&self, scope: &Scope, limit: Option<&str>, after_seconds: Option<u32>) {
        self.inner.throttled(scope, limit, after_seconds);
    }
}

struct AroundSends<H> {
    inner: Arc<dyn Outbound>,
    hold: H,
}

#[async_trait]
impl<H, T> Outbound for AroundSends<H>
where
    H: Fn() -> T + Send + Sync,
    T: Send,
{
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let _held = (self.hold)();
        self.inner.send(request).await
    }
}

/// The time of one send, added up when it ends.
pub struct Sending {
    clocks: Arc<Clocks>,
    since: Instant,
}

impl Sending {
    pub fn on(clocks: &Arc<Clocks>) -> Self {
        Self { clocks: clocks.clone(), since: Instant::now() }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        Clocks::add(&self.clocks.send_ns, &self.clocks.sends, self.since);
    }
}
