//! From a fixture's sparse input to a complete invocation, and from an answer to the JSON that `expect` is compared with.

use anyhow::{Context, bail};
use crm_catalog::model::Stage;
use crm_contract::types::{Answer, Connection, Invocation, Job, Known, Person};
use serde_json::{Map, Value, json};

/// The exports of the world.
pub const FUNCTIONS: &[&str] = &["verify", "list-choices", "prepare", "sync-contact", "untag-contact", "lookup-contact"];

/// The export and its arguments. `on.mode` is taken from `mode` unless the input sets it.
///
/// # Errors
/// When the contract has no such function, or the input does not fit its arguments.
pub fn invocation(function: &str, input: &Value, mode: &str) -> anyhow::Result<Invocation> {
    let on = Connection { mode: mode.to_owned(), ..Connection::default() };
    let neutral = match function {
        "verify" => json!({ "on": on }),
        "list-choices" => json!({ "on": on, "picker": "", "search": null, "cursor": null }),
        "prepare" => json!({ "on": on, "tags": [], "fields": [], "apply": false }),
        "sync-contact" | "untag-contact" => json!({ "job": Job { on, ..Job::default() } }),
        "lookup-contact" => json!({ "on": on, "who": Person::default(), "known": Known::default() }),
        other => bail!("the contract has no function {other:?}; it has {}", FUNCTIONS.join(", ")),
    };
    let mut complete = merged(neutral, input);
    if let Value::Object(fields) = &mut complete {
        fields.insert("function".to_owned(), json!(function));
    }
    serde_json::from_value(complete).with_context(|| format!("the input does not fit {function}"))
}

/// The stage at which the host runs this export.
pub fn stage(invocation: &Invocation) -> Stage {
    match invocation {
        Invocation::Verify { .. } => Stage::Verify,
        Invocation::ListChoices { .. } => Stage::Pick,
        Invocation::Prepare { .. } => Stage::Prepare,
        Invocation::SyncContact { .. } => Stage::Sync,
        Invocation::UntagContact { .. } => Stage::Untag,
        Invocation::LookupContact { .. } => Stage::Lookup,
    }
}

/// The connection that the export is run on.
pub fn connection(invocation: &Invocation) -> &Connection {
    match invocation {
        Invocation::Verify { on }
        | Invocation::ListChoices { on, .. }
        | Invocation::Prepare { on, .. }
        | Invocation::LookupContact { on, .. } => on,
        Invocation::SyncContact { job } | Invocation::UntagContact { job } => &job.on,
    }
}

/// `{"ok": ..}`, `{"error": {..}}`, or for syncs and untags `{"known": .., "done" | "later" | "failed": ..}`.
///
/// # Errors
/// When the answer cannot be written as JSON.
pub fn shown(answer: &Answer) -> anyhow::Result<Value> {
    Ok(match answer {
        Answer::Account(result) => outcome(result)?,
        Answer::Page(result) => outcome(result)?,
        Answer::Prepared(result) => outcome(result)?,
        Answer::Seen(result) => outcome(result)?,
        Answer::Report(report) => {
            let mut fields = Map::new();
            fields.insert("known".to_owned(), serde_json::to_value(&report.known)?);
            if let Value::Object(ending) = serde_json::to_value(&report.ending)? {
                fields.extend(ending);
            }
            Value::Object(fields)
        }
    })
}

fn outcome<T: serde::Serialize, E: serde::Serialize>(result: &Result<T, E>) -> anyhow::Result<Value> {
    Ok(match result {
        Ok(value) => json!({ "ok": serde_json::to_value(value)? }),
        Err(error) => json!({ "error": serde_json::to_value(error)? }),
    })
}

/// `over` laid upon `base`: objects key by key, everything else replaced.
pub(crate) fn merged(base: Value, over: &Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let below = base.remove(key).unwrap_or(Value::Null);
                base.insert(key.clone(), merged(below, value));
            }
            Value::Object(base)
        }
        (base, Value::Null) => base,
        (_, over) => over.clone(),
    }
}
