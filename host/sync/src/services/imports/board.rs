//! How those who import hear of one another within this process: which imports wait for the runner, and that one of them has come further.
//! Nothing here is durable: after a restart the runner finds its work in the store.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// One import of one organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Which {
    pub(crate) organization: String,
    pub(crate) id: String,
}

pub struct Board {
    waiting: Mutex<VecDeque<Which>>,
    wake: Notify,
    /// Rises with every change of any import.
    changes: watch::Sender<u64>,
}

impl Default for Board {
    fn default() -> Self {
        Self { waiting: Mutex::default(), wake: Notify::new(), changes: watch::Sender::new(0) }
    }
}

impl Board {
    /// Has the runner look at this import.
    pub(crate) fn post(&self, which: Which) {
        let mut waiting = self.waiting.lock();
        if !waiting.contains(&which) {
            waiting.push_back(which);
        }
        drop(waiting);
        self.wake.notify_one();
        self.changed();
    }

    pub(crate) fn next(&self) -> Option<Which> {
        self.waiting.lock().pop_front()
    }

    /// Completes when something was posted since it was last awaited.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// For those who watch: a receiver that hears of every change of any import; look at yours then.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
