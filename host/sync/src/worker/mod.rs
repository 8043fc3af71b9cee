//! The workers: a dispatcher that claims due jobs fairly over lanes, and attempts that run a connector and settle what
//! came of it. Only this module starts guests for jobs. It must not touch an HTTP client or a store back end.

mod attempt;
mod breaker;
pub mod decide;
pub mod deliver;
mod dispatcher;
pub mod imports;
mod journal;
mod lanes;
mod prepare;
mod present;
mod watched;

pub use dispatcher::{Workers, WorkersGone};
