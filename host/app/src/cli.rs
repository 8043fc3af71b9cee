//! The command line. Every option can also be given in the environment as `CRM_HOST_...`, as its help says.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use crm_sync::services::releases::SignaturePolicy;

use crate::author::ConnectorCommand;

/// Host for CRM connectors: each approved affiliate lands in the merchant's CRM or e-mail tool, durably and once.
#[derive(Parser)]
#[command(name = "crm-host", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the API and the pages, and run sync jobs.
    Serve(Box<ServeArgs>),
    /// Work on a data folder while no host runs on it.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Pack, look at, check and try connector files; install them on a running host.
    #[command(subcommand)]
    Connector(ConnectorCommand),
    /// Internal: compiles one component from standard input under hard limits.
    #[command(hide = true)]
    CompileWorker,
}

#[derive(Args)]
pub(crate) struct DataArgs {
    /// Folder of the durable state.
    #[arg(long, env = "CRM_HOST_DATA", default_value = "data")]
    pub(crate) data: PathBuf,
    /// Master key, 32 bytes as base64. Without it the key file in the data folder is used, made with mode 0600 if missing.
    #[arg(long, env = "CRM_HOST_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Address of the API and the pages; port 0 lets the system choose.
    #[arg(long, env = "CRM_HOST_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Folder of connector files (`*.wasm`, with a signature `*.wasm.minisig` beside it where there is one): what is in it at the start
    /// is installed, and what comes later too.
    #[arg(long, env = "CRM_HOST_CONNECTORS", default_value = "connectors")]
    pub(crate) connectors: PathBuf,
    /// Seconds between two looks at the connectors folder; 0 = only at the start.
    #[arg(long, env = "CRM_HOST_WATCH", default_value_t = 2)]
    pub(crate) watch: u64,
    /// A minisign public key whose signatures on connector files are trusted: `NAME=RW...`. Once for each key.
    #[arg(long, env = "CRM_HOST_TRUSTED_KEYS", value_delimiter = ',', value_name = "NAME=KEY")]
    pub(crate) trusted_key: Vec<TrustedKey>,
    /// Syncs of a connector, the ones done last, that a new version is run on before it may become active: nothing is sent, and a
    /// version that would have sent something else waits for approval. 0 = none.
    #[arg(long, env = "CRM_HOST_REPLAY_GATE", default_value_t = 200)]
    pub(crate) replay_gate: u32,
    /// Which connector files must be signed by a trusted key.
    #[arg(long, env = "CRM_HOST_REQUIRE_SIGNATURES", value_enum, default_value_t = RequireSignatures::Remote)]
    pub(crate) require_signatures: RequireSignatures,
    /// Seconds to wait before attempt 2, 3, ...; the job fails when the list ends.
    #[arg(long, env = "CRM_HOST_RETRY_SCHEDULE", value_delimiter = ',')]
    pub(crate) retry_schedule: Vec<u32>,
    /// Attempts that may run at once.
    #[arg(long, env = "CRM_HOST_WORKERS", default_value_t = 64)]
    pub(crate) workers: u32,
    /// Connectors (by slug) that may import WASI, linked to an inert context.
    #[arg(long, env = "CRM_HOST_ALLOW_WASI", value_delimiter = ',')]
    pub(crate) allow_wasi: Vec<String>,
    /// Days that finished jobs with their journals are kept.
    #[arg(long, env = "CRM_HOST_KEEP_DAYS", default_value_t = 30)]
    pub(crate) keep_days: u32,
    /// Days that lines of the audit log are kept.
    #[arg(long, env = "CRM_HOST_KEEP_AUDIT_DAYS", default_value_t = 400)]
    pub(crate) keep_audit_days: u32,
    /// Bytes that a file to import may have.
    #[arg(long, env = "CRM_HOST_IMPORT_BYTES", default_value_t = 2 * 1024 * 1024 * 1024)]
    pub(crate) import_bytes: usize,
    /// Contact named in the User-Agent of outgoing calls, as vendors ask for.
    #[arg(long, env = "CRM_HOST_USER_AGENT", default_value = concat!("crm-host/", env!("CARGO_PKG_VERSION")))]
    pub(crate) user_agent: String,
    /// Requests that one API key may make in a minute; 0 = as many as it likes.
    #[arg(long, env = "CRM_HOST_API_RATE", default_value_t = 6_000)]
    pub(crate) api_rate: u32,
    /// Proxies in front of this host that append to X-Forwarded-For. With 0 the client is who connects, and the header means nothing.
    #[arg(long, env = "CRM_HOST_TRUSTED_PROXIES", default_value_t = 0)]
    pub(crate) trusted_proxies: u8,
    /// Seconds that attempts in flight get to end after SIGTERM.
    #[arg(long, env = "CRM_HOST_DRAIN", default_value_t = 25)]
    pub(crate) drain: u64,
    /// Where browsers reach this host, such as `https://crm.example.com`: vendors send merchants back there after they consented. A host
    /// that listens on loopback only takes its own address.
    #[arg(long, env = "CRM_HOST_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// TOML file with the credentials that connectors take from the operator: `[connector-slug]` and below it `slot = "value"`. In the
    /// environment: CRM_HOST_OPERATOR_<SLUG>_<SLOT>, in capitals, with `_` for `-`; it wins over the file.
    #[arg(long, env = "CRM_HOST_OPERATOR_CREDENTIALS")]
    pub(crate) operator_credentials: Option<PathBuf>,
    /// Mark the console's cookie `Secure`: set it wherever TLS ends in front of this host.
    #[arg(long, env = "CRM_HOST_SECURE_COOKIES")]
    pub(crate) secure_cookies: bool,
    /// Sends an endpoint's calls to a loopback server: `SLUG.ENDPOINT=http://127.0.0.1:PORT/path`. `webhooks=http://127.0.0.1` lets
    /// merchants' webhooks go to this machine, at any port. Development builds only.
    #[cfg(feature = "dev-endpoints")]
    #[arg(long)]
    pub(crate) dev_endpoint: Vec<String>,
}

