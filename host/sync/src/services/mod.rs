//! The merchant's services, one module per resource, over [`crate::context::Context`]. The API and the pages are thin
//! shells around them.
//!
//! Every function takes the organization first and finds nothing outside it: another organization's ids are as absent
//! as ids that never were. No HTTP types here, and no vendor's name.

mod affiliate_lists;
pub mod affiliates;
pub mod applications;
pub mod approval;
pub mod audit;
pub mod authorization;
pub mod campaigns;
pub mod choices;
pub mod commission;
pub(crate) mod connection_state;
pub mod connections;
pub mod connectors;
pub mod csv_decode;
pub mod csv_out;
pub mod csv_rows;
pub mod desk;
pub mod email;
pub mod entry;
mod error;
pub mod events;
pub mod fields;
pub mod form;
pub mod gate;
pub mod imports;
pub mod invites;
pub mod journal;
pub mod key_text;
pub mod keys;
pub mod membership;
pub mod operators;
pub mod organizations;
pub mod overrides;
pub(crate) mod own_credentials;
pub mod person;
pub mod prepare;
pub mod preview;
pub mod records;
pub mod releases;
pub mod resync;
pub mod settings;
pub mod syncs;
pub mod webhooks;

pub use error::{FieldError, ServiceError};
pub use records::Versioned;
