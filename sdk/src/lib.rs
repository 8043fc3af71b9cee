//! What the author of a connector imports, and the only crate of this repository that a connector may use: the contract
//! of `wit/since-v0.1.0` as Rust types, a request builder, and small helpers that take data and return data.
//!
//! This room must not touch sockets, files, the clock, randomness, WASI or any host crate. On `wasm32` the two imports
//! are the host's; on every other target they are a fake ([`fake`]) or a handler of yours ([`native`]), so that a
//! connector's `cargo test` takes milliseconds and a bench can run the very same code without a sandbox.
//!
//! A whole connector:
//!
//! ```
//! use crm_connector_sdk::prelude::*;
//!
//! struct Acme;
//!
//! impl Connector for Acme {
//!     fn verify(&self, _on: &Connection) -> Result<Account, Error> {
//!         let me = Call::new("me").send()?.ok()?.json();
//!         Ok(Account { id: json::text(&me, "/id"), ..Account::default() })
//!     }
//!
//!     fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
//!         let (first, last) = person::names(&job.who);
//!         let contact = obj! { "email": &job.who.email, "first_name": first, "last_name": last, "tags": &job.set };
//!         let reply = Call::new("save").json(contact).send()?.ok()?;
//!         known.contact_id = json::text(&reply.json(), "/id");
//!         known.tags = job.set.clone();
//!         Ok(done(if reply.status() == 201 { Change::Created } else { Change::Updated }))
//!     }
//! }
//!
//! crm_connector_sdk::export!(Acme);
//!
//! # fn main() {
//! use crm_connector_sdk::fake::{self, Exchange};
//! let script = [Exchange::call("save").answers(201, r#"{"id": 7}"#)];
//! let played = fake::with(script, || entry::sync_contact(connector(), &fake::job("ann@example.com", &["Rekomi affiliate"])));
//! assert_eq!(played.result.known.contact_id.as_deref(), Some("7"));
//! assert_eq!(fake::json_body(&played.sent[0])["tags"][0], "Rekomi affiliate");
//! # }
//! ```
#![warn(missing_docs)]

#[doc(hidden)]
pub mod bindings;
pub mod body;
mod connector;
pub mod entry;
pub mod error;
mod export;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
pub mod http;
pub mod json;
pub mod log;
pub mod md5;
pub mod memo;
pub mod name;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod paging;
pub mod person;
pub mod prelude;
pub mod status;
pub mod tags;
pub mod text;
mod transport;
pub mod types;

pub use connector::{Connector, Ending, done, later};
#[doc(hidden)]
pub use serde_json;
