//! A connector file as an OCI artifact, in the form that the WebAssembly ecosystem agreed on: an OCI image manifest, a config of the type
//! `application/vnd.wasm.config.v0+json`, one layer of the type `application/wasm`. Touches no network.
//!
//! The types are few and the crate that defines them (`oci-wasm`) is bound to a release of the OCI library that sends credentials wherever an
//! upload's `Location` leads; so they are written down here.

use std::collections::BTreeMap;

use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::component::surface;
use crate::{Reference, RegistryError};

pub(crate) const MANIFEST_TYPE: &str = OCI_IMAGE_MEDIA_TYPE;
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const LAYER_TYPE: &str = "application/wasm";

/// Annotation of the manifest that holds the whole text of the file's `.minisig`.
pub const SIGNATURE: &str = "com.rekomi.crm-connector.minisig";
/// Annotation of the manifest that holds the connector's slug.
pub const SLUG: &str = "com.rekomi.crm-connector.slug";
/// A minisign signature has four lines; its comments are as long as who signed wanted them.
const SIGNATURE_BYTES: usize = 4 * 1024;

/// What people see of it in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    pub slug: String,
    pub title: String,
    pub version: String,
    pub description: String,
    /// Where the vendor documents its API; empty = not said.
    pub documentation: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    author: Option<&'a str>,
    architecture: &'a str,
    os: &'a str,
    layer_digests: [&'a str; 1],
    component: Surface<'a>,
}

#[derive(Serialize)]
struct Surface<'a> {
    exports: &'a [String],
    imports: &'a [String],
    target: Option<&'a str>,
}

/// All that is uploaded. The same file, labels and signature always make the same bytes, and so the same digest.
pub(crate) struct Artifact {
    pub(crate) layer_digest: String,
    pub(crate) config: Vec<u8>,
    pub(crate) config_digest: String,
    pub(crate) manifest: Vec<u8>,
    pub(crate) digest: String,
}

impl Artifact {
    pub(crate) fn new(file: &[u8], labels: &Labels, signature: Option<&str>) -> Result<Self, RegistryError> {
        if signature.is_some_and(|text| text.len() > SIGNATURE_BYTES) {
            return Err(RegistryError::NotPushable(format!("the signature has more than {SIGNATURE_BYTES} bytes")));
        }
        let surface = surface(file)?;
        let layer_digest = digest(file);
        let config = serde_json::to_vec(&Config {
            // The form asks for a time. That of the push would make another artifact of the same file.
            created: "1970-01-01T00:00:00Z",
            author: None,
            architecture: "wasm",
            // What the form says of every component, WASI or not.
            os: "wasip2",
            layer_digests: [&layer_digest],
            component: Surface { exports: &surface.exports, imports: &surface.imports, target: None },
        });
        let config = config.map_err(|error| RegistryError::NotPushable(error.to_string()))?;
        let config_digest = digest(&config);
        let manifest = OciImageManifest {
            media_type: Some(MANIFEST_TYPE.to_owned()),
            config: descriptor(CONFIG_TYPE, &config_digest, config.len()),
            layers: vec![descriptor(LAYER_TYPE, &layer_digest, file.len())],
            annotations: Some(annotations(labels, signature)),
            ..OciImageManifest::default()
        };
        let manifest = serde_json::to_vec(&manifest).map_err(|error| RegistryError::NotPushable(error.to_string()))?;
        Ok(Self { layer_digest, digest: digest(&manifest), config, config_digest, manifest })
    }
}

fn annotations(labels: &Labels, signature: Option<&str>) -> BTreeMap<String, String> {
    let pairs = [
        ("org.opencontainers.image.title", labels.title.as_str()),
        ("org.opencontainers.image.version", &labels.version),
        ("org.opencontainers.image.description", &labels.description),
        ("org.opencontainers.image.documentation", &labels.documentation),
        (SLUG, &labels.slug),
        (SIGNATURE, signature.unwrap_or_default()),
    ];
    pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn descriptor(media_type: &str, digest: &str, bytes: usize) -> OciDescriptor {
    let size = i64::try_from(bytes).unwrap_or(i64::MAX);
    OciDescriptor { media_type: media_type.to_owned(), digest: digest.to_owned(), size, ..OciDescriptor::default() }
}

/// The file that a manifest names, before a byte of it was downloaded.
pub(crate) struct Promise {
    pub(crate) layer_digest: String,
    pub(crate) bytes: u64,
    pub(crate) signature: Option<String>,
}

/// Reads a manifest that was answered with `content_type`.
pub(crate) fn promise(manifest: &[u8], content_type: &str, reference: &Reference, most: u64) -> Result<Promise, RegistryError> {
    let other = |found: String| RegistryError::NotAConnector { reference: reference.to_string(), found };
    if content_type != MANIFEST_TYPE {
        return Err(other(format!("its manifest is a `{content_type}`; a connector's is a `{MANIFEST_TYPE}`")));
    }
    let manifest: OciImageManifest =
        serde_json::from_slice(manifest).map_err(|error| other(format!("its manifest cannot be read: {error}")))?;
    let config = &manifest.config.media_type;
    if config != CONFIG_TYPE {
        return Err(other(format!("its config is a `{config}`; a connector's is a `{CONFIG_TYPE}`")));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(other(format!("it has {} layers; a connector is exactly one", manifest.layers.len())));
    };
    if layer.media_type != LAYER_TYPE {
        return Err(other(format!("its layer is a `{}`; a connector's is a `{LAYER_TYPE}`", layer.media_type)));
    }
    let bytes = u64::try_from(layer.size).map_err(|_| other("its layer has a size below zero".to_owned()))?;
    if bytes > most {
        return Err(RegistryError::TooLarge { reference: reference.to_string(), what: "the file", bytes, most });
    }
    let signature = manifest.annotations.and_then(|mut all| all.remove(SIGNATURE)).filter(|text| !text.trim().is_empty());
    Ok(Promise { layer_digest: layer.digest.clone(), bytes, signature })
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
