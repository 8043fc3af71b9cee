//! `connector try`: one function, for real, through the real egress. Loopback servers may stand in for endpoints here, in every build: what
//! opens them is no gateway, so no merchant's call can ever take that way.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use crm_catalog::model::Manifest;
use crm_conformance::{Suite, connection, invocation, record, shown, stage};
use crm_contract::ports::{Clock as _, Guests as _, Scope};
use crm_contract::types::Pair;
use crm_egress::{AuthorEgress, EgressConfig, Loopback};
use serde_json::{Value, json};

use super::args::TryArgs;
use super::credentials::{self, AuthorCredentials};
use super::leaks::Leaks;
use super::steps::{Steps, Watched};
use super::{File, note, runtime};
use crate::wire::SystemClock;

pub(super) fn run(args: &TryArgs) -> Result<ExitCode> {
    let file = File::read(&args.file)?;
    runtime()?.block_on(attempt(args, file))
}

async fn attempt(args: &TryArgs, file: File) -> Result<ExitCode> {
    let engine = file.engine(args.allow_wasi)?;
    let servers = servers(&file.manifest, &args.dev_endpoint)?;
    let mut input = input(args.input.as_deref())?;
    let mode = file.manifest.auth.first().map_or_else(String::new, |auth| auth.mode.clone());
    let mode = ["/on/mode", "/job/on/mode"].iter().find_map(|at| input.pointer(at)?.as_str().map(str::to_owned)).unwrap_or(mode);
    let given = credentials::read(&args.credentials, &file.manifest, &mode)?;
    settle(&mut input, &args.function, &file.manifest, &given.plain);
    let leaks = Leaks::default();
    let credentials = AuthorCredentials::new(given, args.token_file.as_deref(), leaks.clone())?;
    let invocation = invocation(&args.function, &input, &mode)?;
    let digest = engine.load(file.bytes).await.with_context(|| format!("{} is refused", file.shown))?;
    let manifest = engine.manifest(&digest).context("the engine forgot what it loaded")?;

    let scope = Scope {
        manifest: manifest.clone(),
        organization: "author".to_owned(),
        connection: "try".to_owned(),
        account: None,
        choice: input.pointer("/choice").and_then(Value::as_str).map(str::to_owned),
        on: connection(&invocation).clone(),
        stage: stage(&invocation),
        credentials: Arc::new(credentials),
        after_unknown: false,
    };
    let agent = concat!("crm-host/", env!("CARGO_PKG_VERSION"));
    let config = EgressConfig::system(agent, Arc::new(SystemClock)).context("egress cannot be configured")?;
    let egress = AuthorEgress::new(config, servers).context("egress cannot be started")?;
    let steps = Steps::new(leaks.clone());
    let outbound = Arc::new(Watched { egress: egress.open(scope, steps.clone()), steps: steps.clone() });
    let answer = match engine.call(&digest, invocation, outbound, steps.clone()).await {
        Ok(answer) => shown(&answer)?,
        Err(fault) => {
            steps.line(&json!({ "fault": fault.to_string() }));
            return Ok(ExitCode::FAILURE);
        }
    };
    steps.line(&json!({ "result": answer }));
    let failed = answer.get("error").is_some() || answer.get("failed").is_some();
    if let Some(dir) = &args.record {
        let taken = record::Taken { function: args.function.clone(), input, steps: steps.take(), answer };
        let suite = Suite::on(engine)?;
        let leaking = |text: &str| leaks.are_in(text);
        let fixture = record::fixture(&suite, &digest, &manifest, taken, args.scenario.as_deref(), &today(), &leaking)
            .await
            .context("not recorded")?;
        for remark in &fixture.remarks {
            note(&format!("remark: {remark}"));
        }
        let path = write(dir, &fixture.scenario, &fixture.text)?;
        note(&format!("recorded {}: read it before you keep it", path.display()));
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn input(path: Option<&Path>) -> Result<Value> {
    let Some(path) = path else { return Ok(json!({})) };
    let text = std::fs::read_to_string(path).with_context(|| format!("the input file {} cannot be read", path.display()))?;
    let input: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    if !input.is_object() {
        bail!("{}: the input must be a JSON object, as a fixture's `input`", path.display());
    }
    Ok(input)
}

/// Puts in what a connection has by itself: form fields that are not secret, and the settings' defaults.
fn settle(input: &mut Value, function: &str, manifest: &Manifest, plain: &[Pair]) {
    let defaults = manifest.settings.iter().filter_map(|setting| Some(Pair::new(&setting.name, setting.default.as_ref()?)));
    let own: Vec<Pair> = plain.iter().cloned().chain(defaults).collect();
    if own.is_empty() {
        return;
    }
    let place = if matches!(function, "sync-contact" | "untag-contact") { &mut input["job"]["on"] } else { &mut input["on"] };
    let mut all: Vec<Value> = place["settings"].as_array().cloned().unwrap_or_default();
    for pair in own {
        if !all.iter().any(|known| known["key"] == pair.key.as_str()) {
            all.push(json!({ "key": pair.key, "value": pair.value }));
        }
    }
    place["settings"] = Value::Array(all);
}

fn servers(manifest: &Manifest, words: &[String]) -> Result<Loopback> {
    let mut servers = Loopback::new();
    for word in words {
        let (name, url) = word.split_once('=').with_context(|| format!("--dev-endpoint {word}: NAME=URL is meant"))?;
        let (endpoint, choice) = name.split_once('@').map_or((name, None), |(endpoint, choice)| (endpoint, Some(choice)));
        let Some(declared) = manifest.endpoint(endpoint) else {
            let names: Vec<&str> = manifest.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
            bail!("--dev-endpoint {word}: the manifest has no endpoint {endpoint:?}; it has {}", names.join(", "));
        };
        if let Some(choice) = choice
            && !declared.choices.contains_key(choice)
        {
            bail!("--dev-endpoint {word}: the endpoint {endpoint:?} has no choice {choice:?}");
        }
        servers = servers.with(&manifest.connector.slug, name, url).with_context(|| format!("--dev-endpoint {word}"))?;
    }
    Ok(servers)
}

fn today() -> String {
    day(SystemClock.now_ms())
}

pub(super) fn day(ms: u64) -> String {
    let at = i64::try_from(ms).unwrap_or_default();
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| "1970-01-01".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// Writes under a name that is free: `sync-new.recorded.json`, then `sync-new.recorded-2.json`. What an author has edited is never lost.
pub(super) fn write(dir: &Path, scenario: &str, text: &str) -> Result<PathBuf> {
    use std::io::Write as _;
    std::fs::create_dir_all(dir).with_context(|| format!("the folder {} cannot be made", dir.display()))?;
    for number in 1..1_000 {
        let count = if number == 1 { String::new() } else { format!("-{number}") };
        let path = dir.join(format!("{scenario}.recorded{count}.json"));
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be written", path.display())),
        }
    }
    bail!("{} holds too many recordings of {scenario}", dir.display())
}
