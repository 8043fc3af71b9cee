//! The connector, as a double of the engine: it asks whose account it is, and saves contacts.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestFault, GuestLog, Guests, Outbound};
use crm_contract::types::*;

#[derive(Clone)]
pub(crate) struct Connector {
    manifest: Arc<Manifest>,
}

impl Connector {
    /// With all of its modes, or this one only.
    pub(crate) fn new(mode: Option<&str>) -> anyhow::Result<Self> {
        let mut manifest = crm_catalog::parse(include_str!("acme.toml"), "acme.toml").map_err(|e| anyhow::anyhow!("{e:?}"))?;
        manifest.auth.retain(|auth| mode.is_none_or(|only| auth.mode == only));
        Ok(Self { manifest: Arc::new(manifest) })
    }
}

fn digest() -> Digest {
    Digest("ac".repeat(32))
}

fn told(text: impl Into<String>) -> Told {
    Told { code: "acme".into(), text: text.into() }
}

async fn ask(out: &Arc<dyn Outbound>, call: &str, body: Body) -> Result<serde_json::Value, Error> {
    let request = Request { call: call.to_owned(), body, ..Request::default() };
    match out.send(request).await {
        Ok(response) if response.status == 200 => Ok(serde_json::from_slice(&response.body).unwrap_or_default()),
        Ok(response) if response.status == 401 => {
            Err(Error::Credentials(Refusal { trouble: Trouble::Invalid, told: told("the token is not accepted") }))
        }
        Ok(response) => Err(Error::Retryable(told(format!("status {}", response.status)))),
        Err(Unanswered::Throttled(throttle)) => Err(Error::RateLimited(throttle)),
        // What egress refuses means nothing to a connector.
        Err(other) => Err(Error::Retryable(told(format!("{other:?}")))),
    }
}

#[async_trait]
impl Guests for Connector {
    async fn call(&self, _: &Digest, asked: Invocation, out: Arc<dyn Outbound>, _: Arc<dyn GuestLog>) -> Result<Answer, GuestFault> {
        match asked {
            Invocation::Verify { .. } => Ok(Answer::Account(ask(&out, "me", Body::None).await.map(|me| Account {
                id: me["id"].as_str().map(str::to_owned),
                name: me["name"].as_str().map(str::to_owned),
                ..Account::default()
            }))),
            Invocation::SyncContact { job } => {
                let body = serde_json::json!({ "email": job.who.email }).to_string();
                let done = Success { change: Change::Updated, standing: Standing::Normal, warnings: Vec::new() };
                let ending = ask(&out, "save", Body::Json(body)).await.map_or_else(Ending::Failed, |_| Ending::Done(done));
                Ok(Answer::Report(Report { known: Known::default(), ending }))
            }
            _ => Err(GuestFault::Trapped("not made for this".into())),
        }
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        vec![(digest(), self.manifest.clone())]
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        (slug == "acme").then(|| (digest(), self.manifest.clone()))
    }

    fn manifest(&self, of: &Digest) -> Option<Arc<Manifest>> {
        (*of == digest()).then(|| self.manifest.clone())
    }
}
