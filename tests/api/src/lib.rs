//! The world that the API tests run in: the real router over the real store in a temporary directory, with a made-up vendor
//! behind the ports. No network beyond loopback.

mod client;
mod vendor;
mod world;

pub use client::{Answer, json_request};
pub use vendor::{GOOD_KEY, Vendor};
pub use world::{Clock, Tenant, World, send};
