//! The imports' runner: one task that gives every unfinished import a batch in turn, so that a large file keeps nobody waiting. It takes up
//! what an earlier run of the host left, each import at its checkpoint.

use std::time::Duration;

use crm_store::StoreError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::WorkersGone;
use crate::context::Context;
use crate::services::imports::board::Which;
use crate::services::imports::run::{Halt, Running, Step};
use crate::services::{ServiceError, imports};

/// Imports that are at work at once; others wait for a place. Each holds a piece of its file and, while it is checked, the names it saw.
const AT_ONCE: usize = 4;
/// How long an import rests that found no space.
const REST: Duration = Duration::from_secs(5);

/// The running runner.
pub struct Imports {
    stop: CancellationToken,
    task: JoinHandle<Result<(), StoreError>>,
}

impl Imports {
    /// Starts it on the current runtime. Called before the API serves: an upload that seems under way then was cut off by a crash.
    pub async fn start(context: Context) -> Result<Self, ServiceError> {
        imports::adopt(&context).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(context, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Stops after the batch that is being written. What is unfinished goes on at the next start.
    pub async fn drain(self, patience: Duration) -> Result<(), WorkersGone> {
        self.stop.cancel();
        match tokio::time::timeout(patience, self.task).await {
            Ok(Ok(result)) => result.map_err(WorkersGone::Store),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    /// Completes when the runner stops by itself, which only a failed store makes it do.
    pub async fn gone(&mut self) -> WorkersGone {
        match (&mut self.task).await {
            Ok(Err(error)) => WorkersGone::Store(error),
            Ok(Ok(())) => WorkersGone::Store(StoreError::Broken("the imports' runner ended".into())),
            Err(error) => WorkersGone::Store(StoreError::Broken(format!("the imports' runner panicked: {error}"))),
        }
    }
}

/// Works until nothing is left to do. For tests and tools that run no workers.
pub async fn settle(context: &Context) -> Result<(), StoreError> {
    let mut runner = Runner { context: context.clone(), active: Vec::new() };
    while runner.round().await? {}
    Ok(())
}

async fn run(context: Context, stop: CancellationToken) -> Result<(), StoreError> {
    let mut runner = Runner { context, active: Vec::new() };
    while !stop.is_cancelled() {
        let board = runner.context.imports.clone();
        if !runner.round().await? {
            tokio::select! {
                () = board.woken() => {}
                () = stop.cancelled() => {}
            }
        } else if runner.resting() {
            tokio::select! {
                () = tokio::time::sleep(REST) => {}
                () = stop.cancelled() => {}
            }
        }
    }
    Ok(())
}

struct Runner {
    context: Context,
    active: Vec<Active>,
}

struct Active {
    which: Which,
    /// `None` = to be opened (again).
    running: Option<Running>,
    rests: bool,
}

impl Runner {
    /// One batch of every import at work. `false` = there is none.
    async fn round(&mut self) -> Result<bool, StoreError> {
        while self.active.len() < AT_ONCE
            && let Some(which) = self.context.imports.next()
        {
            // Posted twice: it is at work already, and looks at its record with every batch.
            if !self.active.iter().any(|active| active.which == which) {
                self.active.push(Active { which, running: None, rests: false });
            }
        }
        let mut active = std::mem::take(&mut self.active);
        for import in &mut active {
            if self.turn(import).await? {
                continue;
            }
            import.which.id.clear();
        }
        active.retain(|import| !import.which.id.is_empty());
        self.active = active;
        Ok(!self.active.is_empty())
    }

    /// Every import at work found no space.
    fn resting(&self) -> bool {
        self.active.iter().all(|import| import.rests)
    }

    /// One batch of one import; `false` = it is done with.
    async fn turn(&self, import: &mut Active) -> Result<bool, StoreError> {
        import.rests = false;
        let step = match &mut import.running {
            Some(running) => running.step().await,
            None => match Running::open(&self.context, &import.which).await {
                Ok(Some(running)) => {
                    import.running = Some(running);
                    Ok(Step::More)
                }
                Ok(None) => Ok(Step::Over),
                Err(halt) => Err(halt),
            },
        };
        match step {
            Ok(Step::More) => Ok(true),
            Ok(Step::Over) => Ok(false),
            Err(Halt::Wait(why)) => {
                tracing::warn!(import = import.which.id, why, "an import waits");
                import.running = None;
                import.rests = true;
                Ok(true)
            }
            Err(Halt::Failed(why)) => {
                tracing::warn!(import = import.which.id, why, "an import failed");
                Ok(false)
            }
            Err(Halt::Store(error)) => Err(error),
        }
    }
}
