//! Two organizations with keys over one store, one of them with a bit of everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use crm_api::{ApiState, Limits};
use crm_simulation::engine::{Engine, Life};
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{FileSpool, MasterKey, SpaceGate};
use crm_sync::context::{Config, Context};
use crm_sync::domain::KeyScope;
use crm_sync::quota::Rate;
use crm_sync::services::gate::{Gate, GateConfig};
use crm_sync::services::releases::{Shelf, SignaturePolicy, TrustRoots};
use crm_sync::services::{keys, organizations};
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::client::{Answer, json_request};
use crate::courier::Courier;
use crate::documented::Documented;
use crate::vendor::{GOOD_KEY, Vendor};

/// Where the world's host says that browsers reach it.
pub const PUBLIC_URL: &str = "https://crm.example";

/// A clock that tests move; with an instant, one that also goes by itself from there.
pub struct Clock(pub AtomicU64, Option<Instant>);

impl crm_contract::ports::Clock for Clock {
    fn now_ms(&self) -> u64 {
        // Never the same instant twice, so that ids keep their order.
        let gone = self.1.map_or(0, |began| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.0.fetch_add(1, Ordering::SeqCst) + gone
    }
}

/// How a world is made, where it is not the usual one.
pub struct Setup {
    pub limits: Limits,
    /// Wrong keys are not counted unless a test is about them: tests show many.
    pub gate: GateConfig,
    /// When the world begins.
    pub now: u64,
    /// Time goes by itself: for worlds that are served.
    pub running: bool,
    /// Connectors come and go, signed by this key.
    pub trusted_key: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        let gate = GateConfig { wrong: Rate::per_minute(0), ..GateConfig::default() };
        Self { limits: Limits::default(), gate, now: 1_790_000_000_000, running: false, trusted_key: None }
    }
}

/// One organization and its keys.
pub struct Tenant {
    pub organization: String,
    pub key: String,
    pub read_key: String,
    pub key_id: String,
}

pub struct World {
    pub ctx: Context,
    pub router: Router,
    pub state: ApiState,
    documented: Documented,
    pub vendor: Vendor,
    /// What became of webhooks.
    pub courier: Courier,
    /// The same store as in `ctx`, for what only this back end has.
    pub sled: Arc<SledStore>,
    pub clock: Arc<Clock>,
    pub spool: FileSpool,
    pub ann: Tenant,
    pub bob: Tenant,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn new() -> anyhow::Result<Self> {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> anyhow::Result<Self> {
        Self::set_up(Setup { limits, ..Setup::default() }).await
    }

    /// One whose connectors come and go: the operator's key `release` is trusted, and no version is there yet.
    pub async fn with_versions(key: &str) -> anyhow::Result<Self> {
        Self::set_up(Setup { trusted_key: Some(key.to_owned()), ..Setup::default() }).await
    }

    pub async fn set_up(Setup { limits, gate, now, running, trusted_key }: Setup) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let sled = open_store(dir.path())?;
        let vendor = Vendor::new(include_str!("../data/acme.toml"))?;
        let clock = Arc::new(Clock(AtomicU64::new(now), running.then(Instant::now)));
        let config = Config { public_url: Some(PUBLIC_URL.to_owned()), ..Config::default() };
        let ctx = Context::new(sled.clone(), Arc::new(vendor.clone()), Arc::new(vendor.clone()), clock.clone(), config);
        let spool = FileSpool::open(&dir.path().join("imports"), SpaceGate::Bytes(0))?;
        let courier = Courier::default();
        let ctx = ctx.with_spool(Arc::new(spool.clone())).sending(Arc::new(courier.clone()));
        let ctx = match &trusted_key {
            None => ctx,
            Some(key) => {
                let engine = Arc::new(Engine::over(Arc::new(vendor.clone()), Life::immortal()));
                let files = FileSpool::open(&dir.path().join("versions"), SpaceGate::Bytes(0))?;
                let trust = TrustRoots::new([("release", key.as_str())], SignaturePolicy::Remote)?;
                let shelf = Arc::new(Shelf::new(engine.clone(), Arc::new(files), trust, limits.connector_bytes));
                Context { guests: engine, ..ctx }.with_releases(shelf)
            }
        };
        let state = ApiState {
            ctx: ctx.clone(),
            gate: Arc::new(Gate::new(gate)),
            metrics: Arc::new(|| "up 1\n".to_owned()),
            draining: Arc::new(AtomicBool::new(false)),
        };
        let documented = Documented::new(&state);
        let router = crm_api::router_with(state.clone(), limits);
        let (ann, bob) = (tenant(&ctx, "Ann's shop").await?, tenant(&ctx, "Bob's shop").await?);
        Ok(Self { ctx, router, state, documented, vendor, courier, sled, clock, spool, ann, bob, _dir: dir })
    }

