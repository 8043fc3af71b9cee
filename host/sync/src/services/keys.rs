//! Organizations and their API keys. A key is shown once and kept only as a SHA-256; the hash is also the unique name
//! by which it is found, so no part of a secret is ever compared byte by byte with an early exit.
//!
//! There is no cache: a look-up is a read of memory-mapped pages, and so a revoked key is refused from the next request on.

use crm_store::model::{Kind, Put, RecordKey};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::records::{self, Paged, Versioned};
use super::{ServiceError, form};
use crate::context::Context;
use crate::domain::{ApiKey, KeyScope, Organization};
use crate::ids::new_id;

const PREFIX: &str = "rk_live_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^30 is about 178 bits.
const RANDOM_LEN: usize = 30;
const CHECK_LEN: usize = 6;

/// Who a request comes from, as its key proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub organization: String,
    pub key: String,
    pub scope: KeyScope,
}

/// A key as it is shown, once.
pub struct CreatedKey {
    pub record: ApiKey,
    /// The key itself.
    pub secret: String,
}

/// Creates an organization.
pub async fn create_organization(context: &Context, name: &str) -> Result<Organization, ServiceError> {
    let name = form::line("name", name, 100)?;
    let now = context.now();
    let organization = Organization { id: new_id("org", now), name, created: now };
    let json = serde_json::to_string(&organization).map_err(|e| ServiceError::Damaged(e.to_string()))?;
    let record = RecordKey { organization: organization.id.clone(), kind: Kind::Organization, id: organization.id.clone() };
    context.store.commit(vec![Put { record, expect: Some(0), json: Some(json), unique: Vec::new() }], Vec::new()).await?;
    Ok(organization)
}

/// Creates a key for an organization that exists.
pub async fn create_key(context: &Context, organization: &str, name: &str, scope: KeyScope) -> Result<CreatedKey, ServiceError> {
    if context.load::<Organization>(organization, Kind::Organization, organization).await?.is_none() {
        return Err(ServiceError::NotFound("organization"));
    }
    let name = form::line("name", name, 100)?;
    let now = context.now();
    let secret = new_secret();
    let last4 = secret.get(secret.len() - 4..).unwrap_or_default().to_owned();
    let record = ApiKey {
        id: new_id("key", now),
        organization: organization.to_owned(),
        name,
        hash: hash(&secret),
        last4,
        scope,
        created: now,
        revoked: None,
    };
    records::save(context, &record, 0).await?;
    Ok(CreatedKey { record, secret })
}

/// The keys of an organization, revoked ones included.
pub async fn list_keys(context: &Context, organization: &str) -> Result<Vec<ApiKey>, ServiceError> {
    let mut keys = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let Paged { items, next } =
            records::page::<ApiKey>(context, "", after.as_deref(), 500, |key| key.organization == organization).await?;
        keys.extend(items.into_iter().map(|k| k.value));
        match next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}

/// Revokes a key of this organization, at once and for good. Revoking twice is no error.
pub async fn revoke(context: &Context, organization: &str, id: &str) -> Result<(), ServiceError> {
    let Versioned { mut value, version } = records::load::<ApiKey>(context, "", id).await?;
    if value.organization != organization {
        return Err(ServiceError::NotFound("key"));
    }
    if value.revoked.is_none() {
        value.revoked = Some(context.now());
        records::save(context, &value, version).await?;
    }
    Ok(())
}

/// Whose key this is; `None` when it is malformed, unknown or revoked (the caller is not told which).
pub async fn authenticate(context: &Context, secret: &str) -> Result<Option<Principal>, ServiceError> {
    if !well_formed(secret) {
        return Ok(None);
    }
    let hash = hash(secret);
    let Some(found) = records::find::<ApiKey>(context, "", "hash", &hash).await? else { return Ok(None) };
    let key = found.value;
    let same = bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes()));
    if !same || key.revoked.is_some() {
        return Ok(None);
    }
    Ok(Some(Principal { organization: key.organization, key: key.id, scope: key.scope }))
}

/// The same key again, by its id: `None` once it is revoked. For sessions that were opened with it.
pub async fn still_valid(context: &Context, principal: &Principal) -> Result<Option<Principal>, ServiceError> {
    match records::load::<ApiKey>(context, "", &principal.key).await {
        Ok(key) if key.value.revoked.is_none() && key.value.organization == principal.organization => Ok(Some(principal.clone())),
        Ok(_) | Err(ServiceError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

fn new_secret() -> String {
    let mut secret = String::with_capacity(PREFIX.len() + RANDOM_LEN + CHECK_LEN);
    secret.push_str(PREFIX);
    for _ in 0..RANDOM_LEN {
        secret.push(char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]));
    }
    let check = checksum(&secret);
    secret + &check
}

/// CRC32 of all that stands before it, in base 62: tells a mistyped or cut key from an unknown one without a look-up,
/// and lets secret scanners be sure.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// Whether the text has the form of a key, checksum included.
pub fn well_formed(secret: &str) -> bool {
    let Some(body) = secret.strip_prefix(PREFIX) else { return false };
    if body.len() != RANDOM_LEN + CHECK_LEN || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let (before, check) = secret.split_at(PREFIX.len() + RANDOM_LEN);
    checksum(before) == check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_well_formed_and_a_changed_one_is_not() {
        let key = new_secret();
        assert!(well_formed(&key), "{key}");
        assert_eq!(key.len(), 44);
        for place in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(!well_formed(&changed), "{changed}");
        }
        assert!(!well_formed("") && !well_formed("rk_live_") && !well_formed(&key[..43]));
    }
}
