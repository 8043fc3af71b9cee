//! Pull and push. Sizes are checked before the download and during it, digests after it.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use http::HeaderValue;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::{RegistryOperation, errors::OciDistributionError};

use crate::artifact::{Artifact, Labels, MANIFEST_TYPE, promise};
use crate::{Login, Reference, RegistryError, fetch};

/// One pull or push, from its first byte to its last.
const TOTAL: Duration = Duration::from_secs(120);

/// A connector file as a registry gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    pub file: Vec<u8>,
    /// The text of its `.minisig`, if it was pushed with one. Nobody has checked it yet.
    pub signature: Option<String>,
    /// Where exactly it lay: by the manifest's digest, whatever it was asked for by.
    pub source: Reference,
}

/// Pulls the connector at `reference`, of at most `most` bytes.
///
/// # Errors
/// Says what was wrong; nothing was taken then.
pub async fn pull(reference: &Reference, login: &Login, most: u64) -> Result<Pulled, RegistryError> {
    let (place, login) = (reference.clone(), login.clone());
    apart(reference, async move { pull_all(&place, &login, most).await }).await
}

async fn pull_all(reference: &Reference, login: &Login, most: u64) -> Result<Pulled, RegistryError> {
    let client = client(reference)?;
    let failed = |error: OciDistributionError| RegistryError::of(error, reference, &login.whom());
    let token = client.auth(&reference.inner, &login.auth(), RegistryOperation::Pull).await.map_err(failed)?;
    let manifest = fetch::manifest(reference, login, token.as_deref()).await?;
    let promise = promise(&manifest.bytes, &manifest.content_type, reference, most)?;
    // By its digest alone: a manifest may name other addresses of the same file, and nobody is sent there.
    let mut layer = client.pull_blob_stream(&reference.inner, promise.layer_digest.as_str()).await.map_err(failed)?;
    let too_large = |bytes: u64| RegistryError::TooLarge { reference: reference.to_string(), what: "the file", bytes, most: promise.bytes };
    if let Some(bytes) = layer.content_length.filter(|bytes| *bytes > promise.bytes) {
        return Err(too_large(bytes));
    }
    let mut file = Vec::new();
    while let Some(chunk) = layer.stream.try_next().await.map_err(|error| RegistryError::of_io(error, reference))? {
        file.extend_from_slice(&chunk);
        if file.len() as u64 > promise.bytes {
            return Err(too_large(file.len() as u64));
        }
    }
    Ok(Pulled { file, signature: promise.signature, source: reference.pinned(&manifest.digest) })
}

/// Pushes a connector file with its signature under a tag, and says by which digest it lies there.
///
/// # Errors
/// Says what was wrong; the tag is as it was then.
pub async fn push(
    reference: &Reference,
    login: &Login,
    file: Vec<u8>,
    labels: &Labels,
    signature: Option<&str>,
) -> Result<Reference, RegistryError> {
    if reference.tag().is_none() {
        let why = "a digest is what a push results in; name a tag".to_owned();
        return Err(RegistryError::Reference { text: reference.to_string(), why });
    }
    let artifact = Artifact::new(&file, labels, signature)?;
    let (place, login) = (reference.clone(), login.clone());
    apart(reference, async move { push_all(&place, &login, file, artifact).await }).await
}

async fn push_all(reference: &Reference, login: &Login, file: Vec<u8>, artifact: Artifact) -> Result<Reference, RegistryError> {
    let client = client(reference)?;
    let failed = |error: OciDistributionError| RegistryError::of(error, reference, &login.whom());
    client.auth(&reference.inner, &login.auth(), RegistryOperation::Push).await.map_err(failed)?;
    client.push_blob(&reference.inner, file, &artifact.layer_digest).await.map_err(failed)?;
    client.push_blob(&reference.inner, artifact.config, &artifact.config_digest).await.map_err(failed)?;
    // Last: the tag names what is there in full.
    client.push_manifest_raw(&reference.inner, artifact.manifest, HeaderValue::from_static(MANIFEST_TYPE)).await.map_err(failed)?;
    Ok(reference.pinned(&artifact.digest))
}

fn client(reference: &Reference) -> Result<Client, RegistryError> {
    let mut config = ClientConfig {
        protocol: if reference.plain { ClientProtocol::Http } else { ClientProtocol::Https },
        platform_resolver: None,
        read_timeout: Some(fetch::READ),
        connect_timeout: Some(fetch::CONNECT),
        user_agent: concat!("crm-host/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    if reference.plain {
        // The library takes the environment's proxy unless it is given one. With one that nothing goes through, what is on this machine
        // is reached directly.
        config.http_proxy = Some(format!("http://{}", reference.registry()));
        config.no_proxy = Some("*".to_owned());
    }
    Client::try_from(config).map_err(|error| RegistryError::of(error, reference, ""))
}

/// On a task of its own and within a time: the library panics on a `Location` or a token that is no text, and reads a registry's errors to
/// their end.
async fn apart<T: Send + 'static>(
    reference: &Reference,
    work: impl Future<Output = Result<T, RegistryError>> + Send + 'static,
) -> Result<T, RegistryError> {
    let task = tokio::spawn(tokio::time::timeout(TOTAL, work));
    match task.await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => {
            let why = format!("it was not done after {} s", TOTAL.as_secs());
            Err(RegistryError::Unreachable { registry: reference.registry().to_owned(), why })
        }
        Err(_) => Err(RegistryError::Answer { reference: reference.to_string(), why: "it breaks the protocol".to_owned() }),
    }
}
