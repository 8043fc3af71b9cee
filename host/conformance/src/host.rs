//! The host's parts that a scenario needs: an engine, and egress that sends nothing. What a scenario must never touch (names,
//! clocks, credentials) answers here with nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::{Clock, CredentialError, CredentialSource, Scope};
use crm_contract::secrets::{Secrets, Token};
use crm_contract::types::Connection;
use crm_egress::net::{Resolve, ResolveError};
use crm_egress::{Egress, EgressConfig};
use crm_engine::{Compiler, Engine, EngineConfig, Limits};

/// Starts an engine. Components come from this checkout's own build, so compiling in this process is safe enough.
pub(crate) fn engine() -> anyhow::Result<Arc<Engine>> {
    let limits = Limits { concurrent: 4, ..Limits::default() };
    let config = EngineConfig { cache_dir: None, cache_key: [0; 32], compiler: Compiler::InProcess, limits, wasi_allowed: BTreeSet::new() };
    Ok(Engine::new(config)?)
}

pub(crate) fn egress() -> anyhow::Result<Arc<Egress>> {
    Ok(Egress::new(EgressConfig::new("crm-conformance", Arc::new(Still), Arc::new(NoNames)))?)
}

pub(crate) fn scope(manifest: &Arc<Manifest>, on: Connection, stage: Stage, choice: Option<String>) -> Scope {
    Scope {
        manifest: Arc::clone(manifest),
        organization: "org".to_owned(),
        connection: "connection".to_owned(),
        account: None,
        choice,
        on,
        stage,
        credentials: Arc::new(NoCredentials),
        after_unknown: false,
    }
}

/// A replay reads no clock that matters.
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        1_795_392_000_000
    }
}

/// Knows no name, so nothing can be dialled.
struct NoNames;

#[async_trait]
impl Resolve for NoNames {
    async fn resolve(&self, _name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::NotFound)
    }
}

/// Holds no credential: whatever shows up in a request or a log cannot be one.
struct NoCredentials;

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
