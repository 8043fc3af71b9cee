//! One envelope for every list, with opaque cursors.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// One page of a list. A page may hold fewer items than asked for and still have a next one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    data: Vec<T>,
    /// Hand it back as `cursor` to go on; null at the end.
    next_cursor: Option<String>,
    has_more: bool,
}

impl<T> Page<T> {
    pub(crate) fn new(data: Vec<T>, next: Option<String>) -> Self {
        let next_cursor = next.map(|n| BASE64_URL_SAFE_NO_PAD.encode(n));
        Self { data, has_more: next_cursor.is_some(), next_cursor }
    }
}

/// What stands in a cursor. It only says where to go on: what is found there is the asker's own in any case.
pub(crate) fn decode(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    match bytes.and_then(|b| String::from_utf8(b).ok()).filter(|text| !text.is_empty()) {
        Some(text) => Ok(Some(text)),
        None => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", "use next_cursor as the last answer gave it")),
    }
}

/// The same, for lists whose cursor is one of our ids.
pub(crate) fn decode_id(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let id = decode(cursor)?;
    if id.as_ref().is_some_and(|id| id.len() > 64 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", "use next_cursor as the last answer gave it"));
    }
    Ok(id)
}

/// Items per page.
pub(crate) fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(25) {
        limit @ 1..=100 => Ok(limit as usize),
        _ => Err(Problem::invalid("limit", "must be between 1 and 100")),
    }
}
