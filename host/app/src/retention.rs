//! Everything that leaves with time: finished jobs with their journals after the configured days, webhook deliveries among them; kept answers
//! after a day; and what the services let go.

use std::sync::Arc;

use crm_store::sled_store::SledStore;
use crm_sync::context::Context;
use crm_sync::retention::{self, Sweep};
use tokio_util::sync::CancellationToken;

/// Looks at once and every hour, until told to stop.
pub(crate) async fn keep(store: Arc<SledStore>, context: Context, days: u32, stop: CancellationToken) {
    let mut sweeps = retention::of_services();
    sweeps.push(Sweep::new("answers kept for Idempotency-Key", |context| async move { crm_api::expire_answers(&context).await }));
    sweeps.push(Sweep::new("finished jobs", move |context| {
        let store = store.clone();
        async move {
            let before = context.now().saturating_sub(u64::from(days) * 86_400_000);
            Ok(store.expire(before).await?)
        }
    }));
    retention::keep(context, sweeps, stop).await;
}
