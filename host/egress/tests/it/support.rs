//! Stand-ins for everything around egress: a vendor on loopback that does as it is told, a journal, a vault, a resolver and
//! a clock, all of which remember what was asked of them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::{
    Clock, CredentialError, CredentialSource, Gateway, Journal, JournalError, Mode, Recall, Scope, ShownRequest, StepKey, StepOutcome,
    StepRecord,
};
use crm_contract::secrets::{Secrets, Token};
use crm_contract::types::{Connection, Pair, Request, Response, Unanswered};
use crm_egress::net::{Resolve, ResolveError};
use crm_egress::{DevEndpoints, Egress, EgressConfig, Timeouts};
use parking_lot::Mutex;

pub(crate) use crate::vendor::{Reply, Seen, Vendor};

/// The parts that every manifest needs, before the part under test.
const PRELUDE: &str = r#"
[connector]
slug = "acme"
name = "Acme"
version = "1.0.0"
category = "crm"
pitch = "A vendor for tests"
docs = "https://acme.example/docs"
[supports]
[setup]
key_location = ["Settings"]
disconnect = "Nothing is deleted."
"#;

pub(crate) fn manifest(text: &str) -> Arc<Manifest> {
    Arc::new(toml::from_str(&format!("{PRELUDE}{text}")).unwrap())
}

/// A clock that moves only when told.
pub(crate) struct Hands(pub(crate) AtomicU64);

impl Hands {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_795_435_200_000)))
    }

    pub(crate) fn forward(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Answers from a table; counts questions.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) asked: AtomicUsize,
    pub(crate) known: Mutex<HashMap<String, Vec<IpAddr>>>,
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.known.lock().get(name).cloned().ok_or(ResolveError::NotFound)
    }
}

struct KeptToken {
    access: String,
    refresh: Option<String>,
    expires_at: Option<u64>,
    base: Option<String>,
    version: u64,
}

/// Credentials of one connection, with the store's rules about tokens.
#[derive(Default)]
pub(crate) struct Vault {
    slots: BTreeMap<String, String>,
    token: Mutex<Option<KeptToken>>,
    pub(crate) missing: bool,
    pub(crate) unsealed: AtomicUsize,
    /// Saves that were tried, as `access/refresh`.
    pub(crate) saves: Mutex<Vec<String>>,
    /// The next saves fail as if the host died before the disk answered.
    pub(crate) disk_dead: AtomicBool,
    /// The next save finds that someone else has saved this one.
    pub(crate) rival: Mutex<Option<String>>,
}

impl Vault {
    pub(crate) fn new(slots: &[(&str, &str)]) -> Self {
        Self { slots: slots.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..Self::default() }
    }

    /// Nothing is stored.
    pub(crate) fn empty() -> Self {
        Self { missing: true, ..Self::default() }
    }

    pub(crate) fn with_token(self, access: &str, refresh: Option<&str>, expires_at: Option<u64>, base: Option<&str>) -> Self {
        let kept =
            KeptToken { access: access.into(), refresh: refresh.map(Into::into), expires_at, base: base.map(Into::into), version: 1 };
        *self.token.lock() = Some(kept);
        self
    }
}

#[async_trait]
impl CredentialSource for Vault {
    async fn unseal(&self) -> Result<Secrets, CredentialError> {
        self.unsealed.fetch_add(1, Ordering::SeqCst);
        if self.missing { Err(CredentialError::Missing) } else { Ok(Secrets::new(self.slots.clone())) }
    }

    async fn token(&self, _auth: &str) -> Result<Option<Token>, CredentialError> {
        Ok(self.token.lock().as_ref().map(|t| Token {
            access: t.access.clone(),
            refresh: t.refresh.clone(),
            expires_at: t.expires_at,
            base: t.base.clone(),
            version: t.version,
        }))
    }

    async fn save_token(&self, _auth: &str, token: &Token) -> Result<(), CredentialError> {
        self.saves.lock().push(format!("{}/{}", token.access, token.refresh.as_deref().unwrap_or("-")));
        if self.disk_dead.load(Ordering::SeqCst) {
            return Err(CredentialError::Unavailable("disk".into()));
        }
        let mut kept = self.token.lock();
        if let Some(access) = self.rival.lock().take() {
            let version = kept.as_ref().map_or(0, |t| t.version) + 1;
            *kept = Some(KeptToken { access, refresh: None, expires_at: None, base: None, version });
            return Err(CredentialError::Conflict);
        }
        if kept.as_ref().map_or(0, |t| t.version) != token.version {
            return Err(CredentialError::Conflict);
        }
        *kept = Some(KeptToken {
            access: token.access.clone(),
            refresh: token.refresh.clone(),
            expires_at: token.expires_at,
            base: token.base.clone(),
            version: token.version + 1,
        });
        Ok(())
    }
}

