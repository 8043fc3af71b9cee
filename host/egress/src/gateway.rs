//! The door: builds egress once, opens a session per run, and answers when a run may start.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::{Clock, CodeRequest, Gateway, GrantError, Journal, Mode, Outbound, Scope};

use crate::auth::Tokens;
use crate::client::{Clients, Timeouts};
use crate::dev::{DevEndpoints, Loopback};
use crate::error::EgressError;
use crate::limit::Ledger;
use crate::limits::Limits;
use crate::net::{CheckedResolver, OwnAddresses, Resolve, SystemResolver};
use crate::plan::{Plan, Plans};
use crate::request::Guards;
use crate::session::{Core, Session};
use crate::unsealed::Open;
use crate::webhook::Webhooks;

/// What egress is built from.
pub struct EgressConfig {
    /// Sent with every call unless the manifest sets its own: product, version, contact.
    pub user_agent: String,
    pub clock: Arc<dyn Clock>,
    /// [`crate::net::SystemResolver`], or one of the tests' own.
    pub resolver: Arc<dyn Resolve>,
    /// Addresses of this machine that its interfaces do not show (a NAT's outer address).
    pub own_addresses: Vec<IpAddr>,
    /// `None` in every released build: the type has no value there. An author's command names its servers to [`AuthorEgress`].
    pub dev_endpoints: Option<DevEndpoints>,
    pub timeouts: Timeouts,
}

impl EgressConfig {
    /// Usual values for everything but the three that have none.
    pub fn new(user_agent: impl Into<String>, clock: Arc<dyn Clock>, resolver: Arc<dyn Resolve>) -> Self {
        let (own_addresses, dev_endpoints) = (Vec::new(), None);
        Self { user_agent: user_agent.into(), clock, resolver, own_addresses, dev_endpoints, timeouts: Timeouts::default() }
    }

    /// The same with the system's name servers.
    pub fn system(user_agent: impl Into<String>, clock: Arc<dyn Clock>) -> Result<Self, EgressError> {
        Ok(Self::new(user_agent, clock, Arc::new(SystemResolver::new()?)))
    }
}

/// The way out, shared by all runs. Opening and sending need a tokio runtime.
pub struct Egress {
    core: Arc<Core>,
    plans: Plans,
    own: Arc<OwnAddresses>,
    pub(crate) webhooks: Webhooks,
}

impl Egress {
    pub fn new(mut config: EgressConfig) -> Result<Arc<Self>, EgressError> {
        let dev = config.dev_endpoints.take().map(DevEndpoints::loopback);
        Ok(Arc::new(Self::with(config, dev)?))
    }

    fn with(config: EgressConfig, dev: Option<Loopback>) -> Result<Self, EgressError> {
        let own = Arc::new(OwnAddresses::new(config.own_addresses));
        let resolver = CheckedResolver { inner: config.resolver, own: own.clone(), timeout: config.timeouts.resolve };
        let clients = Clients::new(resolver, &config.user_agent, config.timeouts)?;
        let in_development = dev.as_ref().is_some_and(Loopback::webhooks);
        let webhooks = Webhooks::new(clients.for_webhooks(), config.timeouts.webhook, config.clock.clone(), in_development);
        let core = Core {
            clients,
            limits: Limits::new(Ledger::new(config.clock.clone())),
            clock: config.clock,
            tokens: Tokens::default(),
            open: Open::new(config.timeouts.unsealed),
            dev,
            timeouts: config.timeouts,
        };
        Ok(Self { core: Arc::new(core), plans: Plans::default(), own, webhooks })
    }

    /// Drops what is kept of a connection's credentials, at once: after they were replaced or deleted.
    pub fn forget(&self, organization: &str, connection: &str) {
        self.core.open.forget(organization, connection);
    }

    /// This machine's addresses, for [`crate::net::guard::check_url`].
    pub fn own_addresses(&self) -> Arc<OwnAddresses> {
        self.own.clone()
    }

