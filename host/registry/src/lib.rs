//! Connector files in OCI registries: one file is pulled from there or pushed to there, in the form that the WebAssembly ecosystem agreed on,
//! and its minisign signature travels with it.
//!
//! For the operator's command line. This room must not touch the store, the engine, merchants' credentials or the file system: references,
//! logins and bytes come in, bytes go out. What is pulled is not trusted: the host that gets it checks signature and file as it checks any.

mod artifact;
mod component;
mod error;
mod fetch;
mod login;
mod reference;
mod transfer;

pub use artifact::{Labels, SIGNATURE, SLUG};
pub use error::RegistryError;
pub use login::Login;
pub use reference::Reference;
pub use transfer::{Pulled, pull, push};
