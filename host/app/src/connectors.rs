//! `crm-host connector ...`: looks at connector files without serving anyone.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use crm_catalog::section;

use crate::cli::ConnectorCommand;
use crate::wire;

pub(crate) fn run(command: ConnectorCommand) -> Result<ExitCode> {
    match command {
        ConnectorCommand::Inspect { file, json, allow_wasi } => inspect(&file, json, allow_wasi),
    }
}

/// Proves the file as `serve` would, then shows its identity and every power it asks for.
#[expect(clippy::print_stdout, reason = "the description is this command's output")]
fn inspect(file: &std::path::Path, json: bool, allow_wasi: bool) -> Result<ExitCode> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let embedded = section::read(&bytes).with_context(|| format!("{} is no connector file", file.display()))?;
    let manifest = crm_catalog::parse(&embedded.manifest_text, &file.display().to_string())
        .map_err(|errors| anyhow::anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let scratch = std::env::temp_dir().join(format!("crm-host-inspect-{}", std::process::id()));
    let wasi = if allow_wasi { vec![manifest.connector.slug.clone()] } else { Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the async runtime cannot be started")?;
    let key = crm_store::MasterKey::generate()?;
    let engine = wire::engine(&scratch, &key, &wasi)?;
    let size = bytes.len();
    let digest = runtime.block_on(engine.load(bytes));
    if let Err(error) = std::fs::remove_dir_all(&scratch) {
        tracing::debug!(%error, "scratch folder left behind");
    }
    let digest = digest.with_context(|| format!("{} is refused", file.display()))?;
    if json {
        let value = serde_json::json!({ "digest": digest.0, "bytes": size, "wit": embedded.wit_version, "manifest": manifest });
        println!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(ExitCode::SUCCESS);
    }
    let id = &manifest.connector;
    println!("{} {} ({}): {}", id.name, id.version, id.slug, id.pitch);
    println!("digest     {}\nsize       {size} bytes\nWIT        {}", digest.0, embedded.wit_version);
    for endpoint in &manifest.endpoints {
        println!("endpoint   {}  {}", endpoint.name, endpoint.url);
    }
    for limit in &manifest.limits {
        println!("limit      {}  {:?} per {:?} s, at once {:?}", limit.name, limit.requests, limit.per_s, limit.concurrency);
    }
    for call in &manifest.calls {
        println!(
            "call       {:<14} {:<6} {}  {:?}  writes {}",
            call.name,
            call.method.as_str(),
            call.path,
            call.effect,
            call.writes.join(" ")
        );
    }
    Ok(ExitCode::SUCCESS)
}
