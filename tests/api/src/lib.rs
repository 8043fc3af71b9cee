//! The world that the API tests run in: the real router over the real store in a temporary directory, with a made-up vendor
//! behind the ports. No network beyond loopback.

mod applicant;
mod client;
mod courier;
mod documented;
mod imports;
mod vendor;
mod world;

pub use applicant::{look, post, site, site_with, stamp};
pub use client::{Answer, form_request, json_request};
pub use courier::{Courier, Sent};
pub use vendor::{GOOD_KEY, Vendor};
pub use world::{Clock, PUBLIC_URL, Setup, Tenant, World, send};
