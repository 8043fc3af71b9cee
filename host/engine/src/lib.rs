//! The room that loads, proves, swaps and calls connectors. It owns wasmtime: no other room sees a wasm type.
//!
//! It must not touch the store, an HTTP client or a credential. A guest reaches the world only through the
//! [`Outbound`](crm_contract::ports::Outbound) that its caller hands over, and a guest that misbehaves becomes a typed
//! [`GuestFault`](crm_contract::ports::GuestFault), never a host that is unwell.
//!
//! The way of a file: [`Engine::prove`] checks it from the outside in (size, manifest, contract version, structure,
//! imports), compiles it in a child process or takes a cached artifact whose MAC holds, and instantiates it once.
//! [`Engine::admit`] lets it be tried before anybody can find it. [`Engine::activate`] then swaps it in; runs that began on the old version end on it.

mod answer;
mod bindings;
mod cache;
mod code;
mod compile;
mod config;
mod convert;
mod engine;
mod error;
mod guests;
mod lift;
mod limits;
mod log;
mod meter;
mod prove;
mod registry;
mod run;
mod scan;
mod ticker;
mod trial;
mod versions;
mod wasi;
mod world;

pub use compile::compile_worker;
pub use config::{Compiler, EngineConfig};
pub use engine::Engine;
pub use error::{CompileFault, EngineError, LoadError, ScanFault};
pub use limits::{Limits, ScanLimits};
pub use prove::Proven;
pub use trial::Trial;
