//! Durable sync jobs: plan, claim, run, retry, journal; and the merchant's services over the same store.
//!
//! This room may touch the store, the engine (through [`crm_contract::ports::Guests`]), egress limits (through
//! [`crm_contract::ports::Gateway`]) and the clock. It must not touch axum, an HTTP client or any vendor's name.

pub mod client;
pub mod context;
pub mod domain;
mod fit;
pub mod ids;
pub mod loose;
pub mod operator;
pub mod quota;
pub mod replay;
pub mod retention;
pub mod services;
pub mod worker;
