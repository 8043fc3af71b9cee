//! Arguments of `crm-host connector ...`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use crm_conformance::FUNCTIONS;

use crate::operate::OperateCommand;

#[derive(Subcommand)]
pub(crate) enum ConnectorCommand {
    /// Prove a connector file and show what it is and what it may do.
    Inspect {
        file: PathBuf,
        #[arg(long)]
        json: bool,
        /// Allow it to import WASI.
        #[arg(long)]
        allow_wasi: bool,
    },
    /// Begin a connector in a new folder: a crate that builds, packs and passes as it stands.
    New {
        /// Names folder, file and API path for ever: lower-case letters and digits in words joined by `-`.
        slug: String,
        /// The vendor's name as merchants know it; the slug's words if left out.
        #[arg(long)]
        name: Option<String>,
        /// Where cargo finds the crate `crm-connector-sdk`: a git address, or a folder.
        #[arg(long)]
        sdk: String,
    },
    /// Make a connector file of a compiled module or component and its manifest.
    Pack {
        /// Core module (`wasm32-unknown-unknown`) or component.
        file: PathBuf,
        #[arg(long, default_value = "connector.toml")]
        manifest: PathBuf,
        /// Folder of the fixtures that the file proves itself with. Nothing: `fixtures` beside the manifest, if it is there.
        #[arg(long)]
        fixtures: Option<PathBuf>,
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Check a connector file: size, imports, manifest, and every scenario of its fixtures, offline, in the real engine.
    Check {
        file: PathBuf,
        /// Folder of the scenarios, one JSON file each. Nothing: those that the file packs.
        #[arg(long)]
        fixtures: Option<PathBuf>,
        /// Allow it to import WASI.
        #[arg(long)]
        allow_wasi: bool,
    },
    /// Run one function for real, through the real egress, and print each call that it makes.
    Try(Box<TryArgs>),
    /// Print the rules and the reference of connector.toml (SPEC.md).
    Spec,
    #[command(flatten)]
    Operate(OperateCommand),
}

#[derive(Args)]
pub(crate) struct TryArgs {
    pub(crate) file: PathBuf,
    /// Export of the contract.
    #[arg(long, value_parser = PossibleValuesParser::new(FUNCTIONS))]
    pub(crate) function: String,
    /// JSON object of credential slots and their values, the operator's slots included.
    #[arg(long)]
    pub(crate) credentials: PathBuf,
    /// The function's arguments, as a fixture's `input`. Nothing: neutral ones.
    #[arg(long)]
    pub(crate) input: Option<PathBuf>,
    /// Sends an endpoint's calls to a server on this machine: `ENDPOINT=http://127.0.0.1:PORT/path`, `ENDPOINT@CHOICE=...`.
    #[arg(long, value_name = "NAME=URL")]
    pub(crate) dev_endpoint: Vec<String>,
    /// Where OAuth tokens are kept between runs. Nothing: in memory, for this run.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
    /// Write the run as a fixture into this folder, with invented identities.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// The recorded fixture's scenario. Nothing: the one that fits the result.
    #[arg(long, requires = "record")]
    pub(crate) scenario: Option<String>,
    /// Allow it to import WASI.
    #[arg(long)]
    pub(crate) allow_wasi: bool,
}
