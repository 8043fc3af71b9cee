//! A guest's request, checked piece by piece against the manifest: nothing here sends, and nothing here sees a secret.

mod body;
mod canonical;
mod consent;
mod declared;
mod headers;
mod json;
mod path;
mod query;

pub(crate) use body::{Payload, checked as body, form_encoded};
pub(crate) use canonical::hash;
pub(crate) use consent::{Guards, found, guard};
pub(crate) use declared::{Declared, declared};
pub(crate) use headers::checked as headers;
pub(crate) use path::filled as path;
pub(crate) use query::{checked as query, encoded as encoded_query};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// Everything but RFC 3986's unreserved characters.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
