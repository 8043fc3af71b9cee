//! One host against one vendor in virtual time: the real workers, component, limiter and HTTP client; the store's model instead of a
//! disk. Time stands still while anybody works, moves by a millisecond at a time while requests are on their way, and jumps otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestFault, GuestLog, Guests, Outbound};
use crm_contract::types::{Answer, Invocation};
use tokio::sync::Notify;
use tokio::time::{Duration, sleep};

/// 2027-01-15, midnight UTC: days begin where the clock begins.
pub(crate) const MIDNIGHT: u64 = 1_799_971_200_000;

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

    /// A request is under way until what this answers is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.set_out.notify_one();
        UnderWay(self.clone())
    }
}

pub(crate) struct UnderWay(Arc<Pace>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
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