/// A journal in memory. `order` is shared with the vendor, so that the order of disk and wire can be seen.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) steps: Mutex<Vec<StepRecord>>,
    pub(crate) intents: Mutex<Vec<StepKey>>,
    pub(crate) resumed: AtomicBool,
    pub(crate) fenced: AtomicBool,
    pub(crate) order: Arc<Mutex<Vec<String>>>,
    earlier: Mutex<Vec<StepRecord>>,
}

impl Book {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The journal of the next attempt: what this one left behind can be recalled.
    pub(crate) fn next_attempt(&self) -> Arc<Self> {
        let next = Self { order: self.order.clone(), ..Self::default() };
        next.resumed.store(true, Ordering::SeqCst);
        next.earlier.lock().extend(self.earlier.lock().iter().cloned());
        next.earlier.lock().extend(self.steps.lock().iter().cloned());
        next.intents.lock().extend(self.intents.lock().iter().cloned());
        Arc::new(next)
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(&*self.steps.lock()).unwrap()
    }
}

#[async_trait]
impl Journal for Book {
    fn recall(&self, key: &StepKey) -> Recall {
        if let Some(record) = self.earlier.lock().iter().rev().find(|r| r.key == *key) {
            return Recall::Record(Box::new(record.clone()));
        }
        if self.intents.lock().contains(key) { Recall::Intent } else { Recall::Nothing }
    }

    fn resumed(&self) -> bool {
        self.resumed.load(Ordering::SeqCst)
    }

    async fn intend(&self, key: &StepKey, _request: &ShownRequest) -> Result<(), JournalError> {
        if self.fenced.load(Ordering::SeqCst) {
            return Err(JournalError::Fenced);
        }
        // A slow disk: a request that did not wait would overtake it.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        self.order.lock().push(format!("intent {}", key.call));
        self.intents.lock().push(key.clone());
        Ok(())
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        self.order.lock().push(format!("record {}", step.key.call));
        self.intents.lock().retain(|k| *k != step.key);
        self.steps.lock().push(step);
        Ok(())
    }
}

/// Egress with one connection on it.
pub(crate) struct World {
    pub(crate) egress: Arc<Egress>,
    pub(crate) clock: Arc<Hands>,
    pub(crate) names: Arc<Names>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) on: Connection,
    pub(crate) choice: Option<String>,
    pub(crate) after_unknown: bool,
}

pub(crate) fn fast() -> Timeouts {
    let ms = std::time::Duration::from_millis;
    Timeouts {
        connect: ms(1_000),
        resolve: ms(300),
        read: ms(250),
        total: ms(700),
        limiter: ms(40),
        webhook: ms(700),
        ..Timeouts::default()
    }
}

impl World {
    /// Endpoints named here are served by the vendor on loopback.
    pub(crate) fn new(text: &str, vault: Vault, dev: &[(&str, &str)]) -> Self {
        Self::timed(text, vault, dev, fast())
    }

    pub(crate) fn timed(text: &str, vault: Vault, dev: &[(&str, &str)], timeouts: Timeouts) -> Self {
        let (clock, names) = (Hands::new(), Arc::new(Names::default()));
        let endpoints = dev.iter().fold(DevEndpoints::new(), |d, (name, url)| d.with("acme", name, url).unwrap());
        let mut config = EgressConfig::new("crm-host/0.1 (test)", clock.clone(), names.clone());
        config.dev_endpoints = Some(endpoints);
        config.timeouts = timeouts;
        let egress = Egress::new(config).unwrap();
        let manifest = manifest(text);
        Self { egress, clock, names, vault: Arc::new(vault), manifest, on: Connection::default(), choice: None, after_unknown: false }
    }

    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        self.on.settings.push(Pair::new(name, value));
        self
    }

    pub(crate) fn scope(&self, stage: Stage) -> Scope {
        Scope {
            manifest: self.manifest.clone(),
            organization: "org".into(),
            connection: "con".into(),
            account: None,
            choice: self.choice.clone(),
            on: self.on.clone(),
            stage,
            credentials: self.vault.clone(),
            after_unknown: self.after_unknown,
        }
    }

    pub(crate) fn open(&self, journal: &Arc<Book>) -> Arc<dyn crm_contract::ports::Outbound> {
        self.egress.open(self.scope(Stage::Sync), Mode::Live, journal.clone())
    }

    /// One call in a run of its own.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        self.open(&Book::new()).send(request).await
    }
}

pub(crate) fn call(name: &str) -> Request {
    Request { call: name.into(), ..Request::default() }
}

pub(crate) fn refusal(result: Result<Response, Unanswered>) -> String {
    match result {
        Err(Unanswered::Refused(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn answered(record: &StepRecord) -> Option<&Response> {
    match &record.outcome {
        StepOutcome::Answered(response) => Some(response),
        StepOutcome::Unanswered(_) => None,
    }
}
