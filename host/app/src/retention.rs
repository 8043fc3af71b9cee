//! Finished jobs and their journals leave the store after the configured days, in small deletes.

use std::sync::Arc;
use std::time::Duration;

use crm_store::sled_store::SledStore;
use crm_sync::context::Context;
use tokio_util::sync::CancellationToken;

/// Looks every hour, until told to stop.
pub(crate) async fn keep(store: Arc<SledStore>, context: Context, days: u32, stop: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(3600));
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        crm_sync::services::authorization::sweep(&context).await;
        let before = context.now().saturating_sub(u64::from(days) * 86_400_000);
        match store.expire(before).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(jobs = gone, days, "finished jobs expired"),
            Err(error) => tracing::error!(%error, "finished jobs could not be expired"),
        }
    }
}
