//! OAuth 2 from outside.

mod consent;
mod pages;
mod real;
mod renewal;
