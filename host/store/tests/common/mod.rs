//! What the test files share: a store in a directory of its own.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crm_store::conformance::{Factory, block_on};
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{Faults, MasterKey, SpaceGate, Store};
use tempfile::TempDir;

/// The same key every time.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new(MasterKey::from_bytes([7; 32]));
    options.free_space_gate = SpaceGate::Bytes(0);
    options.ballast_bytes = 0;
    options.now = Some(1);
    options
}

#[expect(clippy::disallowed_methods, reason = "long runs are asked for by the environment")]
/// A number that a long run may raise by the environment.
pub(crate) fn short(name: &str, normal: u32) -> u32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(normal)
}

/// Opens sled stores in a temporary directory.
pub(crate) struct SledFactory {
    dir: TempDir,
    faults: Faults,
    last: Mutex<Option<Arc<SledStore>>>,
}

impl SledFactory {
    pub(crate) fn new() -> Self {
        Self::with(Faults::default())
    }

    pub(crate) fn with(faults: Faults) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), faults, last: Mutex::new(None) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn open_sled(&self, now: u64) -> Arc<SledStore> {
        let mut options = options().with_faults(self.faults.clone());
        options.now = Some(now);
        SledStore::open(self.path(), options).unwrap()
    }
}

impl Factory for SledFactory {
    fn open(&self, now: u64) -> Arc<dyn Store> {
        let store = self.open_sled(now);
        *self.last.lock().unwrap() = Some(store.clone());
        store
    }

    fn expire(&self, _: &Arc<dyn Store>, before: u64) -> Option<u64> {
        let store = self.last.lock().unwrap().clone()?;
        // Called from within a runtime.
        let handle = std::thread::spawn(move || block_on(store.expire(before)).unwrap());
        Some(handle.join().unwrap())
    }
}
