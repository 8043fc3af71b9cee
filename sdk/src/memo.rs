//! The connector's own small memory about one contact: JSON text of at most 1 KiB in `known.memo`. For facts that the vendor
//! does not hand back, such as which lists a contact was put on. Never for merchants' data.

use crate::error;
use crate::types::{Error, Known};
use serde_json::Value;

/// The contract's cap on a memo, in bytes.
pub const MAX_BYTES: usize = 1024;

/// What was remembered; `null` when nothing was, or when it is from a version that wrote something else.
pub fn read(known: &Known) -> Value {
    known.memo.as_deref().and_then(|memo| serde_json::from_str(memo).ok()).unwrap_or(Value::Null)
}

/// Remembers `value` instead of what was remembered. `permanent` when it is too long, so that it fails while being
/// developed and not at a merchant's.
///
/// ```
/// use crm_connector_sdk::{memo, types::Known};
/// let mut known = Known::default();
/// memo::write(&mut known, &serde_json::json!({ "joined": ["7"] })).unwrap();
/// assert_eq!(memo::read(&known)["joined"][0], "7");
/// assert!(memo::write(&mut known, &serde_json::json!("x".repeat(2000))).is_err());
/// ```
pub fn write(known: &mut Known, value: &Value) -> Result<(), Error> {
    let text = crate::json::print(value);
    if text.len() > MAX_BYTES {
        return Err(error::permanent("memo", format!("the memo has {} bytes; at most {MAX_BYTES} are kept", text.len())));
    }
    known.memo = Some(text);
    Ok(())
}
