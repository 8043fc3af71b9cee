//! Against a registry that others wrote: real connector files go there with their signatures and come back, and whatever is wrong is refused
//! for what it is. And against one that lies about sizes, which only a server of our own does.

mod endless;
mod strangers;
mod travel;

use anyhow::{Context as _, Result};
use crm_registry::{Labels, Login, Pulled, Reference, RegistryError};
use crm_test_support::RegistryProcess;

/// A host's own limit.
const MOST: u64 = 4 << 20;

struct World {
    registry: RegistryProcess,
    file: Vec<u8>,
    runtime: tokio::runtime::Runtime,
    /// Holds the registry's files.
    _folder: tempfile::TempDir,
}

impl World {
    /// `None` where there is no registry, which is said.
    fn new(users: Option<&str>) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let Some(registry) = RegistryProcess::start(folder.path(), users)? else { return Ok(None) };
        let file = std::fs::read(crm_test_support::some_connector()?).context("a built connector")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Some(Self { registry, file, runtime, _folder: folder }))
    }

    fn at(&self, rest: &str) -> Result<Reference> {
        Ok(format!("oci://{}/{rest}", self.registry.address).parse()?)
    }

    fn push(&self, to: &Reference, login: &Login, signature: Option<&str>) -> Result<Reference, RegistryError> {
        self.runtime.block_on(crm_registry::push(to, login, self.file.clone(), &labels(), signature))
    }

    fn pull(&self, from: &Reference) -> Result<Pulled, RegistryError> {
        self.pull_as(from, &Login::Nobody, MOST)
    }

    fn pull_as(&self, from: &Reference, login: &Login, most: u64) -> Result<Pulled, RegistryError> {
        self.runtime.block_on(crm_registry::pull(from, login, most))
    }

    /// The manifest as anybody's client reads it.
    fn manifest(&self, repository: &str, at: &str) -> Result<serde_json::Value> {
        let client = crm_test_support::Client::new(&format!("http://{}", self.registry.address));
        let accept = [("accept", "application/vnd.oci.image.manifest.v1+json")];
        client.send("GET", &format!("/v2/{repository}/manifests/{at}"), &accept, None)?.good()
    }

    /// Puts a manifest there as anybody could.
    fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, manifest: &serde_json::Value) -> Result<()> {
        let client = crm_test_support::Client::new(&format!("http://{}", self.registry.address));
        let headers = [("content-type", media_type)];
        client.send("PUT", &format!("/v2/{repository}/manifests/{tag}"), &headers, Some(&manifest.to_string()))?.good()?;
        Ok(())
    }
}

fn labels() -> Labels {
    Labels {
        slug: "acme".to_owned(),
        title: "Acme".to_owned(),
        version: "1.2.0".to_owned(),
        description: "Newsletters".to_owned(),
        documentation: String::new(),
    }
}
