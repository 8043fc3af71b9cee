//! What every service and worker works with. Wired once by `app`.

use std::sync::Arc;

use crm_catalog::model::Manifest;
use crm_contract::ports::{Clock, CredentialSource, Digest, Gateway, Guests};
use crm_contract::spool::Spool;
use crm_contract::webhooks::{NoWebhooks, WebhookSender};
use crm_store::{Store, model::Kind};

use crate::domain::{Actor, Connection};
use crate::operator::OperatorCredentials;
use crate::services::ServiceError;
use crate::services::imports::Board;
use crate::services::releases::Shelf;

/// The rooms behind their ports, and the configuration.
#[derive(Clone)]
pub struct Context {
    pub store: Arc<dyn Store>,
    pub guests: Arc<dyn Guests>,
    pub gateway: Arc<dyn Gateway>,
    pub clock: Arc<dyn Clock>,
    pub config: Arc<Config>,
    /// The way out for merchants' webhooks; [`NoWebhooks`] where the host has none.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Who asks, where somebody does: it goes into the audit log. `None` = the host itself.
    pub actor: Option<Arc<Actor>>,
    /// Files of imports. `None` where nothing is imported.
    pub spool: Option<Arc<dyn Spool>>,
    /// Which imports there is something to do for.
    pub imports: Arc<Board>,
    /// Versions of connectors, and where their files lie. `None` where none come or go.
    pub releases: Option<Arc<Shelf>>,
}

/// What an operator can set about syncing.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Seconds to wait before attempt 2, 3, ...; when the list ends, the job fails. Each wait varies by `jitter_percent`.
    pub retry_schedule_s: Vec<u32>,
    /// Plus or minus this share of each wait.
    pub jitter_percent: u32,
    /// Attempts that may run at once over all connections.
    pub workers: u32,
    /// Jobs of one lane served before the next lane gets its turn.
    pub quantum: u32,
    pub lease_ms: u64,
    /// Attempts that may end in a trap or limit hit before a job is poison.
    pub max_faults: u32,
    /// Longest wait that a vendor's Retry-After may ask for, and a webhook endpoint's.
    pub max_retry_after_s: u32,
    /// Seconds to wait before try 1, 2, ... of a webhook; when the list ends, the delivery fails. Each wait varies by `jitter_percent`.
    pub webhook_schedule_s: Vec<u32>,
    /// Webhooks that may be on their way at once, over all endpoints. Apart from `workers`: endpoints that do not answer must not keep
    /// syncs waiting.
    pub webhook_workers: u32,
    pub breaker: BreakerConfig,
    /// Syncs of a connector that a new version is run on before it may become active; 0 = none.
    pub replay_gate: u32,
    /// Days that lines of the audit log are kept.
    pub audit_days: u32,
    /// Where merchants' browsers reach this host, such as `https://crm.example.com`: vendors send them back there. Without a final slash.
    pub public_url: Option<String>,
    /// What the operator set for connectors whose manifest asks for it.
    pub operator: Arc<OperatorCredentials>,
}

/// Per connection: opens when `failures` of the last `window` attempts failed because the vendor was unwell.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerConfig {
    pub window: u32,
    pub failures: u32,
    pub open_s: u32,
    pub max_open_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // About 72 hours in all.
            retry_schedule_s: vec![5, 15, 60, 300, 1_800, 7_200, 21_600, 21_600, 43_200, 43_200, 86_400],
            jitter_percent: 20,
            workers: 64,
            quantum: 32,
            lease_ms: 60_000,
            max_faults: 3,
            max_retry_after_s: 86_400,
            // The standard's own: about 76 hours in all.
            webhook_schedule_s: vec![0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
            webhook_workers: 128,
            breaker: BreakerConfig { window: 20, failures: 15, open_s: 30, max_open_s: 600 },
            replay_gate: u32::try_from(crate::replay::MOST).unwrap_or(u32::MAX),
            audit_days: 400,
            public_url: None,
            operator: Arc::default(),
        }
    }
}

impl Context {
    /// A context on nobody's behalf, without webhooks.
    pub fn new(
        store: Arc<dyn Store>,
        guests: Arc<dyn Guests>,
        gateway: Arc<dyn Gateway>,
        clock: Arc<dyn Clock>,
        config: impl Into<Arc<Config>>,
    ) -> Self {
        Self {
            store,
            guests,
            gateway,
            clock,
            config: config.into(),
            webhooks: Arc::new(NoWebhooks),
            actor: None,
            spool: None,
            imports: Arc::default(),
            releases: None,
        }
    }

