//! Credentials that are not stored yet: the test call of a new connection uses them from memory. Tokens that the test
//! call fetched are kept, so that a rotated one can be stored together with the rest.

use std::collections::BTreeMap;

use async_trait::async_trait;
use crm_contract::ports::{CredentialError, CredentialSource};
use crm_contract::secrets::{Secrets, Token};
use parking_lot::Mutex;
use zeroize::Zeroizing;

/// A [`CredentialSource`] for one verify. Wiped when dropped.
pub(crate) struct OwnCredentials {
    slots: BTreeMap<String, Zeroizing<String>>,
    tokens: Mutex<BTreeMap<String, Token>>,
}

impl OwnCredentials {
    pub(crate) fn new(slots: BTreeMap<String, Zeroizing<String>>) -> Self {
        Self { slots, tokens: Mutex::default() }
    }

    /// The plain slots, for sealing.
    pub(crate) fn slots(&self) -> BTreeMap<String, String> {
        self.slots.iter().map(|(slot, value)| (slot.clone(), value.to_string())).collect()
    }

    /// Takes the tokens that the run saved.
    pub(crate) fn take_tokens(&self) -> BTreeMap<String, Token> {
        std::mem::take(&mut *self.tokens.lock())
    }
}

#[async_trait]
impl CredentialSource for OwnCredentials {
    async fn unseal(&self) -> Result<Secrets, CredentialError> {
        Ok(Secrets::new(self.slots()))
    }

    async fn token(&self, auth: &str) -> Result<Option<Token>, CredentialError> {
        Ok(self.tokens.lock().get(auth).map(copy))
    }

    async fn save_token(&self, auth: &str, token: &Token) -> Result<(), CredentialError> {
        let mut tokens = self.tokens.lock();
        if tokens.get(auth).map_or(0, |kept| kept.version) != token.version {
            return Err(CredentialError::Conflict);
        }
        let mut kept = copy(token);
        kept.version += 1;
        tokens.insert(auth.to_owned(), kept);
        Ok(())
    }
}

/// Tokens are not `Clone` on purpose; here both ends are this short-lived value.
fn copy(token: &Token) -> Token {
    Token {
        access: token.access.clone(),
        refresh: token.refresh.clone(),
        expires_at: token.expires_at,
        base: token.base.clone(),
        version: token.version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rotated_token_replaces_the_one_it_was_made_from_and_no_other() {
        let own = OwnCredentials::new(BTreeMap::new());
        let token = |access: &str, version| Token { access: access.to_owned(), refresh: None, expires_at: None, base: None, version };
        own.save_token("main", &token("a", 0)).await.unwrap();
        assert_eq!(own.save_token("main", &token("b", 0)).await, Err(CredentialError::Conflict));
        own.save_token("main", &token("b", 1)).await.unwrap();
        assert_eq!(own.token("main").await.unwrap().map(|t| t.access.clone()), Some("b".to_owned()));
        assert_eq!(own.take_tokens().len(), 1);
        assert!(own.token("main").await.unwrap().is_none());
    }
}
