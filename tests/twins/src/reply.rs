//! An answer as a vendor gives it, before the fault script has its say.

use bytes::Bytes;
use serde_json::Value;

/// An answer, before faults are applied to it.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Bytes,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) cut: Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    No,
    Silent,
    Midway,
}

impl Reply {
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: "application/json", body: body.into(), headers: Vec::new(), cut: Cut::No }
    }

    /// A JSON value as the vendor would print it.
    pub fn value(status: u16, body: &Value) -> Self {
        Self::json(status, body.to_string().into_bytes())
    }

    /// No body at all.
    pub fn empty(status: u16) -> Self {
        Self::text(status, "")
    }

    pub fn text(status: u16, body: &'static str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", body)
    }

    pub fn html(status: u16, body: &'static str) -> Self {
        Self::of(status, "text/html; charset=utf-8", body)
    }

    fn of(status: u16, content_type: &'static str, body: &'static str) -> Self {
        Self { status, content_type, body: Bytes::from_static(body.as_bytes()), headers: Vec::new(), cut: Cut::No }
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}
