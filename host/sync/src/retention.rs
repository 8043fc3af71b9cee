//! What is let go with time: one list of sweeps. Each stands alone: one that fails, or panics, is told in the log, keeps none of the others from
//! its turn, and has its next turn an hour later.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::services::{ServiceError, audit, authorization, imports, invites};

/// How often everything is looked at.
pub const EVERY: Duration = Duration::from_secs(3600);

/// One kind of thing that is let go.
pub struct Sweep {
    what: &'static str,
    run: Box<dyn Fn(Context) -> BoxFuture<'static, Result<u64, ServiceError>> + Send + Sync>,
}

/// What became of one turn of one sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    pub what: &'static str,
    /// How many went, or why it broke off.
    pub gone: Result<u64, String>,
}

impl Sweep {
    /// `run` answers how many went. It is given the time by the context, and must bring an end to itself: others wait for it.
    pub fn new<F>(what: &'static str, run: impl Fn(Context) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<u64, ServiceError>> + Send + 'static,
    {
        Self { what, run: Box::new(move |context| run(context).boxed()) }
    }
}

/// The sweeps of the services. Each tells of its own failures.
pub fn of_services() -> Vec<Sweep> {
    vec![
        Sweep::new("consents that nobody came back from", |context| async move {
            authorization::sweep(&context).await;
            Ok(0)
        }),
        Sweep::new("results of imports", |context| async move {
            imports::sweep(&context).await;
            Ok(0)
        }),
        Sweep::new("invitations", |context| async move {
            invites::sweep(&context).await;
            Ok(0)
        }),
        Sweep::new("lines of audit logs", |context| async move {
            audit::sweep(&context).await;
            Ok(0)
        }),
    ]
}

/// One turn of each, in order.
pub async fn once(context: &Context, sweeps: &[Sweep]) -> Vec<Swept> {
    let mut all = Vec::with_capacity(sweeps.len());
    for sweep in sweeps {
        // Making the future may fail as running it may.
        let turn = AssertUnwindSafe(async { (sweep.run)(context.clone()).await }).catch_unwind().await;
        let gone = match turn {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("it panicked".to_owned()),
        };
        match &gone {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, what = sweep.what, "swept"),
            Err(error) => tracing::error!(%error, what = sweep.what, "what is too old stays a little longer"),
        }
        all.push(Swept { what: sweep.what, gone });
    }
    all
}

/// A turn at once and every hour, until told to stop.
pub async fn keep(context: Context, sweeps: Vec<Sweep>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = once(&context, &sweeps) => {}
        }
    }
}
