//! What stands for credentials where none may be opened.

use async_trait::async_trait;
use crm_contract::ports::{CredentialError, CredentialSource};
use crm_contract::secrets::{Secrets, Token};

/// Holds none: whatever shows up in a request cannot be one.
pub struct NoCredentials;

#[async_trait]
impl CredentialSource for NoCredentials {
    async fn unseal(&self) -> Result<Secrets, CredentialError> {
        Err(CredentialError::Missing)
    }

    async fn token(&self, _auth: &str) -> Result<Option<Token>, CredentialError> {
        Ok(None)
    }

    async fn save_token(&self, _auth: &str, _token: &Token) -> Result<(), CredentialError> {
        Err(CredentialError::Missing)
    }
}
