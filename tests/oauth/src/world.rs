//! One host with one organization, put together as `app` does it, on a store in a temporary directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::body::Body;
use crm_api::ApiState;
use crm_egress::net::{Resolve, ResolveError};
use crm_egress::{DevEndpoints, Egress, EgressConfig};
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{MasterKey, SpaceGate};
use crm_sync::context::{Config, Context};
use crm_sync::domain::KeyScope;
use crm_sync::operator::OperatorCredentials;
use crm_sync::services::gate::{Gate, GateConfig};
use crm_sync::services::{keys, organizations};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use url::Url;
use zeroize::Zeroizing;

use crate::connector::Connector;

/// Where browsers would reach this host.
pub const PUBLIC_URL: &str = "https://crm.example";

/// The clock's beginning, in Unix milliseconds.
const EPOCH: u64 = 1_795_435_200_000;

struct NoNames;

#[async_trait::async_trait]
impl Resolve for NoNames {
    async fn resolve(&self, _: &str) -> Result<Vec<std::net::IpAddr>, ResolveError> {
        Err(ResolveError::NotFound)
    }
}

/// A clock that tests move.
pub(crate) struct Clock(AtomicU64);

impl crm_contract::ports::Clock for Clock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
pub struct Options {
    /// Of the authorization server, and of the API.
    pub login: String,
    pub api: String,
    /// The operator's client, if there is one.
    pub operator: Option<(&'static str, &'static str)>,
    pub public_url: Option<&'static str>,
    /// The only mode that the connector has; `None` = all of its manifest.
    pub mode: Option<&'static str>,
}

impl Options {
    pub fn of(login: &str, api: &str) -> Self {
        Self {
            login: login.to_owned(),
            api: api.to_owned(),
            operator: Some(("acme-app", "operator-secret-canary")),
            public_url: Some(PUBLIC_URL),
            mode: None,
        }
    }
}

/// An answer of the host.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body, if this went well.
    pub fn good(&self) -> Result<Value> {
        if !self.status.is_success() {
            bail!("{} {}", self.status, self.text);
        }
        Ok(self.json())
    }
}

pub struct World {
    pub ctx: Context,
    pub router: Router,
    pub store: Arc<SledStore>,
    pub organization: String,
    pub key: String,
    pub read_key: String,
    clock: Arc<Clock>,
    master: MasterKey,
    dir: tempfile::TempDir,
}

