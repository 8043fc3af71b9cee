//! OAuth 2 from outside.

mod consent;
mod pages;
mod quiet;
mod real;
mod renewal;
