//! The model's credentials: in the clear, but as picky about whose they are as the real ones.

use std::collections::BTreeMap;

use async_trait::async_trait;
use crm_contract::ports::{CredentialError, CredentialSource};
use crm_contract::secrets::{Secrets, Token};

use super::MemoryModel;
use crate::port::Whose;

#[derive(Default)]
pub(super) struct Vault {
    /// By organization and connection.
    kept: BTreeMap<(String, String), Kept>,
}

#[derive(Default)]
struct Kept {
    /// Connector and host at sealing.
    bound: (String, String),
    slots: BTreeMap<String, String>,
    tokens: BTreeMap<String, (Token, (String, String))>,
    /// Announced renewals: version, and until when.
    renewals: BTreeMap<String, (u64, u64)>,
}

fn place(whose: &Whose) -> (String, String) {
    (whose.organization.clone(), whose.connection.clone())
}

fn bound(whose: &Whose) -> (String, String) {
    (whose.connector.clone(), whose.host.clone())
}

fn copy(token: &Token, version: u64) -> Token {
    Token { access: token.access.clone(), refresh: token.refresh.clone(), expires_at: token.expires_at, base: token.base.clone(), version }
}

impl Vault {
    pub(super) fn put(&mut self, whose: &Whose, slots: BTreeMap<String, String>, tokens: BTreeMap<String, Token>) {
        let tokens = tokens.into_iter().map(|(auth, token)| (auth, (token, bound(whose)))).collect();
        self.kept.insert(place(whose), Kept { bound: bound(whose), slots, tokens, renewals: BTreeMap::new() });
    }

    pub(super) fn forget(&mut self, whose: &Whose) {
        self.kept.remove(&place(whose));
    }

    fn unseal(&self, whose: &Whose) -> Result<Secrets, CredentialError> {
        match self.kept.get(&place(whose)) {
            Some(kept) if !kept.slots.is_empty() && kept.bound == bound(whose) => Ok(Secrets::new(kept.slots.clone())),
            Some(kept) if !kept.slots.is_empty() => Err(CredentialError::Unopenable),
            _ => Err(CredentialError::Missing),
        }
    }

    fn token(&self, whose: &Whose, auth: &str) -> Result<Option<Token>, CredentialError> {
        match self.kept.get(&place(whose)).and_then(|kept| kept.tokens.get(auth)) {
            None => Ok(None),
            Some((token, to)) if *to == bound(whose) => Ok(Some(copy(token, token.version))),
            Some(_) => Err(CredentialError::Unopenable),
        }
    }

    fn begin(&mut self, whose: &Whose, auth: &str, version: u64, now: u64, until: u64) -> Result<(), CredentialError> {
        let kept = self.kept.entry(place(whose)).or_default();
        if kept.tokens.get(auth).map_or(0, |(old, _)| old.version) != version {
            return Err(CredentialError::Conflict);
        }
        if kept.renewals.get(auth).is_some_and(|(of, end)| *of == version && *end > now) {
            return Err(CredentialError::Busy);
        }
        kept.renewals.insert(auth.to_owned(), (version, until));
        Ok(())
    }

    fn end(&mut self, whose: &Whose, auth: &str, version: u64) {
        if let Some(kept) = self.kept.get_mut(&place(whose)) {
            kept.renewals.retain(|of, (announced, _)| of != auth || *announced != version);
        }
    }

    fn save(&mut self, whose: &Whose, auth: &str, token: &Token) -> Result<(), CredentialError> {
        let kept = self.kept.entry(place(whose)).or_default();
        if kept.tokens.get(auth).map_or(0, |(old, _)| old.version) != token.version {
            return Err(CredentialError::Conflict);
        }
        kept.tokens.insert(auth.to_owned(), (copy(token, token.version + 1), bound(whose)));
        Ok(())
    }
}

pub(super) struct Handle {
    pub(super) whose: Whose,
    pub(super) model: MemoryModel,
}

#[async_trait]
impl CredentialSource for Handle {
    async fn unseal(&self) -> Result<Secrets, CredentialError> {
        self.model.world.lock().secrets.unseal(&self.whose)
    }

    async fn token(&self, auth: &str) -> Result<Option<Token>, CredentialError> {
        self.model.world.lock().secrets.token(&self.whose, auth)
    }

    async fn save_token(&self, auth: &str, token: &Token) -> Result<(), CredentialError> {
        self.model.world.lock().secrets.save(&self.whose, auth, token)
    }

    async fn begin_renewal(&self, auth: &str, version: u64, now: u64, until: u64) -> Result<(), CredentialError> {
        self.model.world.lock().secrets.begin(&self.whose, auth, version, now, until)
    }

    async fn end_renewal(&self, auth: &str, version: u64) -> Result<(), CredentialError> {
        self.model.world.lock().secrets.end(&self.whose, auth, version);
        Ok(())
    }
}
