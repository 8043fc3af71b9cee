//! What the rooms say to each other: the words of the WIT as host types ([`types`]), and the ports through which
//! rooms meet without knowing one another ([`ports`], [`webhooks`]).
//!
//! This room holds no behaviour and must not touch wasmtime, sled, an HTTP client, files or the clock. It exists so
//! that `egress` and `store` never link wasmtime, and `sync` never links an HTTP client: Cargo's edges prove it.

pub mod ports;
pub mod secrets;
pub mod spool;
pub mod types;
pub mod versions;
pub mod webhooks;
