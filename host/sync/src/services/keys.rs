//! API keys of organizations. A key is shown once and kept only as a SHA-256; the hash is also the unique name
//! by which it is found, so no part of a secret is ever compared byte by byte with an early exit.
//!
//! There is no cache: a look-up is a read of memory-mapped pages, and so a revoked key is refused from the next request on.

use crm_store::model::Kind;
use subtle::ConstantTimeEq;

use super::records::{self, Paged, Versioned};
use super::{ServiceError, audit, form, key_text, organizations};
use crate::context::Context;
use crate::domain::{ApiKey, KeyScope};
use crate::ids::new_id;

/// How exactly it is kept when a key was last used.
const MINUTE_MS: u64 = 60_000;
/// Keys that an organization may have at once.
const MOST: usize = 100;

/// Who a request comes from, as its key proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub organization: String,
    pub key: String,
    pub scope: KeyScope,
}

impl Principal {
    pub(super) fn of(key: &ApiKey) -> Self {
        Self { organization: key.organization.clone(), key: key.id.clone(), scope: key.scope }
    }
}

/// A key as it is shown, once.
pub struct CreatedKey {
    pub record: ApiKey,
    /// The key itself.
    pub secret: String,
}

/// Creates a key for an organization that exists.
pub async fn create_key(context: &Context, organization: &str, name: &str, scope: KeyScope) -> Result<CreatedKey, ServiceError> {
    let owner = organizations::get(context, organization).await?.value;
    let name = form::line("name", name, 100)?;
    if list_keys(context, organization).await?.iter().filter(|key| key.revoked.is_none()).count() >= MOST {
        return Err(ServiceError::conflict("too_many_keys", format!("an organization can have {MOST} keys: revoke some first")));
    }
    let now = context.now();
    let secret = key_text::make(if owner.test { key_text::TEST } else { key_text::LIVE });
    let record = ApiKey {
        id: new_id("key", now),
        organization: organization.to_owned(),
        name,
        hash: key_text::hash(&secret),
        last4: key_text::last4(&secret),
        scope,
        created: now,
        revoked: None,
        last_used: None,
    };
    let log = audit::entry(context, organization, "key.created", &record.id, &[])?;
    context.store.commit(vec![records::put(&record, 0)?, log], Vec::new()).await?;
    Ok(CreatedKey { record, secret })
}

/// The keys of an organization, revoked ones included, oldest first.
pub async fn list_keys(context: &Context, organization: &str) -> Result<Vec<ApiKey>, ServiceError> {
    let mut keys = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let Paged { items, next } = page(context, organization, after.as_deref(), 500).await?;
        keys.extend(items);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}

/// A page of them.
pub async fn page(context: &Context, organization: &str, after: Option<&str>, limit: usize) -> Result<Paged<ApiKey>, ServiceError> {
    let prefix = format!("{organization}/");
    let from = after.map(|id| format!("{prefix}{id}"));
    let found = context.store.named("", Kind::ApiKey, records::OWNER, &prefix, from.as_deref(), limit + 1).await?;
    let mut items =
        found.iter().map(|(_, record)| Ok(records::parse::<ApiKey>(record)?.value)).collect::<Result<Vec<_>, ServiceError>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(|key| key.id.clone()) } else { None };
    Ok(Paged { items, next })
}

/// One key of this organization.
pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<ApiKey>, ServiceError> {
    let found = records::load::<ApiKey>(context, "", id).await?;
    if found.value.organization == organization { Ok(found) } else { Err(ServiceError::NotFound("key")) }
}

/// Gives a key another name. Keys have no version that a client could hold on to: the host notes in them when they were used.
pub async fn rename(context: &Context, organization: &str, id: &str, name: &str) -> Result<ApiKey, ServiceError> {
    let name = form::line("name", name, 100)?;
    for _ in 0..records::RACES {
        let Versioned { mut value, version } = get(context, organization, id).await?;
        if value.name == name {
            return Ok(value);
        }
        value.name.clone_from(&name);
        let log = audit::entry(context, organization, "key.updated", id, &[("fields", "name".to_owned())])?;
        match context.store.commit(vec![records::put(&value, version)?, log], Vec::new()).await {
            Ok(_) => return Ok(value),
            Err(crm_store::StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

/// Revokes a key of this organization, at once and for good. Revoking twice is no error; the last key that may write stays.
pub async fn revoke(context: &Context, organization: &str, id: &str) -> Result<ApiKey, ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { mut value, version } = get(context, organization, id).await?;
        if value.revoked.is_some() {
            return Ok(value);
        }
        let mut puts = Vec::new();
        if value.scope == KeyScope::ReadWrite {
            let writes = |key: &&ApiKey| key.revoked.is_none() && key.scope == KeyScope::ReadWrite && key.id != id;
            let others = list_keys(context, organization).await?;
            let Some(other) = others.iter().find(writes) else {
                let message = "this is the last key that may write: make another one first, or nobody can";
                return Err(ServiceError::conflict("last_key", message));
            };
            // The one that stays is written along: were it revoked at this very moment, one of the two would fail.
            let stays = get(context, organization, &other.id).await?;
            if stays.value.revoked.is_some() {
                continue;
            }
            puts.push(records::put(&stays.value, stays.version)?);
        }
        value.revoked = Some(context.now());
        puts.extend([records::put(&value, version)?, audit::entry(context, organization, "key.revoked", id, &[])?]);
        match context.store.commit(puts, Vec::new()).await {
            Ok(_) => return Ok(value),
            // Its last use was noted in between.
            Err(crm_store::StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

/// The record of a key; `None` when it is malformed, unknown or revoked (the caller is not told which).
pub async fn find(context: &Context, secret: &str) -> Result<Option<Versioned<ApiKey>>, ServiceError> {
    if !matches!(key_text::prefix_of(secret), Some(key_text::LIVE | key_text::TEST)) {
        return Ok(None);
    }
    let hash = key_text::hash(secret);
    let Some(found) = records::find::<ApiKey>(context, "", "hash", &hash).await? else { return Ok(None) };
    let same = bool::from(found.value.hash.as_bytes().ct_eq(hash.as_bytes()));
    Ok(Some(found).filter(|key| same && key.value.revoked.is_none()))
}

/// Whose key this is; `None` as [`find`] says.
pub async fn authenticate(context: &Context, secret: &str) -> Result<Option<Principal>, ServiceError> {
    Ok(find(context, secret).await?.map(|key| Principal::of(&key.value)))
}

/// Whether it is time to note anew that a key is used.
pub(super) fn use_is_due(context: &Context, key: &ApiKey) -> bool {
    key.last_used.is_none_or(|last| context.now().saturating_sub(last) >= MINUTE_MS)
}

/// Notes that a key was used, to the minute. Whoever wrote the key in between (a revocation, mostly) was first: that stands.
pub(super) async fn note_use(context: &Context, key: Versioned<ApiKey>) {
    let minute = context.now() / MINUTE_MS * MINUTE_MS;
    let used = ApiKey { last_used: Some(minute), ..key.value };
    if let Err(error) = records::save(context, &used, key.version).await {
        tracing::debug!(%error, "a key's use was not noted");
    }
}

/// The same key again, by its id: `None` once it is revoked. For sessions that were opened with it.
pub async fn still_valid(context: &Context, principal: &Principal) -> Result<Option<Principal>, ServiceError> {
    match records::load::<ApiKey>(context, "", &principal.key).await {
        Ok(key) if key.value.revoked.is_none() && key.value.organization == principal.organization => Ok(Some(principal.clone())),
        Ok(_) | Err(ServiceError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
