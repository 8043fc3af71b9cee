//! `crm-host connector ...`: the commands of those who write connectors. They look at files and try them; none of them serves merchants
//! or opens a data folder.

mod args;
mod attempt;
mod check;
mod credentials;
mod fixture;
mod inspect;
mod journal;
mod leaks;
mod new;
mod pack;
mod replay;
mod steps;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use crm_catalog::model::Manifest;
use crm_catalog::section::Embedded;
use crm_engine::Engine;

pub(crate) use args::ConnectorCommand;

use crate::{operate, wire};

pub(crate) fn run(command: ConnectorCommand) -> Result<ExitCode> {
    match command {
        ConnectorCommand::Inspect { file, json, allow_wasi } => inspect::run(&file, json, allow_wasi),
        ConnectorCommand::New { slug, name, sdk } => new::run(&slug, name.as_deref(), &sdk),
        ConnectorCommand::Pack { file, manifest, fixtures, output } => pack::run(&file, &manifest, fixtures.as_deref(), &output),
        ConnectorCommand::Check { file, fixtures, allow_wasi } => check::run(&file, fixtures.as_deref(), allow_wasi),
        ConnectorCommand::Try(args) => attempt::run(&args),
        ConnectorCommand::Replay(args) => replay::run(&args),
        ConnectorCommand::Fixture(args) => fixture::run(&args),
        ConnectorCommand::Spec => {
            say(crm_conformance::spec::TEXT.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        ConnectorCommand::Operate(command) => operate::run(command),
    }
}

/// A connector file as it was read.
pub(crate) struct File {
    shown: String,
    pub(crate) bytes: Vec<u8>,
    embedded: Embedded,
    pub(crate) manifest: Manifest,
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
        let embedded = crm_catalog::section::read(&bytes).with_context(|| format!("{shown} is no connector file"))?;
        let manifest = match crm_catalog::parse(&embedded.manifest_text, &format!("{shown} (connector.toml)")) {
            Ok(manifest) => manifest,
            Err(errors) => bail!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        };
        Ok(Self { shown, bytes, embedded, manifest })
    }

    /// An engine that compiles this file in a process apart, under limits: whoever wrote it need not be trusted.
    fn engine(&self, allow_wasi: bool) -> Result<Arc<Engine>> {
        wire::author_engine(allow_wasi.then(|| self.manifest.connector.slug.clone()))
    }
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("the async runtime cannot be started")
}

/// A line of output.
#[expect(clippy::print_stdout, reason = "what an author asked for is the command's output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// A line beside the output.
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}
