//! Somebody at the application page, with a browser that runs no scripts: looks at the page, types, sends.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use crm_store::model::Kind;
use crm_sync::client::ClientAddr;
use crm_sync::domain::AuditEntry;
use crm_sync::services::records;
use crm_web::{WebState, Welcoming};
use http::Request;

use crate::client::{Answer, form_request};
use crate::world::{World, send};

/// The pages of a world, whose answers leave at once.
pub fn site(world: &World) -> Router {
    site_with(world, Welcoming::default())
}

pub fn site_with(world: &World, welcoming: Welcoming) -> Router {
    let welcoming = Welcoming { beat: std::time::Duration::ZERO, ..welcoming };
    crm_web::router_with(WebState { ctx: world.ctx.clone(), gate: world.state.gate.clone(), secure_cookies: true }, &welcoming)
}

pub async fn look(site: &Router, path: &str) -> anyhow::Result<Answer> {
    send(site, Request::get(path).body(Body::empty())?).await
}

/// Sends a form from an address.
pub async fn post(site: &Router, path: &str, from: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
    let mut request = form_request(path, fields);
    request.extensions_mut().insert(ClientAddr(from.parse()?));
    send(site, request).await
}

/// The stamp of the form on a page; empty where there is none.
pub fn stamp(page: &Answer) -> String {
    let after = page.text.split("name=\"stamp\" value=\"").nth(1).unwrap_or_default();
    after.split('"').next().unwrap_or_default().to_owned()
}

impl World {
    /// Lets time go by.
    pub fn later(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// Looks at the page, takes the time that a person takes, and sends the form with these fields besides the stamp.
    pub async fn apply(&self, site: &Router, program: &str, from: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let path = format!("/p/{program}");
        let stamp = stamp(&look(site, &path).await?);
        self.later(5_000);
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("stamp", stamp.as_str())]).collect();
        post(site, &path, from, &fields).await
    }

    /// Ann's audit log: actions, oldest first.
    pub async fn audit(&self) -> anyhow::Result<Vec<AuditEntry>> {
        let found = records::all::<AuditEntry>(&self.ctx, &self.ann.organization).await?;
        // It is kept newest first.
        Ok(found.into_iter().rev().map(|e| e.value).collect())
    }

    /// Everything that is kept as a document, of Ann and of nobody, as text.
    pub async fn kept(&self) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::new();
        for organization in [self.ann.organization.as_str(), ""] {
            for kind in [Kind::Affiliate, Kind::Invite, Kind::Audit, Kind::Idempotency, Kind::Campaign] {
                let page = self.ctx.store.page(organization, kind, None, 10_000).await?;
                all.extend(page.into_iter().map(|r| r.json));
            }
        }
        Ok(all)
    }
}
