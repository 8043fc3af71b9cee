//! The handle by which egress gets at a connection's credentials: it unseals when asked and keeps nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::ports::{CredentialError, CredentialSource};
use crm_contract::secrets::{Secrets, Token};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{MasterKey, SealedRow, open, renewal_name, seal, token_name};
use crate::committer::Committer;
use crate::committer::op::Op;
use crate::limits;
use crate::port::{StoreError, Whose};
use crate::reads::Reader;
use crate::rows::envelope::Write;
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

/// A token's key and its sealed rows.
pub(crate) fn token_rows(
    keys: &MasterKey,
    whose: &Whose,
    auth: &str,
    token: &Token,
    version: u64,
) -> Result<(Vec<u8>, Vec<Write>), StoreError> {
    let name = token_name(auth);
    let inner =
        Inner { access: token.access.clone(), refresh: token.refresh.clone(), expires_at: token.expires_at, base: token.base.clone() };
    let unwritable = |_| StoreError::Unusable("a token cannot be written".into());
    let plain = serde_json::to_vec(&inner).map(Zeroizing::new).map_err(unwritable)?;
    if plain.len() > limits::SECRET_BYTES {
        return Err(StoreError::TooLarge { bytes: plain.len(), limit: limits::SECRET_BYTES });
    }
    let row = seal(keys, whose, &name, version, &plain)?;
    let key = keys::secret(&whose.organization, &whose.connection, &name);
    let rows = envelope::wrap(key.clone(), &tables::encode(&row)?);
    Ok((key, rows))
}

impl Handle {
    fn named(&self, name: &str) -> Result<Vec<u8>, CredentialError> {
        if name.len() > keys::MAX_PART {
            return Err(CredentialError::Unavailable("the name of the token is too long".into()));
        }
        Ok(keys::secret(&self.whose.organization, &self.whose.connection, name))
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
        self.named(&token_name(auth))?;
        let (key, rows) = token_rows(&self.key, &self.whose, auth, token, token.version + 1).map_err(unavailable)?;
        let expect = token.version;
        self.committer.ask(|reply| Op::SaveToken { key, expect, rows, reply }).await.map_err(unavailable)
    }

    async fn begin_renewal(&self, auth: &str, version: u64, now: u64, until: u64) -> Result<(), CredentialError> {
        let token = self.named(&token_name(auth))?;
        let marker = self.named(&renewal_name(auth))?;
        let row = SealedRow::marker(version, until);
        let rows = envelope::wrap(marker.clone(), &tables::encode(&row).map_err(unavailable)?);
        let ours = self.committer.ask(|reply| Op::BeginRenewal { token, marker, expect: version, now, rows, reply }).await;
        if ours.map_err(unavailable)? { Ok(()) } else { Err(CredentialError::Busy) }
    }

    async fn end_renewal(&self, auth: &str, version: u64) -> Result<(), CredentialError> {
        let marker = self.named(&renewal_name(auth))?;
        self.committer.ask(|reply| Op::EndRenewal { marker, expect: version, reply }).await.map_err(unavailable)
    }
}