/// A key by the name that the operator gives it.
#[derive(Clone)]
pub(crate) struct TrustedKey {
    pub(crate) name: String,
    pub(crate) key: String,
}

impl FromStr for TrustedKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, key) = text.split_once('=').ok_or("must be NAME=KEY, such as `release=RWQ...`")?;
        if name.is_empty() || key.is_empty() {
            return Err("must be NAME=KEY, such as `release=RWQ...`");
        }
        Ok(Self { name: name.to_owned(), key: key.to_owned() })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequireSignatures {
    /// All but those in the host's own folder.
    Remote,
    /// Those in the folder too.
    All,
    /// None.
    None,
}

impl From<RequireSignatures> for SignaturePolicy {
    fn from(required: RequireSignatures) -> Self {
        match required {
            RequireSignatures::Remote => Self::Remote,
            RequireSignatures::All => Self::All,
            RequireSignatures::None => Self::None,
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Create an organization and its first API key. The key is shown once.
    CreateOrganization {
        #[command(flatten)]
        data: DataArgs,
        #[arg(long)]
        name: String,
        /// For tests: its keys begin with `rk_test_`.
        #[arg(long)]
        test: bool,
    },
    /// Show every organization with its keys (never the keys themselves).
    ListOrganizations {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Revoke an API key, at once and for good.
    RevokeKey {
        #[command(flatten)]
        data: DataArgs,
        #[arg(long)]
        organization: String,
        /// The key's id.
        #[arg(long)]
        id: String,
    },
    /// Create a key of the operator, for `/v1/admin`. It is shown once.
    CreateOperatorKey {
        #[command(flatten)]
        data: DataArgs,
        #[arg(long, default_value = "operator")]
        name: String,
    },
    /// List the operator's keys, revoked ones included.
    ListOperatorKeys {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Revoke a key of the operator.
    RevokeOperatorKey {
        #[command(flatten)]
        data: DataArgs,
        /// The key's id.
        #[arg(long)]
        id: String,
    },
    /// Create another API key for an organization. The key is shown once.
    CreateKey {
        #[command(flatten)]
        data: DataArgs,
        #[arg(long)]
        organization: String,
        #[arg(long, default_value = "another key")]
        name: String,
        /// `read` or `read_write`.
        #[arg(long, default_value = "read_write")]
        scope: String,
    },
    /// Write everything to a file: the backup, and the way to another store. Credentials stay sealed.
    Export {
        #[command(flatten)]
        data: DataArgs,
        /// `-` = standard output.
        #[arg(long, default_value = "-")]
        to: String,
    },
    /// Read an export into an empty data folder. The same master key is needed to use its credentials.
    Import {
        #[command(flatten)]
        data: DataArgs,
        /// `-` = standard input.
        #[arg(long, default_value = "-")]
        from: String,
    },
}
