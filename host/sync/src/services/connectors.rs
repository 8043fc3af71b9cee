//! The directory of connectors: what is loaded and active, with the manifest that every page and form is read from; and the search in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crm_catalog::model::Manifest;
use crm_contract::ports::Digest;

use super::{ServiceError, authorization, form};
use crate::context::Context;

/// An active connector.
#[derive(Clone)]
pub struct Connector {
    pub digest: Digest,
    pub manifest: Arc<Manifest>,
    /// Modes in which merchants consent at the vendor.
    pub consent: Vec<Consent>,
    /// Fields of the form that may stay empty, because the operator has set them.
    pub offered: BTreeSet<String>,
    pub readiness: Readiness,
}

/// Whether merchants can connect a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// In at least one of its modes.
    Live,
    /// Not before the operator of this host has set the application's own client, or says where browsers reach the host.
    NeedsOperator,
}

/// What is looked for in the directory; empty is everything.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Words that must all stand in name, slug, category or pitch, in any case.
    pub words: String,
    /// This category only, in any case.
    pub category: String,
}

impl Search {
    pub fn finds(&self, connector: &Connector) -> bool {
        let identity = &connector.manifest.connector;
        let text = [&identity.name, &identity.slug, &identity.category, &identity.pitch].map(|part| part.to_lowercase()).join("\n");
        let category = self.category.trim().to_lowercase();
        (category.is_empty() || identity.category.to_lowercase() == category)
            && self.words.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

/// One mode of the authorization code grant.
#[derive(Clone)]
pub struct Consent {
    pub mode: String,
    pub redirect_uri: Option<String>,
    /// The operator has set what only the operator can set.
    pub ready: bool,
}

fn connector(context: &Context, digest: Digest, manifest: Arc<Manifest>) -> Connector {
    let operator = &context.config.operator;
    let redirect_uri = authorization::redirect_uri(context, &manifest.connector.slug);
    let consents = authorization::modes(&manifest);
    let ready = |mode: &str| operator.missing(&manifest, mode).is_empty() && (redirect_uri.is_some() || !consents.contains(&mode));
    let readiness = if form::modes(&manifest).into_iter().any(ready) { Readiness::Live } else { Readiness::NeedsOperator };
    let consent = consents.iter().map(|mode| Consent { mode: (*mode).to_owned(), ready: ready(mode), redirect_uri: redirect_uri.clone() });
    Connector { consent: consent.collect(), offered: operator.offered(&manifest), readiness, digest, manifest }
}

/// Every active connector, by name.
pub fn list(context: &Context) -> Vec<Connector> {
    let slugs: BTreeSet<String> = context.guests.loaded().into_iter().map(|(_, m)| m.connector.slug.clone()).collect();
    let mut connectors: Vec<Connector> = slugs
        .iter()
        .filter_map(|slug| context.guests.active(slug))
        .map(|(digest, manifest)| connector(context, digest, manifest))
        .collect();
    connectors.sort_by_key(|c| c.manifest.connector.name.to_lowercase());
    connectors
}

/// The active version of one connector.
pub fn one(context: &Context, slug: &str) -> Result<Connector, ServiceError> {
    let (digest, manifest) = context.guests.active(slug).ok_or(ServiceError::NotFound("connector"))?;
    Ok(connector(context, digest, manifest))
}
