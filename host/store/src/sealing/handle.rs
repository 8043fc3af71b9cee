//! The handle by which egress gets at a connection's credentials: it unseals when asked and keeps nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::ports::{CredentialError, CredentialSource};
use crm_contract::secrets::{Secrets, Token};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{MasterKey, SealedRow, open, seal, token_name};
use crate::committer::Committer;
use crate::committer::op::Op;
use crate::limits;
use crate::port::{StoreError, Whose};
use crate::reads::Reader;
use crate::rows::{envelope, keys, tables};

pub(crate) struct Handle {
    pub(crate) whose: Whose,
    pub(crate) reader: Reader,
    pub(crate) committer: Arc<Committer>,
    pub(crate) key: Arc<MasterKey>,
}

/// A token inside its seal.
#[derive(Serialize, Deserialize)]
struct Inner {
    access: String,
    refresh: Option<String>,
    expires_at: Option<u64>,
    base: Option<String>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.access.zeroize();
        self.refresh.zeroize();
    }
}

/// Slots opened so far: wiped when a later one does not open.
struct Opened(BTreeMap<String, String>);

impl Drop for Opened {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            value.zeroize();
        }
    }
}

fn unavailable(error: StoreError) -> CredentialError {
    match error {
        StoreError::Conflict => CredentialError::Conflict,
        // A damaged row is as good as one under another key: only a person can help.
        StoreError::Unusable(_) => CredentialError::Unopenable,
        other => CredentialError::Unavailable(other.to_string()),
    }
}

#[async_trait]
impl CredentialSource for Handle {
    async fn unseal(&self) -> Result<Secrets, CredentialError> {
        let prefix = keys::secret(&self.whose.organization, &self.whose.connection, "slot/");
        let rows: Vec<(Vec<u8>, SealedRow)> = self.reader.all(&prefix).await.map_err(unavailable)?;
        if rows.is_empty() {
            return Err(CredentialError::Missing);
        }
        let mut opened = Opened(BTreeMap::new());
        for (key, row) in rows {
            let slot = std::str::from_utf8(&key[prefix.len()..]).map_err(|_| CredentialError::Unopenable)?;
            let plain = open(&self.key, &self.whose, &super::slot_name(slot), &row).ok_or(CredentialError::Unopenable)?;
            let text = std::str::from_utf8(&plain).map_err(|_| CredentialError::Unopenable)?;
            opened.0.insert(slot.to_owned(), text.to_owned());
        }
        Ok(Secrets::new(std::mem::take(&mut opened.0)))
    }

    async fn token(&self, auth: &str) -> Result<Option<Token>, CredentialError> {
        let name = token_name(auth);
        let key = keys::secret(&self.whose.organization, &self.whose.connection, &name);
        let Some(row) = self.reader.read::<SealedRow>(&key).await.map_err(unavailable)? else { return Ok(None) };
        let plain = open(&self.key, &self.whose, &name, &row).ok_or(CredentialError::Unopenable)?;
        let mut inner: Inner = serde_json::from_slice(&plain).map_err(|_| CredentialError::Unopenable)?;
        Ok(Some(Token {
            access: std::mem::take(&mut inner.access),
            refresh: inner.refresh.take(),
            expires_at: inner.expires_at,
            base: inner.base.take(),
            version: row.version,
        }))
    }

    async fn save_token(&self, auth: &str, token: &Token) -> Result<(), CredentialError> {
        let name = token_name(auth);
        if name.len() > keys::MAX_PART {
            return Err(CredentialError::Unavailable("the name of the token is too long".into()));
        }
        let inner =
            Inner { access: token.access.clone(), refresh: token.refresh.clone(), expires_at: token.expires_at, base: token.base.clone() };
        let plain = serde_json::to_vec(&inner).map(Zeroizing::new).map_err(|_| CredentialError::Unavailable("not writable".into()))?;
        if plain.len() > limits::SECRET_BYTES {
            return Err(CredentialError::Unavailable("the token is too long".into()));
        }
        let row = seal(&self.key, &self.whose, &name, token.version + 1, &plain).map_err(unavailable)?;
        let key = keys::secret(&self.whose.organization, &self.whose.connection, &name);
        let rows = envelope::wrap(key.clone(), &tables::encode(&row).map_err(unavailable)?);
        let expect = token.version;
        self.committer.ask(|reply| Op::SaveToken { key, expect, rows, reply }).await.map_err(unavailable)
    }
}
