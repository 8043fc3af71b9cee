//! One host against one vendor in virtual time: the real workers, component, limiter and HTTP client; the store's model instead of a
//! disk. Time stands still while anybody works, moves by a millisecond at a time while requests are on their way, and jumps otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Clock, Digest, Gateway, GuestFault, GuestLog, Guests, Journal, Mode, Outbound, Scope};
use crm_contract::types::{Answer, Invocation, Request, Response, Unanswered};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep};

/// 2027-01-15, midnight UTC: days begin where the clock begins.
const EPOCH: u64 = 1_799_971_200_000;

/// Unix milliseconds on tokio's paused clock.
#[derive(Clone, Copy)]
pub(crate) struct VirtualClock(Instant);

impl VirtualClock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> u64 {
        EPOCH + u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Keeps time slow while requests are under way: without it tokio would jump to the next timer while the kernel carries a packet.
#[derive(Default)]
pub(crate) struct Pace {
    under_way: AtomicUsize,
    set_out: Notify,
}

impl Pace {
    pub(crate) async fn keep(self: Arc<Self>) {
        loop {
            let set_out = self.set_out.notified();
            if self.under_way.load(Ordering::Relaxed) == 0 {
                set_out.await;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn enter(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.set_out.notify_one();
        UnderWay(self.clone())
    }
}

struct UnderWay(Arc<Pace>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The gateway, at this pace.
pub(crate) struct Paced {
    pub(crate) inner: Arc<dyn Gateway>,
    pub(crate) pace: Arc<Pace>,
}

impl Gateway for Paced {
    fn open(&self, scope: Scope, mode: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        Arc::new(PacedOutbound { inner: self.inner.open(scope, mode, journal), pace: self.pace.clone() })
    }

    fn ready_at(&self, scope: &Scope, calls: u32) -> Option<u64> {
        self.inner.ready_at(scope, calls)
    }

    fn throttled(&self, scope: &Scope, limit: Option<&str>, after_seconds: Option<u32>) {
        self.inner.throttled(scope, limit, after_seconds);
    }
}

struct PacedOutbound {
    inner: Arc<dyn Outbound>,
    pace: Arc<Pace>,
}

#[async_trait]
impl Outbound for PacedOutbound {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let _under_way = self.pace.enter();
        self.inner.send(request).await
    }
}

/// The component, with a manifest of which the credentials are left out: limits do not depend on them, and a fixture holds none.
pub(crate) struct WithoutKeys {
    pub(crate) inner: Arc<dyn Guests>,
    pub(crate) manifest: Arc<Manifest>,
}

#[async_trait]
impl Guests for WithoutKeys {
    async fn call(
        &self,
        digest: &Digest,
        invocation: Invocation,
        outbound: Arc<dyn Outbound>,
        log: Arc<dyn GuestLog>,
    ) -> Result<Answer, GuestFault> {
        self.inner.call(digest, invocation, outbound, log).await
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        self.inner.loaded().into_iter().map(|(digest, _)| (digest, self.manifest.clone())).collect()
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        self.inner.active(slug).map(|(digest, _)| (digest, self.manifest.clone()))
    }

    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.inner.manifest(digest).map(|_| self.manifest.clone())
    }
}
