//! `crm-host admin ...`: what the operator does on a data folder while no host runs on it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use crm_store::Store;
use crm_store::sled_store::SledStore;
use crm_sync::context::Context;
use crm_sync::domain::{Actor, ActorKind, KeyScope};
use crm_sync::services::{keys, operators, organizations};

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
            AdminCommand::CreateOrganization { data, name, test } => create_organization(&data, &name, test).await,
            AdminCommand::ListOrganizations { data } => list_organizations(&data).await,
            AdminCommand::RevokeKey { data, organization, id } => revoke_key(&data, &organization, &id).await,
            AdminCommand::CreateOperatorKey { data, name } => create_operator_key(&data, &name).await,
            AdminCommand::ListOperatorKeys { data } => list_operator_keys(&data).await,
            AdminCommand::RevokeOperatorKey { data, id } => revoke_operator_key(&data, &id).await,
            AdminCommand::CreateKey { data, organization, name, scope } => create_key(&data, &organization, &name, &scope).await,
            AdminCommand::Export { data, to } => export(&data, &to).await,
            AdminCommand::Import { data, from } => import(&data, &from),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn create_organization(data: &DataArgs, name: &str, test: bool) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    let context = context(store.clone());
    let organization = organizations::create(&context, name, test).await?;
    let created = keys::create_key(&context, &organization.id, "first key", KeyScope::ReadWrite).await?;
    say(&serde_json::json!({ "organization": organization.id, "key": created.secret }))?;
    store.close().await.context("the store did not close cleanly")
}

async fn list_organizations(data: &DataArgs) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    let context = context(store.clone());
    let mut after: Option<String> = None;
    loop {
        let page = organizations::list(&context, after.as_deref(), 500).await?;
        for organization in page.items {
            let keys = keys::list_keys(&context, &organization.id).await?;
            let keys: Vec<_> =
                keys.iter().map(|k| serde_json::json!({ "id": k.id, "name": k.name, "revoked": k.revoked.is_some() })).collect();
            say(
                &serde_json::json!({ "organization": organization.id, "name": organization.name, "test": organization.test, "keys": keys }),
            )?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    store.close().await.context("the store did not close cleanly")
}

async fn revoke_key(data: &DataArgs, organization: &str, id: &str) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    let key = keys::revoke(&context(store.clone()), organization, id).await?;
    say(&serde_json::json!({ "revoked": key.id }))?;
    store.close().await.context("the store did not close cleanly")
}

async fn create_operator_key(data: &DataArgs, name: &str) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    let (key, secret) = operators::create(&context(store.clone()), name).await?;
    say(&serde_json::json!({ "id": key.id, "key": secret }))?;
    store.close().await.context("the store did not close cleanly")
}

async fn list_operator_keys(data: &DataArgs) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    for key in operators::list(&context(store.clone())).await? {
        say(&serde_json::json!({ "id": key.id, "name": key.name, "last4": key.last4, "revoked": key.revoked.is_some() }))?;
    }
    store.close().await.context("the store did not close cleanly")
}

async fn revoke_operator_key(data: &DataArgs, id: &str) -> Result<()> {
    let store = wire::open_store(data, &wire::master_key(data)?)?;
    operators::revoke(&context(store.clone()), id).await?;
    say(&serde_json::json!({ "revoked": id }))?;
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
    let context =
        Context::new(store, Arc::new(Nobody), Arc::new(Nobody), Arc::new(SystemClock), Arc::<crm_sync::context::Config>::default());
    // Whoever has the data folder and its key is the operator: there is no key to name.
    context.by(Actor { kind: ActorKind::Operator, id: String::new(), ip: None, request: None })
}

#[expect(clippy::print_stdout, reason = "the result of the command is its output")]
fn say(value: &serde_json::Value) -> Result<()> {
    println!("{value}");
    io::stdout().flush().context("standard output is closed")
}