impl World {
    pub async fn new(options: Options) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let master = MasterKey::generate()?;
        let store = open(&dir.path().join("store"), &master)?;
        let clock = Arc::new(Clock(AtomicU64::new(EPOCH)));
        let ctx = context(&options, store.clone(), clock.clone())?;
        let organization = organizations::create(&ctx, "Ann's shop", false).await?.id;
        let full = keys::create_key(&ctx, &organization, "full", KeyScope::ReadWrite).await?;
        let read = keys::create_key(&ctx, &organization, "read", KeyScope::Read).await?;
        Ok(Self { router: router(&ctx), ctx, store, organization, key: full.secret, read_key: read.secret, clock, master, dir })
    }

    /// Another host over the same store: what two processes are to a store that several can open.
    pub fn another_host(&self, options: &Options) -> Result<Context> {
        context(options, self.store.clone(), self.clock.clone())
    }

    /// The store as a power cut would leave it now: a copy of the files, opened.
    pub fn after_a_crash(&self, at: &Path) -> Result<Arc<SledStore>> {
        open(at, &self.master)
    }

    pub fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// A directory beside the store.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn forward(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// What a browser or a program without a key asks for.
    pub async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.router, request.body(Body::empty())?).await
    }

    /// As the merchant's platform, with its key.
    pub async fn ask(&self, method: &str, target: &str, body: Value) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(target).header("authorization", format!("Bearer {}", self.key));
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        send(&self.router, request.body(body)?).await
    }

    /// Starts a consent; answers the vendor's address.
    pub async fn start(&self, order: Value) -> Result<Url> {
        let started = self.ask("POST", "/v1/oauth/acme/start", order).await?.good()?;
        Ok(Url::parse(started["authorize_url"].as_str().context("an address")?)?)
    }

    /// Connects with a code that a stub takes; answers the connection's id.
    pub async fn connect(&self) -> Result<String> {
        let made = self.land(&self.start(json!({})).await?, "code=the-code").await?.good()?;
        Ok(made["id"].as_str().context("an id")?.to_owned())
    }

    /// Comes back from the vendor with the state that went there.
    pub async fn land(&self, authorize: &Url, with: &str) -> Result<Answer> {
        self.get(&format!("/v1/oauth/acme/callback?state={}&{with}", query(authorize, "state")), &[]).await
    }

    /// One approved affiliate, so that there is something to sync.
    pub async fn approve(&self, email: &str) -> Result<()> {
        let slug = email.split('@').next().unwrap_or_default();
        let campaign = self
            .ask("POST", "/v1/campaigns", json!({ "name": slug, "slug": slug, "commission": { "model": "rev_share", "percent": "25" } }))
            .await?
            .good()?;
        let affiliate = self.ask("POST", "/v1/affiliates", json!({ "campaign": campaign["id"], "email": email })).await?.good()?;
        let id = affiliate["id"].as_str().context("an id")?;
        self.ask("POST", &format!("/v1/affiliates/{id}/approve"), Value::Null).await?.good().map(drop)
    }

    /// Waits until the connection is in this state.
    pub async fn until(&self, connection: &str, state: &str) -> Result<Value> {
        self.poll(&format!("/v1/connections/{connection}"), |answer| answer["state"] == state).await
    }

    /// Asks until the answer is as wished.
    pub async fn poll(&self, path: &str, wished: impl Fn(&Value) -> bool) -> Result<Value> {
        for _ in 0..500 {
            let answer = self.ask("GET", path, Value::Null).await?.json();
            if wished(&answer) {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{path} stays {}", self.ask("GET", path, Value::Null).await?.text)
    }

    /// Every byte of the store's files.
    pub fn bytes_on_disk(&self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut dirs = vec![self.store_dir()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir)? {
                let path = entry?.path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    all.extend(std::fs::read(path)?);
                }
            }
        }
        Ok(all)
    }
}

/// One parameter of an address.
pub(crate) fn query(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).unwrap_or_default()
}

fn open(dir: &Path, key: &MasterKey) -> Result<Arc<SledStore>> {
    let mut options = OpenOptions::new(key.clone());
    options.ballast_bytes = 0;
    options.free_space_gate = SpaceGate::Bytes(0);
    Ok(SledStore::open(dir, options)?)
}

fn context(options: &Options, store: Arc<SledStore>, clock: Arc<Clock>) -> Result<Context> {
    let mut config = EgressConfig::new("crm-host-tests", clock.clone(), Arc::new(NoNames));
    let endpoints = DevEndpoints::new().with("acme", "login", &options.login)?.with("acme", "api", &options.api)?;
    config.dev_endpoints = Some(endpoints.with("acme", "authorize", &format!("{}/auth", options.login))?);
    let mut operator = OperatorCredentials::default();
    if let Some((id, secret)) = options.operator {
        operator.set("acme", "client_id", Zeroizing::new(id.to_owned()));
        operator.set("acme", "client_secret", Zeroizing::new(secret.to_owned()));
    }
    let config_of_sync = Config { public_url: options.public_url.map(str::to_owned), operator: Arc::new(operator), ..Config::default() };
    Ok(Context::new(store, Arc::new(Connector::new(options.mode)?), Egress::new(config)?, clock, config_of_sync))
}

fn router(ctx: &Context) -> Router {
    let gate = Arc::new(Gate::new(GateConfig::default()));
    let state =
        ApiState { ctx: ctx.clone(), gate: gate.clone(), metrics: Arc::new(String::new), draining: Arc::new(AtomicBool::new(false)) };
    crm_api::router(state).merge(crm_web::router(crm_web::WebState { ctx: ctx.clone(), gate, secure_cookies: true }))
}

async fn send(router: &Router, request: Request<Body>) -> Result<Answer> {
    let response = router.clone().oneshot(request).await?;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() })
}
