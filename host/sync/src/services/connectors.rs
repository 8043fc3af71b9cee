//! The directory of connectors: what is loaded and active, with the manifest that every page and form is read from.

use std::collections::BTreeSet;
use std::sync::Arc;

use crm_catalog::model::Manifest;
use crm_contract::ports::Digest;

use super::ServiceError;
use crate::context::Context;

/// An active connector.
#[derive(Clone)]
pub struct Connector {
    pub digest: Digest,
    pub manifest: Arc<Manifest>,
}

/// Every active connector, by name.
pub fn list(context: &Context) -> Vec<Connector> {
    let slugs: BTreeSet<String> = context.guests.loaded().into_iter().map(|(_, m)| m.connector.slug.clone()).collect();
    let mut connectors: Vec<Connector> =
        slugs.iter().filter_map(|slug| context.guests.active(slug)).map(|(digest, manifest)| Connector { digest, manifest }).collect();
    connectors.sort_by_key(|c| c.manifest.connector.name.to_lowercase());
    connectors
}

/// The active version of one connector.
pub fn one(context: &Context, slug: &str) -> Result<Connector, ServiceError> {
    let (digest, manifest) = context.guests.active(slug).ok_or(ServiceError::NotFound("connector"))?;
    Ok(Connector { digest, manifest })
}
