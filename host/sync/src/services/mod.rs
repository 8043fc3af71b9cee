//! The merchant's services, one module per resource, over [`crate::context::Context`]. The API and the pages are thin
//! shells around them.
//!
//! Every function takes the organization first and finds nothing outside it: another organization's ids are as absent
//! as ids that never were. No HTTP types here, and no vendor's name.

pub mod affiliates;
pub mod approval;
pub mod authorization;
pub mod campaigns;
pub mod choices;
pub mod connections;
pub mod connectors;
pub mod csv_rows;
pub mod email;
mod error;
pub mod form;
pub mod import;
pub mod keys;
pub(crate) mod own_credentials;
pub mod prepare;
pub mod preview;
pub mod records;
pub mod settings;
pub mod syncs;

pub use error::{FieldError, ServiceError};
pub use records::Versioned;
