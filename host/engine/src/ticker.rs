//! The one thread that advances the engine's epoch. Wasm code looks at the epoch at every loop and call; when it
//! moved, the run's meter decides. Must not touch guests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;

/// How often a running guest is looked at. Also how long it may hold a worker thread before others get their turn.
pub(crate) const TICK: Duration = Duration::from_millis(5);

pub(crate) struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (weak, stopped) = (engine.weak(), stop.clone());
        let thread = std::thread::Builder::new().name("crm-epoch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                park_timeout(TICK);
                match weak.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A ticker cannot panic; if it did, there is nothing left to stop.
            drop(thread.join());
        }
    }
}
