//! The one door through which machine code enters this process. Everything that reaches it was compiled by this host
//! or carried a MAC that only this host can make. Must not read files: a file may change between check and use.
#![expect(unsafe_code, reason = "wasmtime cannot check machine code, so it asks its caller to vouch for it")]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code of which this host knows where it comes from.
pub(crate) struct Trusted(Vec<u8>);

impl Trusted {
    /// `bytes` came from our compile worker just now, or from a cache entry whose MAC was verified over exactly them.
    pub(crate) fn vouched(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Maps the code. wasmtime still compares its version and settings, and refuses what does not fit.
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` runs whatever it is given. The only makers of `Trusted` are `compile` (the bytes are the
        // answer of a worker that we started from our own program, over a private pipe) and `cache` (HMAC-SHA256 over
        // the very bytes held here, under a key that never leaves this host). The bytes are in memory and unchanged
        // since.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
