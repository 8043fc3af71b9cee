//! The port through which other rooms call guests. Must not interpret answers: it runs one export and reports how that
//! went.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestFault, GuestLog, Guests, Outbound};
use crm_contract::types::{Answer, Invocation};

use crate::answer;
use crate::engine::Engine;
use crate::run;
use crate::wasi::Seed;

#[async_trait]
impl Guests for Engine {
    async fn call(
        &self,
        digest: &Digest,
        invocation: Invocation,
        outbound: Arc<dyn Outbound>,
        log: Arc<dyn GuestLog>,
    ) -> Result<Answer, GuestFault> {
        let version = self.registry.get(digest).ok_or_else(|| GuestFault::NotLoaded(digest.0.clone()))?;
        let _slot = self.slots.try_acquire().map_err(|_| GuestFault::Busy)?;
        let seed = if version.wasi { Seed::new(&digest.0, &invocation) } else { Seed::default() };
        let mut store = run::open(&self.wasm, &self.limits, outbound, log, seed);
        let ended = run::drive(&mut store, &self.limits, async |store| {
            let guest = version.pre.instantiate_async(&mut *store).await?;
            answer::call(&guest, store, invocation).await
        })
        .await;
        if let Err(fault) = &ended {
            metrics::counter!("crm_engine_faults_total", "kind" => kind(fault)).increment(1);
        }
        ended
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        self.registry.all().into_iter().map(|v| (v.digest.clone(), v.manifest.clone())).collect()
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        self.registry.active(slug).map(|v| (v.digest.clone(), v.manifest.clone()))
    }

    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.registry.get(digest).map(|v| v.manifest.clone())
    }
}

fn kind(fault: &GuestFault) -> &'static str {
    match fault {
        GuestFault::Trapped(_) => "trapped",
        GuestFault::OutOfCpu { .. } => "cpu",
        GuestFault::OutOfTime { .. } => "time",
        GuestFault::OutOfMemory { .. } => "memory",
        GuestFault::TooManyCalls { .. } => "calls",
        GuestFault::NotLoaded(_) => "not-loaded",
        GuestFault::Busy => "busy",
    }
}
