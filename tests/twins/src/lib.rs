//! Twins: stateful local servers that behave like a vendor's API, misbehave on request, and keep the books that tests
//! and the demo judge a run by.
//!
//! A twin is written from the vendor's documents alone (`reference/providers/<slug>.md`), so it must not touch any host
//! crate, the SDK or a connector: a mistake shared by both sides would prove itself right. It listens on loopback only.

pub mod activecampaign;
mod body;
pub mod book;
pub mod constant_contact;
mod control;
pub mod core;
pub mod customer_io;
pub mod faults;
pub mod fleet;
pub mod klaviyo;
pub mod mailchimp;
pub mod ontraport;
pub mod people;
mod record;
mod reply;
mod route;
pub mod sailthru;
pub mod sendgrid;
pub mod server;
mod window;

pub use faults::{Fault, Rule, Script, When};
pub use record::Recorded;
pub use route::{Asked, Taken};
pub use window::{Allowance, Standing};
