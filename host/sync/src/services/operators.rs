//! The operator's keys: they open administration and no merchant's data.

use crm_store::model::{Kind, RecordKey};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::records::{self, Document, Versioned};
use super::{ServiceError, audit, form, key_text};
use crate::context::Context;
use crate::ids::new_id;

/// A key of the operator as kept: never the key itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorKey {
    pub id: String,
    pub name: String,
    /// SHA-256 of the whole key, lower-case hex.
    pub hash: String,
    pub last4: String,
    pub created: u64,
    pub revoked: Option<u64>,
}

impl Document for OperatorKey {
    const KIND: Kind = Kind::OperatorKey;
    const NAME: &'static str = "operator key";
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        vec![("hash".to_owned(), self.hash.clone())]
    }
}

/// The operator, as a key proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub key: String,
}

/// Makes a key; the second value is the key itself, shown once.
pub async fn create(context: &Context, name: &str) -> Result<(OperatorKey, String), ServiceError> {
    let name = form::line("name", name, 100)?;
    let (now, secret) = (context.now(), key_text::make(key_text::OPERATOR));
    let (hash, last4) = (key_text::hash(&secret), key_text::last4(&secret));
    let key = OperatorKey { id: new_id("opk", now), name, hash, last4, created: now, revoked: None };
    let log = audit::entry(context, "", "operator_key.created", &key.id, &[])?;
    context.store.commit(vec![records::put(&key, 0)?, log], Vec::new()).await?;
    Ok((key, secret))
}

/// All of them, revoked ones included.
pub async fn list(context: &Context) -> Result<Vec<OperatorKey>, ServiceError> {
    Ok(records::all::<OperatorKey>(context, "").await?.into_iter().map(|key| key.value).collect())
}

/// Revokes a key, at once and for good. Revoking twice is no error.
pub async fn revoke(context: &Context, id: &str) -> Result<(), ServiceError> {
    let Versioned { mut value, version } = records::load::<OperatorKey>(context, "", id).await?;
    if value.revoked.is_none() {
        value.revoked = Some(context.now());
        let log = audit::entry(context, "", "operator_key.revoked", id, &[])?;
        context.store.commit(vec![records::put(&value, version)?, log], Vec::new()).await?;
    }
    Ok(())
}

/// Whether this is a key of the operator; `None` when it is malformed, unknown or revoked.
pub async fn authenticate(context: &Context, secret: &str) -> Result<Option<Operator>, ServiceError> {
    if key_text::prefix_of(secret) != Some(key_text::OPERATOR) {
        return Ok(None);
    }
    let hash = key_text::hash(secret);
    let Some(found) = records::find::<OperatorKey>(context, "", "hash", &hash).await? else { return Ok(None) };
    let key = found.value;
    let good = bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes())) && key.revoked.is_none();
    Ok(good.then_some(Operator { key: key.id }))
}
