//! What end-to-end tests and the demo share: finding built artefacts, running the host and twins as processes, and a
//! plain HTTP client for loopback.
//!
//! It must not link any host crate: what uses it sees the product only from outside, as its users do.

mod artefacts;
mod client;
mod command;
mod host;
mod imports;
mod process;
mod registry;
mod twin;
mod witness;

pub use artefacts::{connector, connectors_dir, host_bin, profile_dir, some_connector, target_dir, twin_bin};
pub use client::{Answer, Client};
pub use command::run_logged;
pub use host::{HostOptions, HostProcess, Key, create_operator_key, create_organization};
pub use imports::{ImportRun, Report as ImportReport};
pub use process::Process;
pub use registry::RegistryProcess;
pub use twin::{TwinOptions, TwinProcess};
pub use witness::skipped;
