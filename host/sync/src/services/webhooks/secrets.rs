//! An endpoint's signing secrets: made here, shown once, kept sealed. A rotation leaves the old one valid for a day; both sign until then.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crm_contract::ports::CredentialError;
use crm_store::Whose;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::WebhookEndpoint;
use crate::context::Context;
use crate::services::records::{self, Versioned};
use crate::services::{ServiceError, audit};

/// The slots, newest first.
const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";
/// How long the secret before the present one signs as well.
pub const OVERLAP_MS: u64 = 24 * 60 * 60 * 1_000;
/// A rotation that takes longer was broken off.
const LOST_MS: u64 = 30_000;

/// A secret of Standard Webhooks: `whsec_` and 32 random bytes.
pub(super) fn new_secret() -> Zeroizing<String> {
    let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
    Zeroizing::new(format!("whsec_{}", STANDARD.encode(bytes.as_slice())))
}

/// Tells one secret from another, and nothing else of it.
pub(super) fn print(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))[..16].to_owned()
}

/// Whose sealed secrets an endpoint signs with.
pub(crate) fn whose(endpoint: &WebhookEndpoint) -> Whose {
    Whose {
        organization: endpoint.organization.clone(),
        connection: endpoint.id.clone(),
        connector: "webhook".to_owned(),
        host: String::new(),
    }
}

/// Which slots sign now. While a rotation is under way, or was broken off, it is not known which of the two the merchant has: both sign.
pub(crate) fn slots(endpoint: &WebhookEndpoint, now: u64) -> Vec<String> {
    let both = endpoint.rotating.is_some() || endpoint.previous_until.is_some_and(|until| now < until);
    [CURRENT, PREVIOUS].into_iter().take(if both { 2 } else { 1 }).map(str::to_owned).collect()
}

/// Seals an endpoint's first secret.
pub(super) async fn seal_first(context: &Context, endpoint: &WebhookEndpoint, secret: &str) -> Result<(), ServiceError> {
    let slots = BTreeMap::from([(CURRENT.to_owned(), secret.to_owned())]);
    Ok(context.store.seal(&whose(endpoint), slots).await?)
}

/// A new secret, as it is shown, once.
pub struct Rotated {
    pub endpoint: Versioned<WebhookEndpoint>,
    pub secret: Zeroizing<String>,
}

/// Makes a new secret. The one that the merchant was shown last stays valid for [`OVERLAP_MS`]; an older one ends at once.
///
/// Record and secrets are two writes. The record says first that a rotation is under way, which keeps a second one out, and which secret
/// the merchant has: a rotation that broke off in between is so found out by the next one, and neither loses the merchant's secret.
pub async fn rotate(context: &Context, organization: &str, id: &str, expect: Option<u64>) -> Result<Rotated, ServiceError> {
    let Versioned { value: mut endpoint, version } = records::load::<WebhookEndpoint>(context, organization, id).await?;
    records::expected(expect, version)?;
    let now = context.now();
    if endpoint.rotating.is_some_and(|since| now.saturating_sub(since) < LOST_MS) {
        return Err(ServiceError::conflict("secret_rotating", "this secret is being rotated at the moment"));
    }
    endpoint.rotating = Some(now);
    records::save(context, &endpoint, version).await?;
    let shown_last = shown_last(context, &endpoint).await?;
    let secret = new_secret();
    let mut slots = BTreeMap::from([(CURRENT.to_owned(), secret.to_string())]);
    if let Some(old) = &shown_last {
        slots.insert(PREVIOUS.to_owned(), old.to_string());
    }
    context.store.seal(&whose(&endpoint), slots).await?;
    let until = shown_last.map(|_| now + OVERLAP_MS);
    for _ in 0..records::RACES {
        let Versioned { value: mut endpoint, version } = records::load::<WebhookEndpoint>(context, organization, id).await?;
        endpoint.secret_print = print(&secret);
        endpoint.previous_until = until;
        endpoint.rotating = None;
        endpoint.updated = now;
        let log = audit::entry(context, organization, "webhook_endpoint.secret_rotated", id, &[])?;
        match context.store.commit(vec![records::put(&endpoint, version)?, log], Vec::new()).await {
            Ok(_) => return Ok(Rotated { endpoint: Versioned { value: endpoint, version: version + 1 }, secret }),
            Err(crm_store::StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

/// The secret that the merchant has, wherever a rotation that broke off has left it.
async fn shown_last(context: &Context, endpoint: &WebhookEndpoint) -> Result<Option<Zeroizing<String>>, ServiceError> {
    let secrets = match context.store.credentials(&whose(endpoint)).unseal().await {
        Ok(secrets) => secrets,
        // Nothing to keep valid: the new secret stands alone.
        Err(CredentialError::Missing | CredentialError::Unopenable) => return Ok(None),
        Err(error) => return Err(ServiceError::Unavailable(error.to_string())),
    };
    let known = [CURRENT, PREVIOUS].into_iter().filter_map(|slot| secrets.get(slot));
    Ok(known.into_iter().find(|secret| print(secret) == endpoint.secret_print).map(|secret| Zeroizing::new(secret.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_the_standards_form_and_differ() {
        let (one, two) = (new_secret(), new_secret());
        assert_ne!(one, two);
        let bytes = STANDARD.decode(one.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(bytes.len(), 32);
        assert_ne!(print(&one), print(&two));
    }
}
