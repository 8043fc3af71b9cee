//! A manifest, read with a limit: the OCI library reads it to whatever end the registry chooses. The library logs in.

use std::time::Duration;

use oci_client::manifest::{IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;

use crate::artifact::{MANIFEST_TYPE, digest};
use crate::{Login, Reference, RegistryError};

pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Silence while reading.
pub(crate) const READ: Duration = Duration::from_secs(30);
/// A connector's manifest has about 2 KiB.
const MOST: usize = 256 * 1024;
/// Registries send readers on to where they keep things.
const REDIRECTS: usize = 5;

pub(crate) struct Manifest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) digest: String,
}

/// `token` = what the registry gave for the login, where it gives one.
pub(crate) async fn manifest(reference: &Reference, login: &Login, token: Option<&str>) -> Result<Manifest, RegistryError> {
    let client = client(reference.plain).map_err(|error| RegistryError::of_request(error, reference))?;
    // What is no connector is asked for as well, so that it can be named.
    let kinds = [MANIFEST_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE].join(", ");
    let mut request = client.get(reference.manifest_url()).header(ACCEPT, kinds);
    request = match (token, login) {
        (Some(token), _) => request.bearer_auth(token),
        (None, Login::Password { user, password }) => request.basic_auth(user, Some(password)),
        (None, _) => request,
    };
    let mut response = request.send().await.map_err(|error| RegistryError::of_request(error, reference))?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| RegistryError::of_request(error, reference))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST {
            let (bytes, most) = (bytes.len() as u64, MOST as u64);
            return Err(RegistryError::TooLarge { reference: reference.to_string(), what: "the manifest", bytes, most });
        }
    }
    let status = response.status().as_u16();
    if status != 200 {
        return Err(RegistryError::of_status(status, &String::from_utf8_lossy(&bytes), reference, &login.whom()));
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_owned();
    let found = digest(&bytes);
    if let Some(wanted) = reference.digest().filter(|wanted| *wanted != found) {
        return Err(RegistryError::Digest { reference: reference.to_string(), wanted: wanted.to_owned(), found });
    }
    Ok(Manifest { bytes, content_type, digest: found })
}

#[expect(clippy::disallowed_methods, reason = "an operator's registry is no vendor: it is in no manifest, and egress serves merchants")]
fn client(plain: bool) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder().https_only(!plain).referer(false).connect_timeout(CONNECT).read_timeout(READ);
    // What is on this machine is reached directly, and stays on it.
    let builder = if plain { builder.no_proxy().redirect(Policy::none()) } else { builder.redirect(Policy::limited(REDIRECTS)) };
    builder.build()
}
