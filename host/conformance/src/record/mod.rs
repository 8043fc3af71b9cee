//! Makes a fixture of a real run. The vendor's answers and the input get invented identities; then the connector runs once more on them,
//! offline, and what it asks for and ends with is what the fixture says. So a recorded fixture holds no request that a real person's
//! data shaped, and it passes the suite by construction. Must not reach a network, and must not write a file.

mod identities;
mod keys;
mod retrace;
mod stand_ins;
mod text;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, StepOutcome, StepRecord};
use crm_contract::types::Unanswered;
use serde_json::{Map, Value, json};

use crate::fixture::GivenResponse;
use crate::suite::Suite;
use identities::Identities;

/// A run as it was.
pub struct Taken {
    pub function: String,
    /// As a fixture's `input`.
    pub input: Value,
    pub steps: Vec<StepRecord>,
    /// As [`crate::shown`] writes it.
    pub answer: Value,
}

/// A fixture, and what its author should look at.
pub struct Recorded {
    pub scenario: String,
    pub text: String,
    pub remarks: Vec<String>,
}

/// One exchange to answer the retraced run with.
#[derive(Clone)]
pub(crate) struct Heard {
    pub call: String,
    pub answer: std::result::Result<GivenResponse, Unanswered>,
}

/// The fixture of this run. `scenario` and `date` go into it; without a scenario the one that fits the answer is taken. `leaks` tells
/// whether a text holds a secret in any spelling.
///
/// # Errors
/// When nothing can be recorded: a call was refused, an answer is no text, the connector goes another way with invented identities, or a
/// secret or an address of a real person would be written.
pub async fn fixture(
    suite: &Suite,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    taken: Taken,
    scenario: Option<&str>,
    date: &str,
    leaks: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Recorded> {
    let heard = taken.steps.iter().map(heard).collect::<Result<Vec<_>>>()?;
    let mut identities = Identities::default();
    identities.learn(&taken, &heard, manifest);
    let input = identities.input(&taken.input);
    let heard: Vec<Heard> = heard.into_iter().map(|one| identities.heard(one, &taken.function)).collect();
    let retraced = retrace::run(suite, digest, manifest, &taken.function, &input, &heard).await?;
    let (was, is) = (ending(&taken.answer), ending(&retraced.answer));
    if was != is {
        bail!("with invented identities the run ends in `{is}` instead of `{was}`: write this fixture by hand");
    }
    let scenario = scenario.unwrap_or_else(|| fitting(&taken.function, &taken.answer)).to_owned();
    let exchanges: Vec<Value> = retraced.requests.iter().zip(&heard).map(|(request, one)| exchange(request, one)).collect();
    let whole = json!({
        "scenario": scenario,
        "function": taken.function,
        "input": input,
        "exchanges": exchanges,
        "expect": retraced.answer,
        "provenance": { "kind": "recorded", "date": date },
    });
    let text = text::written(&whole);
    if leaks(&text) {
        bail!(
            "the fixture would hold a secret, so nothing is written. Look for what repeats it: a setting, a picked value, or the input itself"
        );
    }
    if let Some(address) = identities.left_over(&text) {
        bail!("the fixture would hold the address {address:?}, so nothing is written");
    }
    Ok(Recorded { scenario, text, remarks: identities.remarks })
}

/// The step's answer as text.
fn heard(step: &StepRecord) -> Result<Heard> {
    let call = step.key.call.clone();
    let answer = match &step.outcome {
        StepOutcome::Unanswered(Unanswered::Refused(why)) => {
            bail!("egress refused the call {call:?}, so there is nothing to record: {why}")
        }
        StepOutcome::Unanswered(why) => Err(why.clone()),
        StepOutcome::Answered(response) => {
            let body = std::str::from_utf8(&response.body).with_context(|| format!("the answer to {call:?} is no text"))?;
            // Only an object or a list is shown as JSON: a fixture's plain text stands for itself.
            let body = match serde_json::from_str::<Value>(body) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
                _ if body.is_empty() => Value::Null,
                _ => Value::String(body.to_owned()),
            };
            let headers = response.headers.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
            Ok(GivenResponse { status: response.status, headers, body })
        }
    };
    Ok(Heard { call, answer })
}

fn exchange(request: &Value, heard: &Heard) -> Value {
    match &heard.answer {
        Ok(given) => {
            let mut response = Map::from_iter([("status".to_owned(), json!(given.status))]);
            if !given.headers.is_empty() {
                response.insert("headers".to_owned(), pairs(&given.headers));
            }
            response.insert("body".to_owned(), given.body.clone());
            json!({ "request": request, "response": response })
        }
        Err(why) => json!({ "request": request, "unanswered": why }),
    }
}

/// An object where no name comes twice, which reads better; else a list of pairs.
pub(crate) fn pairs(list: &[(String, String)]) -> Value {
    let object: Map<String, Value> = list.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if object.len() == list.len() { Value::Object(object) } else { json!(list) }
}

/// How an answer ended, in a word or two.
fn ending(answer: &Value) -> String {
    let error = |value: &Value| value.as_object().and_then(|error| error.keys().next()).cloned().unwrap_or_else(|| value.to_string());
    if let Some(failed) = answer.get("error").or_else(|| answer.get("failed")) {
        return format!("failed with {}", error(failed));
    }
    match answer.pointer("/done/change").and_then(Value::as_str) {
        Some(change) => format!("done, {change}"),
        None if answer.get("later").is_some() => "later".to_owned(),
        None => "ok".to_owned(),
    }
}

/// The scenario that this run is an example of.
fn fitting(function: &str, answer: &Value) -> &'static str {
    let failed = answer.get("failed").or_else(|| answer.get("error"));
    let is = |kind: &str| failed.is_some_and(|error| error.get(kind).is_some());
    match function {
        "verify" if failed.is_some() => "verify-bad-credentials",
        "verify" => "verify-ok",
        "list-choices" => "choices-two-pages",
        "prepare" if answer.pointer("/ok/to_create").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) => "prepare-creates",
        "prepare" => "prepare-nothing-missing",
        "untag-contact" => "untag",
        "lookup-contact" if answer.get("ok").is_some_and(Value::is_null) => "lookup-absent",
        "lookup-contact" => "lookup-found",
        _ if is("rate-limited") => "rate-limited",
        _ if is("rejected") => "rejected-e-mail",
        _ if is("destination-missing") => "destination-missing",
        _ if failed.is_some() => "server-error",
        _ if answer.get("later").is_some() => "sync-later",
        _ => match (answer.pointer("/done/standing").and_then(Value::as_str), answer.pointer("/done/change").and_then(Value::as_str)) {
            (Some("kept-opted-out" | "skipped-opted-out"), _) => "sync-opted-out",
            (_, Some("created")) => "sync-new",
            _ => "sync-existing",
        },
    }
}