    /// Sends a request; fails on an answer that the document does not foresee.
    pub async fn send(&self, request: Request<Body>) -> anyhow::Result<Answer> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = send(&self.router, request).await?;
        self.documented.check(&method, &path, &answer)?;
        Ok(answer)
    }

    /// As Ann, with JSON.
    pub async fn ann(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send(json_request(&method, path, &self.ann.key, &body)).await
    }

    /// As Bob, with JSON.
    pub async fn bob(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send(json_request(&method, path, &self.bob.key, &body)).await
    }

    /// Connects Ann's account; answers the connection's id.
    pub async fn connect(&self) -> anyhow::Result<String> {
        let body = json!({ "connector": "acme", "credentials": { "app_id": "app-1234", "api_key": GOOD_KEY } });
        id_of(&self.ann(Method::POST, "/v1/connections", body).await?)
    }

    /// Makes a campaign of Ann's; answers its id.
    pub async fn campaign(&self, slug: &str, tags: &[&str]) -> anyhow::Result<String> {
        let body = json!({ "name": slug, "slug": slug, "commission": { "model": "rev_share", "percent": "25" }, "extra_tags": tags });
        id_of(&self.ann(Method::POST, "/v1/campaigns", body).await?)
    }

    /// Makes an affiliate of Ann's; answers its id.
    pub async fn affiliate(&self, campaign: &str, email: &str) -> anyhow::Result<String> {
        let body = json!({ "campaign": campaign, "email": email, "first": "Zoë" });
        id_of(&self.ann(Method::POST, "/v1/affiliates", body).await?)
    }

    /// The OpenAPI document.
    pub async fn openapi(&self) -> anyhow::Result<Value> {
        Ok(self.ann(Method::GET, "/openapi.json", Value::Null).await?.json())
    }
}

/// Sends a request through a router in memory.
pub async fn send(router: &Router, request: Request<Body>) -> anyhow::Result<Answer> {
    let response = router.clone().oneshot(request).await?;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn id_of(answer: &Answer) -> anyhow::Result<String> {
    let json = answer.json();
    Ok(json["id"].as_str().with_context(|| format!("{} {}", answer.status, answer.text))?.to_owned())
}

async fn tenant(ctx: &Context, name: &str) -> anyhow::Result<Tenant> {
    let organization = organizations::create(ctx, name, false).await?.id;
    let full = keys::create_key(ctx, &organization, "full", KeyScope::ReadWrite).await?;
    let read = keys::create_key(ctx, &organization, "read", KeyScope::Read).await?;
    Ok(Tenant { organization, key: full.secret, read_key: read.secret, key_id: full.record.id })
}

fn open_store(dir: &std::path::Path) -> anyhow::Result<Arc<SledStore>> {
    let mut options = OpenOptions::new(MasterKey::generate()?);
    options.ballast_bytes = 0;
    options.free_space_gate = SpaceGate::Bytes(0);
    Ok(SledStore::open(dir, options)?)
}
