//! What of an answer is handed on. Pure.

use crm_catalog::model::Call;
use crm_contract::types::{Pair, Response};
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::read::Raw;
use crate::echo::Echo;
use crate::plan::CallPlan;

/// The guest's view: readable headers and the content type in lower case, body decoded, every echo of a secret blanked.
/// The second part says how many echoes there were.
pub(crate) fn keep(plan: &CallPlan, raw: Raw, echoes: &[&Echo]) -> (Response, usize) {
    let mut body = raw.body;
    let mut hits = 0;
    for echo in echoes {
        hits += echo.blank(&mut body);
    }
    let mut headers = Vec::new();
    for name in std::iter::once(&CONTENT_TYPE).chain(plan.read_headers.iter().filter(|n| **n != CONTENT_TYPE)) {
        for value in raw.headers.get_all(name) {
            let mut value = value.as_bytes().to_vec();
            for echo in echoes {
                hits += echo.blank(&mut value);
            }
            headers.push(Pair::new(name.as_str(), String::from_utf8_lossy(&value)));
        }
    }
    (Response { status: raw.status, headers, body }, hits)
}

/// 2xx, or a status that the manifest calls good.
pub(crate) fn good(call: &Call, status: u16) -> bool {
    (200..300).contains(&status) || call.ok.contains(&status)
}

/// The answer for the journal: secrets that the vendor makes (signed addresses) blanked where the manifest says they are.
pub(crate) fn redacted(call: &Call, response: &Response) -> Response {
    if call.redact.is_empty() {
        return response.clone();
    }
    let mut kept = response.clone();
    kept.body = match serde_json::from_slice::<Value>(&response.body) {
        Ok(mut body) => {
            for pointer in &call.redact {
                if let Some(value) = body.pointer_mut(pointer) {
                    *value = Value::String("[redacted]".into());
                }
            }
            body.to_string().into_bytes()
        }
        // What cannot be read cannot be cleaned.
        Err(_) if response.body.is_empty() => Vec::new(),
        Err(_) => b"[redacted]".to_vec(),
    };
    kept
}
