//! Raw requests, kept on demand: what a client really sent, for comparing one client with another. Holds at most
//! [`MOST`] of them; the rest is not kept.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use parking_lot::Mutex;
use serde::Serialize;

const MOST: usize = 1_000;

/// One request as it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case; of repeated headers the last.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Recorded {
    pub(crate) fn of(method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            method: method.as_str().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(text).collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Recorder(Mutex<Option<Vec<Recorded>>>);

impl Recorder {
    pub(crate) fn set(&self, on: bool) {
        *self.0.lock() = on.then(Vec::new);
    }

    /// Calls `request` only while recording.
    pub(crate) fn keep(&self, request: impl FnOnce() -> Recorded) {
        if let Some(kept) = self.0.lock().as_mut()
            && kept.len() < MOST
        {
            kept.push(request());
        }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.0.lock().clone().unwrap_or_default()
    }
}
