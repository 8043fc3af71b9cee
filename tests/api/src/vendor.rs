//! A made-up vendor with its connector and its gateway: just enough behaviour for the API to have something to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use crm_catalog::model::{Effect, Manifest, Stage};
use crm_contract::ports::*;
use crm_contract::types::*;

/// The only key that the vendor accepts. Nothing that the API answers may ever hold it.
pub const GOOD_KEY: &str = "acme-secret-canary-8c1f0a97";

/// Connector and gateway in one: both are fakes behind the host's ports.
#[derive(Clone)]
pub struct Vendor {
    manifest: Arc<Manifest>,
    /// Calls that really left.
    pub sent: Arc<AtomicU64>,
}

impl Vendor {
    pub fn new(manifest: &str) -> anyhow::Result<Self> {
        Ok(Self { manifest: Arc::new(toml::from_str(manifest)?), sent: Arc::default() })
    }

    fn digest() -> Digest {
        Digest("ab".repeat(32))
    }
}

#[async_trait]
impl Guests for Vendor {
    async fn call(&self, _: &Digest, asked: Invocation, out: Arc<dyn Outbound>, log: Arc<dyn GuestLog>) -> Result<Answer, GuestFault> {
        log.line(LogLevel::Info, "hello");
        match asked {
            Invocation::Verify { .. } => Ok(Answer::Account(verify(&out).await)),
            Invocation::ListChoices { picker, cursor, .. } => Ok(Answer::Page(choices(&out, &picker, cursor).await)),
            Invocation::Prepare { tags, apply, .. } => Ok(Answer::Prepared(Ok(prepare(tags, apply)))),
            Invocation::SyncContact { job } => Ok(Answer::Report(sync(&out, job).await)),
            Invocation::UntagContact { .. } | Invocation::LookupContact { .. } => Err(GuestFault::Trapped("not made for this".to_owned())),
        }
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        vec![(Self::digest(), self.manifest.clone())]
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        (slug == self.manifest.connector.slug).then(|| (Self::digest(), self.manifest.clone()))
    }

    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        (*digest == Self::digest()).then(|| self.manifest.clone())
    }
}

fn told(code: &str, text: &str) -> Told {
    Told { code: code.to_owned(), text: text.to_owned() }
}

async fn ask(out: &Arc<dyn Outbound>, call: &str, body: Body) -> Result<Response, Error> {
    let request = Request { call: call.to_owned(), body, ..Request::default() };
    let response = out.send(request).await.map_err(|e| Error::Retryable(told("none", &format!("{e:?}"))))?;
    match response.status {
        200 => Ok(response),
        401 => Err(Error::Credentials(Refusal { trouble: Trouble::Invalid, told: told("401", "Your API key does not authenticate.") })),
        status => Err(Error::Retryable(told(&status.to_string(), "the vendor is unwell"))),
    }
}

async fn verify(out: &Arc<dyn Outbound>) -> Result<Account, Error> {
    ask(out, "me", Body::None).await?;
    Ok(Account { id: Some("acct-7".to_owned()), name: Some("Acme Ltd".to_owned()), ..Account::default() })
}

async fn choices(out: &Arc<dyn Outbound>, picker: &str, cursor: Option<String>) -> Result<Page, Error> {
    ask(out, "lists", Body::None).await?;
    let all: Vec<Choice> = (1..=5)
        .map(|n| Choice {
            id: format!("{picker}-{n}"),
            name: format!("The {picker} number {n}"),
            detail: None,
            selectable: n != 5,
            facts: vec![Pair::new(format!("{picker}.owner"), n.to_string())],
        })
        .collect();
    let start: usize = cursor.and_then(|c| c.parse().ok()).unwrap_or(0);
    let items: Vec<Choice> = all.iter().skip(start).take(2).cloned().collect();
    let next = (start + 2 < all.len()).then(|| (start + 2).to_string());
    Ok(Page { items, next })
}

fn prepare(tags: Vec<String>, apply: bool) -> Prepared {
    let missing =
        tags.iter().map(|t| Choice { id: format!("tag:{t}"), name: t.clone(), detail: None, selectable: true, facts: Vec::new() });
    if apply {
        let made = tags.iter().map(|t| Binding { name: t.clone(), wire: t.to_lowercase(), id: Some("9".to_owned()) }).collect();
        Prepared { facts: vec![Pair::new("seen", "yes")], tags: made, to_create: Vec::new() }
    } else {
        Prepared { facts: Vec::new(), tags: Vec::new(), to_create: missing.collect() }
    }
}

async fn sync(out: &Arc<dyn Outbound>, job: Job) -> Report {
    let mut person = serde_json::json!({ "email": job.who.email });
    if let Some(first) = &job.who.first {
        person["first"] = serde_json::json!(first);
    }
    let known = Known { contact_id: Some("1".to_owned()), ..Known::default() };
    for (call, body) in [("save", person), ("tag", serde_json::json!({ "tags": job.set }))] {
        if let Err(error) = ask(out, call, Body::Json(body.to_string())).await {
            return Report { known, ending: Ending::Failed(error) };
        }
    }
    let success = Success { change: Change::Created, standing: Standing::Normal, warnings: Vec::new() };
    Report { known, ending: Ending::Done(success) }
}

impl Gateway for Vendor {
    fn open(&self, scope: Scope, mode: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        Arc::new(Way { scope, mode, journal, sent: self.sent.clone() })
    }

    fn ready_at(&self, _: &Scope, _: u32) -> Option<u64> {
        None
    }

    fn throttled(&self, _: &Scope, _: Option<&str>, _: Option<u32>) {}
}

struct Way {
    scope: Scope,
    mode: Mode,
    journal: Arc<dyn Journal>,
    sent: Arc<AtomicU64>,
}

#[async_trait]
impl Outbound for Way {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let secrets = self.scope.credentials.unseal().await.map_err(|e| Unanswered::Refused(e.to_string()))?;
        let call = self.scope.manifest.call(&request.call).ok_or_else(|| Unanswered::Refused("not declared".to_owned()))?;
        let status = if self.mode == Mode::Live && secrets.get("api_key") != Some(GOOD_KEY) { 401 } else { 200 };
        if self.mode == Mode::Live {
            self.sent.fetch_add(1, Ordering::SeqCst);
        }
        let body = match &request.body {
            Body::Json(text) => Some(text.clone()),
            _ => None,
        };
        let response = Response { status, headers: Vec::new(), body: b"{}".to_vec() };
        let shown = ShownRequest {
            method: call.method.as_str().to_owned(),
            url: format!("https://acme.example/v1{}", call.path),
            headers: vec![("api-key".to_owned(), "{secret:api_key}".to_owned())],
            body,
        };
        let step = StepRecord {
            key: StepKey { call: request.call.clone(), hash: "h".to_owned(), occurrence: 0 },
            effect: if self.scope.stage == Stage::Sync { Effect::Idempotent } else { Effect::Read },
            request: shown,
            outcome: StepOutcome::Answered(response.clone()),
            good: status == 200,
            reused: false,
            at: 0,
            took_ms: 1,
        };
        self.journal.record(step).await.map_err(|e| Unanswered::Refused(e.to_string()))?;
        Ok(response)
    }
}
