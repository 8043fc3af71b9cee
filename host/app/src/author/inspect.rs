//! `connector inspect`: proves a file as `serve` would, then shows its identity and every power that it asks for.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use crm_catalog::model::{Call, Credential, Limit, Manifest, Owner};
use serde_json::{Value, json};

use super::{File, runtime, say};

pub(super) fn run(path: &Path, as_json: bool, allow_wasi: bool) -> Result<ExitCode> {
    let file = File::read(path)?;
    let size = file.bytes.len();
    let outline = crm_pack::outline(&file.bytes).with_context(|| format!("{} is refused", file.shown))?;
    let imports: Vec<String> = outline.contract.iter().chain(&outline.wasi).cloned().collect();
    let fixtures = crm_catalog::section::read_fixtures(&file.bytes).with_context(|| format!("{} is refused", file.shown))?;
    let fixtures = fixtures.unwrap_or_default().len();
    let engine = file.engine(allow_wasi)?;
    let digest = runtime()?.block_on(engine.load(file.bytes)).with_context(|| format!("{} is refused", file.shown))?;
    let manifest = &file.manifest;
    if as_json {
        let mut value = described(manifest, &digest.0, size, &file.embedded.wit_version, &imports);
        value["fixtures"] = json!(fixtures);
        say(&serde_json::to_string_pretty(&value)?);
        return Ok(ExitCode::SUCCESS);
    }
    let id = &manifest.connector;
    say(&format!("{} {} ({}): {}", id.name, id.version, id.slug, id.pitch));
    say(&format!("digest      {}\nsize        {size} bytes\nWIT         {}", digest.0, file.embedded.wit_version));
    say(&format!("imports     {}", imports.join(", ")));
    say(&match fixtures {
        0 => "fixtures    none: a host that takes it can prove no more than its form".to_owned(),
        packed => format!("fixtures    {packed}, which it must pass wherever it is taken"),
    });
    for credential in &manifest.credentials {
        say(&format!("credential  {}", credential_line(credential)));
    }
    for auth in &manifest.auth {
        say(&format!("auth        {}  {}", auth.name, auth_kind(auth)));
    }
    for endpoint in &manifest.endpoints {
        let mut line = format!("endpoint    {}  {}", endpoint.name, endpoint.url);
        if !endpoint.choices.is_empty() {
            line.push_str(&format!("  choices {}", endpoint.choices.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")));
        }
        if !endpoint.allow.is_empty() {
            line.push_str(&format!("  allows {}", endpoint.allow.join(" ")));
        }
        if endpoint.public_host {
            line.push_str("  any public host");
        }
        say(&line);
    }
    for limit in &manifest.limits {
        say(&format!("limit       {}", limit_line(limit)));
    }
    for call in &manifest.calls {
        say(&format!("call        {}", call_line(call)));
    }
    Ok(ExitCode::SUCCESS)
}

fn described(manifest: &Manifest, digest: &str, size: usize, wit: &str, imports: &[String]) -> Value {
    let id = &manifest.connector;
    json!({
        "slug": id.slug, "name": id.name, "version": id.version, "digest": digest, "bytes": size, "wit": wit, "imports": imports,
        "endpoints": manifest.endpoints.iter().map(|e| json!({
            "name": e.name, "url": e.url, "choices": e.choices, "allow": e.allow, "public_host": e.public_host,
        })).collect::<Vec<_>>(),
        "calls": manifest.calls.iter().map(|c| json!({
            "name": c.name, "method": c.method.as_str(), "path": c.path, "endpoint": c.endpoint, "stages": c.stages, "effect": c.effect,
            "writes": c.writes, "fixed": c.fixed, "guard": c.guard, "new_only": c.new_only, "doc": c.doc,
        })).collect::<Vec<_>>(),
        "writes": written(manifest),
        "limits": manifest.limits,
        "credentials": manifest.credentials.iter().map(|c| json!({
            "name": c.name, "label": c.label, "secret": c.secret, "owner": c.owner, "optional": c.optional, "modes": c.modes,
        })).collect::<Vec<_>>(),
        "manifest": manifest,
    })
}

/// Every field that any call may write, with the call.
fn written(manifest: &Manifest) -> Vec<String> {
    manifest.calls.iter().flat_map(|call| call.writes.iter().map(move |field| format!("{} {field}", call.name))).collect()
}

fn credential_line(credential: &Credential) -> String {
    let mut words = vec![if credential.secret { "secret" } else { "not secret" }];
    words.push(match credential.owner {
        Owner::Merchant => "typed by the merchant",
        Owner::Operator => "typed by the operator",
        Owner::Either => "typed by the merchant or the operator",
    });
    if credential.optional {
        words.push("optional");
    }
    format!("{}  {}: {}", credential.name, credential.label, words.join(", "))
}

/// The word of `type` in the manifest.
fn auth_kind(auth: &crm_catalog::model::Auth) -> String {
    let kind = serde_json::to_value(auth).ok().and_then(|value| value.get("type").and_then(Value::as_str).map(str::to_owned));
    let kind = kind.unwrap_or_default();
    if auth.mode.is_empty() { kind } else { format!("{kind} (mode {})", auth.mode) }
}

fn limit_line(limit: &Limit) -> String {
    let mut parts = vec![format!("{}  {}", limit.name, word(&limit.scope))];
    if let Some(requests) = limit.requests {
        let window = limit.per_s.map_or_else(String::new, |seconds| format!(" in {seconds} s"));
        parts.push(format!("{requests} {}{window}", word(&limit.counts)));
    }
    if let Some(at_once) = limit.concurrency {
        parts.push(format!("{at_once} at once"));
    }
    parts.join(", ")
}

fn call_line(call: &Call) -> String {
    let mut line = format!("{:<14} {:<6} {}  {}", call.name, call.method.as_str(), call.path, word(&call.effect));
    if !call.writes.is_empty() {
        line.push_str(&format!("  writes {}", call.writes.join(" ")));
    }
    if !call.fixed.is_empty() {
        line.push_str(&format!("  fixed {}", call.fixed.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")));
    }
    if let Some(guard) = &call.guard {
        line.push_str(&format!("  guard {guard}"));
    }
    if !call.new_only.is_empty() {
        line.push_str(&format!("  new only {}", call.new_only.join(" ")));
    }
    line
}

/// A choice as the manifest spells it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
