//! OAuth 2 from outside: the real router, services, workers, store and egress, against an authorization server on loopback: a
//! scripted one for odd answers and accidents, and one that others wrote (`server/`, npm oidc-provider) for the truth.

mod browser;
mod connector;
mod real;
mod stub;
mod world;

pub use browser::Browser;
pub use real::{Real, start as start_real};
pub use stub::{Reply, Seen, Stub};
pub use world::{Answer, Options, PUBLIC_URL, World};