    /// The same, with versions that come and go.
    #[must_use]
    pub fn with_releases(self, shelf: Arc<Shelf>) -> Self {
        Self { releases: Some(shelf), ..self }
    }

    pub(crate) fn shelf(&self) -> Result<&Arc<Shelf>, ServiceError> {
        self.releases.as_ref().ok_or_else(|| ServiceError::Unavailable("this host takes no connectors while it runs".to_owned()))
    }

    /// The same, with files.
    #[must_use]
    pub fn with_spool(self, spool: Arc<dyn Spool>) -> Self {
        Self { spool: Some(spool), ..self }
    }

    pub(crate) fn spool(&self) -> Result<&Arc<dyn Spool>, ServiceError> {
        self.spool.as_ref().ok_or_else(|| ServiceError::Unavailable("this host keeps no files".to_owned()))
    }

    /// The same, with a way out for webhooks.
    #[must_use]
    pub fn sending(self, webhooks: Arc<dyn WebhookSender>) -> Self {
        Self { webhooks, ..self }
    }

    /// The same, on behalf of `actor`.
    pub fn by(&self, actor: Actor) -> Self {
        Self { actor: Some(Arc::new(actor)), ..self.clone() }
    }

    pub fn now(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The sealed credentials of a connection, with what the operator set for its connector.
    pub fn credentials(&self, connection: &Connection, manifest: &Manifest) -> Arc<dyn CredentialSource> {
        self.config.operator.over(manifest, &connection.settings, self.store.credentials(&connection.whose()))
    }

    /// The version a connection runs: its pin, else the one it tries, else the active one. `None` also where a pinned version is not in
    /// memory: [`Self::version_for`] brings it there.
    pub fn version_of(&self, connection: &Connection) -> Option<(Digest, Arc<Manifest>)> {
        let trial = self.releases.as_ref().filter(|_| connection.pinned.is_none()).and_then(|shelf| shelf.trial(&connection.connector));
        let tried = trial.and_then(|trial| trial.takes(&connection.id)).and_then(|digest| self.exactly(digest));
        tried.or_else(|| self.steady_version(connection))
    }

    /// The version a connection runs where it tries none: its pin, else the active one.
    pub(crate) fn steady_version(&self, connection: &Connection) -> Option<(Digest, Arc<Manifest>)> {
        match &connection.pinned {
            Some(pin) => self.exactly(Digest(pin.clone())),
            None => self.guests.active(&connection.connector),
        }
    }

    fn exactly(&self, digest: Digest) -> Option<(Digest, Arc<Manifest>)> {
        self.guests.manifest(&digest).map(|manifest| (digest, manifest))
    }

    /// The same, loaded first if it was not in memory.
    pub(crate) async fn version_for(&self, connection: &Connection) -> Option<(Digest, Arc<Manifest>)> {
        let found = self.version_of(connection);
        let (None, Some(pin), Some(shelf)) = (&found, &connection.pinned, &self.releases) else { return found };
        match shelf.wake(&Digest(pin.clone()), self.guests.as_ref()).await {
            Ok(()) => self.version_of(connection),
            Err(error) => {
                tracing::error!(connection = connection.id, digest = pin, %error, "the version that a connection is pinned to cannot be loaded");
                None
            }
        }
    }

    /// Reads and parses one document of an organization.
    pub async fn load<T: serde::de::DeserializeOwned>(
        &self,
        organization: &str,
        kind: Kind,
        id: &str,
    ) -> Result<Option<(T, u64)>, LoadError> {
        let key = crm_store::model::RecordKey { organization: organization.to_owned(), kind, id: id.to_owned() };
        match self.store.get(&key).await? {
            None => Ok(None),
            Some(record) => {
                let value =
                    serde_json::from_str(&record.json).map_err(|e| LoadError::Unreadable { id: id.to_owned(), why: e.to_string() })?;
                Ok(Some((value, record.version)))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] crm_store::StoreError),
    #[error("record {id} cannot be read: {why}")]
    Unreadable { id: String, why: String },
}
