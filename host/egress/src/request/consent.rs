//! Check 4: a call that can change someone's subscription comes after a fresh answer of its guard, in this run. The host's
//! rule, not the connector's promise. Holds what this run's guards said, and nothing else.

use std::collections::HashMap;

use crm_catalog::model::{Call, Found};
use crm_contract::types::Response;
use parking_lot::Mutex;
use serde_json::Value;

use crate::error::Refusal;

/// Guards answered freshly in this run, and whether they found someone.
#[derive(Default)]
pub(crate) struct Guards {
    answered: Mutex<HashMap<String, bool>>,
}

impl Guards {
    pub(crate) fn answered(&self, call: &str, found: bool) {
        self.answered.lock().insert(call.to_owned(), found);
    }

    /// A guard that is sent again and fails has no answer any more.
    pub(crate) fn forget(&self, call: &str) {
        self.answered.lock().remove(call);
    }
}

/// `new_only` is a new-only field that the body writes.
pub(crate) fn guard(call: &Call, guards: &Guards, new_only: Option<&str>) -> Result<(), Refusal> {
    let answer = call.guard.as_ref().map(|name| (name, guards.answered.lock().get(name).copied()));
    match (answer, new_only) {
        (Some((name, None)), _) => Err(Refusal::GuardMissing { call: call.name.clone(), guard: name.clone() }),
        // Without a guard nobody can say that the contact is new.
        (None, Some(field)) | (Some((_, Some(true))), Some(field)) => Err(Refusal::NewOnly(field.to_owned())),
        _ => Ok(()),
    }
}

/// Whether a guard's good answer means that there is someone. Without a rule every good answer does: the careful reading.
pub(crate) fn found(rule: Option<&Found>, response: &Response) -> bool {
    let Some(rule) = rule else { return true };
    if !rule.status.contains(&response.status) {
        return false;
    }
    let Some(pointer) = &rule.pointer else { return true };
    // An answer that cannot be read proves nobody's absence.
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else { return true };
    match body.pointer(pointer) {
        None | Some(Value::Null) => false,
        Some(Value::String(s)) => !s.is_empty(),
        Some(Value::Array(a)) => !a.is_empty(),
        Some(Value::Object(o)) => !o.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_finds_someone_unless_its_answer_says_otherwise() {
        let rule = |status: u16, pointer: Option<&str>| Found { status: vec![status], pointer: pointer.map(str::to_owned) };
        let answer = |status, body: &str| Response { status, headers: vec![], body: body.as_bytes().to_vec() };
        let cases = [
            (None, answer(200, ""), true),
            (None, answer(404, ""), true),
            (Some(rule(200, None)), answer(200, ""), true),
            (Some(rule(200, None)), answer(404, ""), false),
            (Some(rule(200, Some("/data/0"))), answer(200, r#"{"data":[]}"#), false),
            (Some(rule(200, Some("/data/0"))), answer(200, r#"{"data":[{"id":1}]}"#), true),
            (Some(rule(200, Some("/data"))), answer(200, r#"{"data":[]}"#), false),
            (Some(rule(200, Some("/data"))), answer(200, r#"{"data":{}}"#), false),
            (Some(rule(200, Some("/data"))), answer(200, r#"{"data":null}"#), false),
            (Some(rule(200, Some("/count"))), answer(200, r#"{"count":3}"#), true),
            (Some(rule(200, Some("/data"))), answer(200, "no json"), true),
        ];
        for (rule, response, wanted) in cases {
            assert_eq!(found(rule.as_ref(), &response), wanted, "{rule:?} {}", response.status);
        }
    }
}
