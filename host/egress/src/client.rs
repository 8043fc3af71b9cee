//! HTTP clients, one per connector and origin, so that connection pools never mix. Builds them so that they can do less: no
//! redirects, no proxy, no HTTP/2, no decompression, no resolver but the checked one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use parking_lot::Mutex;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::EgressError;
use crate::net::CheckedResolver;

/// Clients kept for connectors, and for merchants' webhooks apart from them; the longest unused goes first.
const MAX_CLIENTS: usize = 512;
const MAX_WEBHOOK_CLIENTS: usize = 64;
const MAX_RESPONSE_HEADERS: usize = 100;
const IDLE: Duration = Duration::from_secs(20);
const IDLE_PER_HOST: usize = 32;

/// Limits in time on one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// DNS and TCP and TLS together.
    pub connect: Duration,
    /// DNS alone.
    pub resolve: Duration,
    /// Silence while reading.
    pub read: Duration,
    /// Ceiling on a call's own `timeout_s`.
    pub total: Duration,
    /// How long a call waits for its limits before the guest is told `throttled`.
    pub limiter: Duration,
    /// How long an unsealed credential is kept for the next run of the same connection.
    pub unsealed: Duration,
    /// One delivery of a webhook, from the name's lookup to the answer's end.
    pub webhook: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            resolve: Duration::from_secs(2),
            read: Duration::from_secs(10),
            total: Duration::from_secs(60),
            limiter: Duration::from_secs(2),
            unsealed: Duration::from_secs(3),
            webhook: Duration::from_secs(15),
        }
    }
}

struct Kept {
    client: reqwest::Client,
    used: u64,
}

pub(crate) struct Clients {
    kept: Mutex<HashMap<(Arc<str>, String), Kept>>,
    most: usize,
    turn: AtomicU64,
    tls: rustls::ClientConfig,
    resolver: CheckedResolver,
    user_agent: HeaderValue,
    timeouts: Timeouts,
}

impl Clients {
    pub(crate) fn new(resolver: CheckedResolver, user_agent: &str, timeouts: Timeouts) -> Result<Self, EgressError> {
        let user_agent = HeaderValue::from_str(user_agent).map_err(|_| EgressError::UserAgent(user_agent.to_owned()))?;
        let tls = |e: rustls::Error| EgressError::Tls(e.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // Built once: every client shares the verifier and its root certificates.
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .with_platform_verifier()
            .map_err(tls)?
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { kept: Mutex::default(), most: MAX_CLIENTS, turn: AtomicU64::new(0), tls: config, resolver, user_agent, timeouts })
    }

    /// The same rules for merchants' webhooks, with pools of their own: no endpoint shares a connection with a connector's call. An
    /// endpoint may be silent for as long as a delivery may take.
    pub(crate) fn for_webhooks(&self) -> Self {
        Self {
            kept: Mutex::default(),
            most: MAX_WEBHOOK_CLIENTS,
            turn: AtomicU64::new(0),
            tls: self.tls.clone(),
            resolver: self.resolver.clone(),
            user_agent: self.user_agent.clone(),
            timeouts: Timeouts { read: self.timeouts.webhook, ..self.timeouts },
        }
    }

    /// The client for one connector's calls to one origin. `plain` allows http: for loopback only.
    pub(crate) fn get(&self, slug: &Arc<str>, origin: &str, plain: bool) -> Result<reqwest::Client, EgressError> {
        let key = (slug.clone(), origin.to_owned());
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock();
        if let Some(found) = kept.get_mut(&key) {
            found.used = turn;
            return Ok(found.client.clone());
        }
        if kept.len() >= self.most
            && let Some(oldest) = kept.iter().min_by_key(|(_, k)| k.used).map(|(k, _)| k.clone())
        {
            kept.remove(&oldest);
        }
        let client = self.build(plain)?;
        kept.insert(key, Kept { client: client.clone(), used: turn });
        Ok(client)
    }

    #[expect(clippy::disallowed_methods, reason = "this room is the one that may build HTTP clients")]
    fn build(&self, plain: bool) -> Result<reqwest::Client, EgressError> {
        let mut tls = self.tls.clone();
        // Tickets of one client must not be offered by another.
        tls.resumption = rustls::client::Resumption::in_memory_sessions(16);
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .https_only(!plain)
            .http1_only()
            .http1_max_headers(MAX_RESPONSE_HEADERS)
            .user_agent(self.user_agent.clone())
            .connect_timeout(self.timeouts.connect)
            .read_timeout(self.timeouts.read)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .tcp_nodelay(true)
            .dns_resolver(self.resolver.clone())
            .build()
            .map_err(|e| EgressError::Tls(e.without_url().to_string()))
    }
}
