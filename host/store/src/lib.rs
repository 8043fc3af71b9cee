//! Durable state behind one domain-level trait, [`Store`]: records of the merchant's world, sync jobs in lanes, the
//! journal, sealed credentials.
//!
//! This room may touch sled and the sealing key. It must not touch the network, wasmtime or axum.

pub mod admin;
mod asked;
mod checks;
mod committer;
mod disk;
mod faults;
pub mod limits;
pub mod model;
mod port;
mod reads;
mod rows;
mod sealing;
pub mod sled_store;
mod space;
mod spool;
mod store_impl;
mod view;
mod wish;

pub use port::{Ack, Store, StoreError, Whose};
pub use sealing::MasterKey;
pub use space::SpaceGate;
pub use spool::FileSpool;

#[cfg(any(test, feature = "planted-bugs"))]
pub use faults::Faults;

#[cfg(any(test, feature = "model"))]
pub mod model_store;

#[cfg(feature = "conformance")]
pub mod conformance;
