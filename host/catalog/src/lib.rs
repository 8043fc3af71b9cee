//! Manifests: parse, validate, embed, compare and describe `connector.toml`, and compile its rules for those who enforce
//! them. Touches TOML text and component bytes that it is handed, and must not touch files, the network or the clock.

mod check;
pub mod describe;
pub mod diff;
mod error;
pub mod host;
pub mod model;
mod parse;
pub mod reference;
pub mod scenarios;
mod schema;
pub mod section;
mod shape;
mod structure;
pub mod tags;
pub mod template;
pub mod writes;

pub use error::ManifestError;
pub use parse::{MAX_MANIFEST_BYTES, ParseOptions, parse, parse_with};
