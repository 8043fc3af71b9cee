//! `crm-host admin ...`: what the operator does on a data folder while no host runs on it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use crm_store::Store;
use crm_store::sled_store::SledStore;
use crm_sync::context::Context;
use crm_sync::domain::KeyScope;
use crm_sync::services::keys;

use crate::cli::{AdminCommand, DataArgs};
use crate::wire::{self, Nobody, SystemClock};

pub(crate) fn run(command: AdminCommand) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    runtime.block_on(async {
        match command {
            AdminCommand::CreateOrganization { data, name } => create_organization(&data, &name).await,
            AdminCommand::CreateKey { data, organization, name, scope } => create_key(&data, &organization, &name, &scope).await,
            AdminCommand::Export { data, to } => export(&data, &to).await,
            AdminCommand::Import { data, from } => import(&data, &from),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn create_organization(data: &DataArgs, name: &str) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    let context = context(store.clone());
    let organization = keys::create_organization(&context, name).await?;
    let created = keys::create_key(&context, &organization.id, "first key", KeyScope::ReadWrite).await?;
    say(&serde_json::json!({ "organization": organization.id, "key": created.secret }))?;
    store.close().await.context("the store did not close cleanly")
}

async fn create_key(data: &DataArgs, organization: &str, name: &str, scope: &str) -> Result<()> {
    let scope = match scope {
        "read" => KeyScope::Read,
        "read_write" => KeyScope::ReadWrite,
        other => anyhow::bail!("unknown scope {other}: use read or read_write"),
    };
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    let created = keys::create_key(&context(store.clone()), organization, name, scope).await?;
    say(&serde_json::json!({ "organization": organization, "id": created.record.id, "key": created.secret }))?;
    store.close().await.context("the store did not close cleanly")
}

async fn export(data: &DataArgs, to: &str) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    let mut out: Box<dyn Write> = match to {
        "-" => Box::new(BufWriter::new(io::stdout().lock())),
        path => {
            Box::new(BufWriter::new(File::create_new(path).with_context(|| format!("{path} cannot be created (it must not exist yet)"))?))
        }
    };
    let rows = store.export(&mut out)?;
    out.flush().context("the export could not be written")?;
    drop(out);
    eprintln!("{rows} rows exported; credentials in it stay sealed with this host's master key");
    let store: Arc<dyn Store> = store;
    store.close().await.context("the store did not close cleanly")
}

fn import(data: &DataArgs, from: &str) -> Result<()> {
    let mut input: Box<dyn Read> = match from {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(File::open(path).with_context(|| format!("{path} cannot be read"))?),
    };
    let rows = crm_store::admin::import(&wire::store_dir(&data.data), &mut BufReader::new(&mut input))?;
    eprintln!("{rows} rows imported");
    Ok(())
}

/// What the services need, with no connector loaded and no way out: administration runs neither.
fn context(store: Arc<SledStore>) -> Context {
    Context { store, guests: Arc::new(Nobody), gateway: Arc::new(Nobody), clock: Arc::new(SystemClock), config: Arc::default() }
}

#[expect(clippy::print_stdout, reason = "the result of the command is its output")]
fn say(value: &serde_json::Value) -> Result<()> {
    println!("{value}");
    io::stdout().flush().context("standard output is closed")
}
