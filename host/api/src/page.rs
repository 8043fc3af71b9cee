//! One envelope for every list, with opaque cursors.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// What a cursor looks like: where to go on, in hexadecimal digits.
pub(crate) const CURSOR: &str = "^([0-9a-f]{2}){1,2048}$";
/// Of lists whose places are ids: exactly what [`decode_id`] accepts, so that the document promises nothing that is refused.
pub(crate) const ID_CURSOR: &str = "^(3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a]){1,64}$";
/// Vendors' own cursors are in some of them.
const LONGEST: usize = 2_048;

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
        let next_cursor = next.map(hex::encode);
        Self { data, has_more: next_cursor.is_some(), next_cursor }
    }
}

/// What stands in a cursor. It only says where to go on: what is found there is the asker's own in any case.
pub(crate) fn decode(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = hex::decode(cursor).ok().filter(|_| !cursor.bytes().any(|b| b.is_ascii_uppercase()));
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    match text.filter(|t| (1..=LONGEST).contains(&t.len())) {
        Some(text) => Ok(Some(text)),
        None => Err(unreadable()),
    }
}

/// The same, for lists whose cursor is one of our ids.
pub(crate) fn decode_id(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let id = decode(cursor)?;
    if id.as_ref().is_some_and(|id| id.len() > 64 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        return Err(unreadable());
    }
    Ok(id)
}

fn unreadable() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", "use next_cursor as the last answer gave it")
}

/// Items per page.
pub(crate) fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(25) {
        limit @ 1..=100 => Ok(limit as usize),
        _ => Err(Problem::invalid("limit", "must be between 1 and 100")),
    }
}
