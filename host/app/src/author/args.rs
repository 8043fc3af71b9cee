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
    /// Run recorded syncs again on a connector file, offline, and show what it would send differently. Ends with 1 if anything is.
    Replay(ReplayArgs),
    /// Make a fixture of one recorded sync, with invented identities.
    Fixture(FixtureArgs),
    /// Print the rules and the reference of connector.toml (SPEC.md).
    Spec,
    #[command(flatten)]
    Operate(OperateCommand),
}

/// Where recorded runs come from: a file, or a running host.
#[derive(Args)]
pub(crate) struct JournalArgs {
    /// File of recorded runs, one JSON line each, as a host hands them out. `-` = standard input.
    #[arg(long, conflicts_with = "url")]
    pub(crate) journal: Option<PathBuf>,
    /// Ask this host for them; `http://` on this machine only.
    #[arg(long = "host", id = "url", value_name = "URL")]
    pub(crate) host: Option<String>,
    /// Key of the operator (`rk_op_...`) for the host. Better in the environment.
    #[arg(long, env = "CRM_HOST_OPERATOR_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

#[derive(Args)]
pub(crate) struct ReplayArgs {
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) from: JournalArgs,
    /// Syncs that are asked of a host, the newest first.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) most: u32,
    /// One JSON line a sync, with every difference, and one for all.
    #[arg(long)]
    pub(crate) json: bool,
    /// Allow it to import WASI.
    #[arg(long)]
    pub(crate) allow_wasi: bool,
}

#[derive(Args)]
pub(crate) struct FixtureArgs {
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) from: JournalArgs,
    /// The organization whose sync it is; needed to ask a host.
    #[arg(long, value_name = "ID")]
    pub(crate) organization: Option<String>,
    /// Which sync; its last recorded attempt is taken.
    #[arg(long, value_name = "ID")]
    pub(crate) sync: String,
    /// The fixture's scenario. Nothing: the one that fits how the sync ends.
    #[arg(long)]
    pub(crate) scenario: Option<String>,
    /// Folder that it is written into.
    #[arg(long, value_name = "DIR", default_value = "fixtures")]
    pub(crate) output: PathBuf,
    /// Allow it to import WASI.
    #[arg(long)]
    pub(crate) allow_wasi: bool,
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
