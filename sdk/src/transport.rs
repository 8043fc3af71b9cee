//! Where a request leaves the connector: the host's imports on wasm, [`crate::native`] elsewhere. Nothing else in this
//! crate knows which of the two it is.

use crate::log::Level;
use crate::types::{Request, Response, Unanswered};

#[cfg(target_arch = "wasm32")]
pub(crate) fn send(request: Request) -> Result<Response, Unanswered> {
    crate::bindings::rekomi::crm_connector::egress::send(&request)
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn log(level: Level, text: &str) {
    crate::bindings::rekomi::crm_connector::log::line(level, text);
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn send(request: Request) -> Result<Response, Unanswered> {
    crate::native::send(request)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn log(level: Level, text: &str) {
    crate::native::log(level, text);
}
