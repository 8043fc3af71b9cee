//! Two organizations with keys over one store, one of them with a bit of everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use crm_api::{ApiState, Limits};
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{MasterKey, SpaceGate};
use crm_sync::context::{Config, Context};
use crm_sync::domain::KeyScope;
use crm_sync::services::keys;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::client::{Answer, json_request};
use crate::vendor::{GOOD_KEY, Vendor};

/// A clock that tests move.
pub struct Clock(pub AtomicU64);

impl crm_contract::ports::Clock for Clock {
    fn now_ms(&self) -> u64 {
        // Never the same instant twice, so that ids keep their order.
        self.0.fetch_add(1, Ordering::SeqCst)
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
    pub vendor: Vendor,
    /// The same store as in `ctx`, for what only this back end has.
    pub sled: Arc<SledStore>,
    pub clock: Arc<Clock>,
    pub ann: Tenant,
    pub bob: Tenant,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn new() -> anyhow::Result<Self> {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let sled = open_store(dir.path())?;
        let vendor = Vendor::new(include_str!("../data/acme.toml"))?;
        let clock = Arc::new(Clock(AtomicU64::new(1_790_000_000_000)));
        let ctx = Context {
            store: sled.clone(),
            guests: Arc::new(vendor.clone()),
            gateway: Arc::new(vendor.clone()),
            clock: clock.clone(),
            config: Arc::new(Config::default()),
        };
        let state = ApiState { ctx: ctx.clone(), metrics: Arc::new(|| "up 1\n".to_owned()), draining: Arc::new(AtomicBool::new(false)) };
        let router = crm_api::router_with(state.clone(), limits);
        let (ann, bob) = (tenant(&ctx, "Ann's shop").await?, tenant(&ctx, "Bob's shop").await?);
        Ok(Self { ctx, router, state, vendor, sled, clock, ann, bob, _dir: dir })
    }

    pub async fn send(&self, request: Request<Body>) -> anyhow::Result<Answer> {
        send(&self.router, request).await
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
        let body = json!({ "name": slug, "slug": slug, "extra_tags": tags });
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
    let organization = keys::create_organization(ctx, name).await?.id;
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