    fn plan(&self, manifest: &Arc<Manifest>) -> Arc<Result<Plan, String>> {
        self.plans.of(manifest)
    }
}

/// The same way out for one run of an author's own, with loopback servers in place of vendors. It is no [`Gateway`], so nothing that
/// serves merchants can be handed one.
pub struct AuthorEgress {
    inner: Egress,
}

impl AuthorEgress {
    pub fn new(config: EgressConfig, servers: Loopback) -> Result<Self, EgressError> {
        Ok(Self { inner: Egress::with(config, Some(servers))? })
    }

    /// The way out of one live run.
    pub fn open(&self, scope: Scope, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        self.inner.open(scope, Mode::Live, journal)
    }
}

/// Promises are made and claimed by connection. A lane's jobs may turn out to sync, untag or look up: they share theirs.
fn run_key(scope: &Scope) -> String {
    let kind = match scope.stage {
        Stage::Sync | Stage::Untag | Stage::Lookup => "job",
        Stage::Verify => "verify",
        Stage::Pick => "pick",
        Stage::Prepare => "prepare",
    };
    format!("{}:{}{}:{}{kind}", scope.organization.len(), scope.organization, scope.connection.len(), scope.connection)
}

#[async_trait]
impl Gateway for Egress {
    fn open(&self, scope: Scope, mode: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        let plan = self.plan(&scope.manifest);
        let promised = match mode {
            Mode::Live => self.core.limits.ledger.claim(&run_key(&scope), self.core.clock.now_ms()),
            Mode::Preview | Mode::Replay => None,
        };
        Arc::new(Session {
            core: self.core.clone(),
            plan,
            scope,
            mode,
            journal,
            promised,
            guards: Guards::default(),
            run: Default::default(),
        })
    }

    fn forget(&self, organization: &str, connection: &str) {
        Self::forget(self, organization, connection);
    }

    async fn authorize_url(&self, scope: &Scope, auth: &str, ask: &CodeRequest) -> Result<String, GrantError> {
        let plan = self.plan(&scope.manifest);
        self.core.authorize_url(scope, usable(&plan)?, auth, ask).await
    }

    async fn redeem(&self, scope: &Scope, auth: &str, code: &str, ask: &CodeRequest) -> Result<(), GrantError> {
        let plan = self.plan(&scope.manifest);
        self.core.redeem(scope, usable(&plan)?, auth, code, ask).await
    }

    async fn revoke(&self, scope: &Scope) -> Result<bool, GrantError> {
        let plan = self.plan(&scope.manifest);
        self.core.revoke(scope, usable(&plan)?).await
    }

    fn ready_at(&self, scope: &Scope, calls: u32) -> Option<u64> {
        let plan = self.plan(&scope.manifest);
        // A manifest that cannot be used refuses every call at once: no reason to wait.
        let plan = plan.as_ref().as_ref().ok()?;
        let now = self.core.clock.now_ms();
        let wants = self.core.limits.wants(plan, scope, calls, now);
        self.core.limits.ledger.promise(&run_key(scope), wants, now)
    }

    fn throttled(&self, scope: &Scope, limit: Option<&str>, after_seconds: Option<u32>) {
        let plan = self.plan(&scope.manifest);
        let Ok(plan) = plan.as_ref() else { return };
        let now = self.core.clock.now_ms();
        let at = limit.and_then(|name| plan.manifest.limits.iter().position(|l| l.name == name));
        let cell = match at {
            Some(at) => self.core.limits.cell(plan, scope, at, now),
            None => self.core.limits.pause(plan, scope, now),
        };
        cell.with(|b| b.struck(after_seconds.map(|s| u64::from(s) * 1_000), now));
    }
}

fn usable(plan: &Result<Plan, String>) -> Result<&Plan, GrantError> {
    plan.as_ref().map_err(|why| GrantError::Unsupported(why.clone()))
}
