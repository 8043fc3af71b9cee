//! Lines for the connector's author; the host keeps at most 64 of 4 KiB with the attempt. Never a place for merchants'
//! data: a contact is named by the vendor's id, not by its e-mail.

pub use crate::bindings::rekomi::crm_connector::log::Level;
use crate::transport;

/// A line of interest only while developing.
pub fn debug(text: impl AsRef<str>) {
    transport::log(Level::Debug, text.as_ref());
}

/// A line that helps to follow what happened.
pub fn info(text: impl AsRef<str>) {
    transport::log(Level::Info, text.as_ref());
}

/// Something odd that the connector could cope with.
pub fn warn(text: impl AsRef<str>) {
    transport::log(Level::Warn, text.as_ref());
}

/// Something that made the run fail.
pub fn error(text: impl AsRef<str>) {
    transport::log(Level::Error, text.as_ref());
}
