//! Arguments of the operator's `crm-host connector ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum OperateCommand {
    /// Send a connector file to a running host. Ends with 0: in force or ready; 1: refused; 2: waiting for approval.
    Install(Box<InstallArgs>),
    /// Put a connector file and its signature into a registry, and print under which digest it lies there.
    Publish(Box<PublishArgs>),
    /// Show the versions of all connectors on a running host, or of one.
    Versions {
        slug: Option<String>,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Let a version in that may do more than the one before it.
    Approve {
        /// The version's digest, or enough of its beginning.
        digest: String,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Make a version the one that new work runs.
    Activate {
        /// The version's digest, or enough of its beginning.
        digest: String,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Go back to the version that was active before.
    Rollback {
        slug: String,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Take a connector off a running host, with all its versions.
    Uninstall {
        slug: String,
        /// Although connections use it: their jobs wait until it is back.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        host: HostArgs,
    },
}

/// A running host, and who speaks to it.
#[derive(Args)]
pub(crate) struct HostArgs {
    /// Address of the host, such as `https://crm.example.com`; `http://` on this machine only.
    #[arg(long = "host", env = "CRM_HOST_URL", value_name = "URL")]
    pub(crate) url: String,
    /// Key of the operator (`rk_op_...`). Others on this machine see what stands on a command line: the environment is the better place.
    #[arg(long, env = "CRM_HOST_OPERATOR_KEY", hide_env_values = true)]
    pub(crate) key: String,
    /// Print the host's answer as it came.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The login of a registry.
#[derive(Args)]
pub(crate) struct RegistryArgs {
    /// User at the registry; without one, what docker's config file holds is taken, if it holds something.
    #[arg(long, env = "CRM_HOST_REGISTRY_USER", requires = "registry_password")]
    pub(crate) registry_user: Option<String>,
    /// The user's password or token. Better in the environment.
    #[arg(long, env = "CRM_HOST_REGISTRY_PASSWORD", hide_env_values = true, requires = "registry_user")]
    pub(crate) registry_password: Option<String>,
    /// Folder of docker's `config.json`. Nothing: `.docker` in the home folder. Its credential helpers are not run.
    #[arg(long, env = "DOCKER_CONFIG", value_name = "DIR")]
    pub(crate) docker_config: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct InstallArgs {
    /// A file, or `oci://REGISTRY/REPOSITORY:TAG`, or `oci://REGISTRY/REPOSITORY@sha256:DIGEST`.
    pub(crate) what: String,
    /// The file's minisign signature. Nothing: `FILE.minisig` if it is there, and what travelled with it in a registry.
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) host: HostArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Args)]
pub(crate) struct PublishArgs {
    pub(crate) file: PathBuf,
    /// `oci://REGISTRY/REPOSITORY:TAG`
    pub(crate) to: String,
    /// The file's minisign signature. Nothing: `FILE.minisig` if it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
