//! A connector file with its signature, read from a folder or pulled from a registry. Nothing in it is looked at.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use crm_engine::ScanLimits;
use crm_registry::{Login, Reference};

use super::args::RegistryArgs;

/// A minisign signature has four lines.
const SIGNATURE_BYTES: u64 = 4 * 1024;

pub(super) struct Parcel {
    pub(super) file: Vec<u8>,
    pub(super) signature: Option<String>,
    /// The exact place in a registry.
    pub(super) source: Option<Reference>,
}

impl Parcel {
    /// From a file or an `oci://` reference.
    pub(super) async fn of(what: &str, signature: Option<&Path>, registry: &RegistryArgs) -> Result<Self> {
        if !Reference::is_meant(what) {
            return Self::read(Path::new(what), signature);
        }
        let reference: Reference = what.parse()?;
        let pulled = crm_registry::pull(&reference, &login(registry, &reference)?, most()).await?;
        let signature = signature.map(text).transpose()?.or(pulled.signature);
        Ok(Self { file: pulled.file, signature, source: Some(pulled.source) })
    }

    fn read(path: &Path, signature: Option<&Path>) -> Result<Self> {
        let shown = path.display();
        let bytes = fs::metadata(path).with_context(|| format!("{shown} cannot be read"))?.len();
        if bytes > most() {
            bail!("{shown} has {bytes} bytes; a connector has at most {}", most());
        }
        let file = fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
        Ok(Self { file, signature: signature_of(path, signature)?, source: None })
    }
}

/// The signature that was named, or the one that lies beside the file.
pub(super) fn signature_of(file: &Path, named: Option<&Path>) -> Result<Option<String>> {
    if let Some(named) = named {
        return text(named).map(Some);
    }
    let mut beside = OsString::from(file);
    beside.push(".minisig");
    let beside = PathBuf::from(beside);
    if beside.exists() { text(&beside).map(Some) } else { Ok(None) }
}

fn text(path: &Path) -> Result<String> {
    let shown = path.display();
    let bytes = fs::metadata(path).with_context(|| format!("the signature {shown} cannot be read"))?.len();
    if bytes > SIGNATURE_BYTES {
        bail!("{shown} is no minisign signature: it has {bytes} bytes");
    }
    fs::read_to_string(path).with_context(|| format!("the signature {shown} cannot be read"))
}

/// Of the command line and the environment, else of docker's config file.
pub(super) fn login(args: &RegistryArgs, reference: &Reference) -> Result<Login> {
    if let (Some(user), Some(password)) = (&args.registry_user, &args.registry_password) {
        return Ok(Login::Password { user: user.clone(), password: password.clone() });
    }
    let folder = args.docker_config.clone().or_else(|| std::env::home_dir().map(|home| home.join(".docker")));
    let Some(file) = folder.map(|folder| folder.join("config.json")) else { return Ok(Login::Nobody) };
    match fs::read_to_string(&file) {
        Ok(text) => Login::of_docker_config(&text, reference).with_context(|| file.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Login::Nobody),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// What a host takes.
fn most() -> u64 {
    ScanLimits::default().file_bytes as u64
}
