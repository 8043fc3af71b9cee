//! The operator's `crm-host connector ...`: connector files go to a running host or a registry, and what became of them is said. Everything
//! is asked of the host's API; none of these opens a data folder.

mod answers;
mod args;
mod client;
mod install;
mod parcel;
mod publish;
mod versions;
mod words;

use std::process::ExitCode;

use anyhow::Result;

pub(crate) use args::{HostArgs, OperateCommand};
pub(crate) use client::Host;

use crate::author::{runtime, say};

/// Something waits for a person.
const WAITING: u8 = 2;

pub(crate) fn run(command: OperateCommand) -> Result<ExitCode> {
    runtime()?.block_on(async {
        match command {
            OperateCommand::Install(args) => install::run(&args).await,
            OperateCommand::Publish(args) => publish::run(&args).await,
            OperateCommand::Versions { slug, host } => versions::list(&host, slug.as_deref()).await,
            OperateCommand::Approve { digest, host } => versions::change(&host, &digest, "approve").await,
            OperateCommand::Activate { digest, host } => versions::change(&host, &digest, "activate").await,
            OperateCommand::Rollback { slug, host } => versions::roll_back(&host, &slug).await,
            OperateCommand::Uninstall { slug, force, host } => versions::uninstall(&host, &slug, force).await,
        }
    })
}

/// The answer as it came, for scripts.
fn say_json(value: &serde_json::Value) -> Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}
