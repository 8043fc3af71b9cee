//! What a host recorded of a day with real calls, real tokens and bad weather, run again without any of them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use crm_egress::net::{Resolve, ResolveError};
use crm_egress::{Egress, EgressConfig};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};
use crm_simulation::world::VirtualClock;
use crm_store::MasterKey;
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_sync::context::{Config, Context};
use crm_sync::replay::gate;

/// Knows no name, so nothing can be dialled.
struct NoNames;

#[async_trait]
impl Resolve for NoNames {
    async fn resolve(&self, _name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::NotFound)
    }
}

/// Every recorded sync of these connectors asks for the same again. `data`: the folder of a host that has ended.
pub(crate) fn ask_for_the_same(data: &Path, slugs: &[String]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let key = MasterKey::load_or_create(&data.join("master.key"))?;
        let store = SledStore::open(&data.join("store"), OpenOptions::new(key))?;
        let (limits, wasi_allowed) = (Limits::default(), BTreeSet::new());
        let config = EngineConfig { cache_dir: None, cache_key: [0; 32], compiler: Compiler::InProcess, limits, wasi_allowed };
        let engine = Engine::new(config)?;
        let clock = Arc::new(VirtualClock::start());
        let egress = Egress::new(EgressConfig::new("replay", clock.clone(), Arc::new(NoNames)))?;
        let context = Context::new(store, engine.clone(), egress, clock, Config::default());
        for slug in slugs {
            let digest = engine.load(std::fs::read(crm_test_support::connector(slug)?)?).await.with_context(|| slug.clone())?;
            let gate = gate(&context, slug, &digest, 1_000).await.with_context(|| slug.clone())?;
            ensure!(gate.replayed > 0, "{slug}: nothing was recorded");
            ensure!(gate.is_clear() && gate.ended_otherwise == 0 && !gate.cut_short, "{slug} on the same version: {gate:#?}");
        }
        context.store.close().await?;
        Ok(())
    })
}
