//! Egress: turns a declared call into a safe HTTP exchange. May touch the HTTP client, DNS and unsealed credentials (short-
//! lived, no `Debug`, no `Serialize`); must not touch store back ends, wasmtime or any web framework.
//!
//! The checks are listed in order in `session`; [`net::guard`] offers the address rules to whoever calls other people's URLs.

mod answer;
mod auth;
mod client;
mod dev;
mod echo;
mod error;
mod gateway;
mod limit;
mod limits;
pub mod net;
mod oauth;
mod plan;
mod request;
mod reuse;
mod send;
mod session;
mod target;
mod unsealed;
mod values;
mod webhook;
mod wire;

pub use client::Timeouts;
pub use dev::{DevEndpoints, Loopback};
pub use echo::Echo;
pub use error::{CREDENTIALS_REFUSED, EgressError, Refusal};
pub use gateway::{AuthorEgress, Egress, EgressConfig};
pub use net::guard;
