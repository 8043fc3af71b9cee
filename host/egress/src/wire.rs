//! A request that passed the guest's checks, on its way out and back: checks 5 and 9 to 16.

use std::sync::Arc;

use crm_catalog::model::{Auth, AuthKind, Effect, Method};
use crm_contract::ports::{JournalError, Mode, ShownRequest, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Pair, Response, Unanswered};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::{Duration, Instant};
use url::Url;

use crate::answer::{Raw, good, keep, redacted};
use crate::auth::{Applied, LiveToken, apply};
use crate::echo::Echo;
use crate::error::{Refusal, Stop};
use crate::oauth::Holder;
use crate::plan::Plan;
use crate::request::{Declared, Payload, encoded_query};
use crate::send::{Failed, Outgoing};
use crate::session::Session;
use crate::target::{Aim, Target, needs_token, target};
use crate::unsealed::Unsealed;
use crate::values::Values;

/// Longest URL with its query, in bytes: what common servers take in a request line.
const MAX_LINE: usize = 8_000;

pub(crate) struct Draft<'s, 'r> {
    pub session: &'s Session,
    pub plan: &'s Plan,
    pub declared: Declared<'s, 'r>,
    pub auth: Option<&'s Auth>,
    pub open: Option<Arc<Unsealed>>,
    pub path: String,
    pub query: Vec<Pair>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub payload: Payload,
}

impl Draft<'_, '_> {
    fn values(&self) -> Values<'_> {
        Values { plan: self.plan, secrets: self.open.as_ref().map(|o| &o.secrets), on: &self.session.scope.on }
    }

    fn oauth(&self) -> Option<&Auth> {
        self.auth.filter(|auth| matches!(auth.kind, AuthKind::Oauth2(_)))
    }

    /// 5. Endpoint to URL. Renews a token first where only a token answer names the host.
    pub(crate) async fn target(&self) -> Result<Target, Stop> {
        let mut token = None;
        if needs_token(self.plan, self.declared.plan.endpoint) && self.session.mode == Mode::Live {
            token = self.token(None).await?;
        }
        Ok(self.aim(token.as_deref())?)
    }

    fn aim(&self, token: Option<&LiveToken>) -> Result<Target, Refusal> {
        let session = self.session;
        let values = self.values();
        let kept = self.auth.and_then(|a| self.open.as_ref()?.token(&a.name));
        let aim = Aim {
            values: &values,
            probe: self.declared.probe,
            found: session.scope.choice.as_deref(),
            token: token.or(kept.as_deref()),
            dev: session.core.dev.as_ref(),
        };
        target(self.plan, self.declared.plan.endpoint, &aim)
    }

    async fn token(&self, stale: Option<&Arc<LiveToken>>) -> Result<Option<Arc<LiveToken>>, Stop> {
        let (Some(auth), Some(open)) = (self.oauth(), &self.open) else { return Ok(None) };
        let session = self.session;
        if let Some(kept) = session.core.kept_token(auth, open, stale.map(Arc::as_ref)) {
            return Ok(Some(kept));
        }
        let holder = Holder {
            core: session.core.clone(),
            plan: session.plan.clone(),
            scope: session.scope.clone(),
            auth: auth.clone(),
            open: open.clone(),
        };
        holder.token(stale.cloned()).await.map(Some)
    }

    fn apply(&self, token: Option<&LiveToken>) -> Result<Applied, Refusal> {
        let now = self.session.core.clock.now_ms();
        apply(self.auth, &self.values(), token, self.declared.call, &self.query, &self.payload, now)
    }

    /// The endpoint's constant headers, filled; one without a value is left out.
    fn constants(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
        let values = self.values();
        let mut out = Vec::new();
        for (name, template) in &self.plan.endpoint(self.declared.plan.endpoint).0.headers {
            let Some(filled) = values.fill(template) else { continue };
            if filled.shown != *filled.real {
                return Err(Refusal::Manifest(format!("header {name} holds a secret, which belongs in [[auth]]")));
            }
            out.push((
                name.clone(),
                HeaderValue::from_str(&filled.real).map_err(|_| Refusal::Manifest(format!("header {name} is malformed")))?,
            ));
        }
        Ok(out)
    }

    /// The exact request, with secrets as labelled slots.
    pub(crate) fn shown(&self, target: &Target) -> Result<ShownRequest, Refusal> {
        let applied = self.apply(None)?;
        let query = self.query.iter().map(|p| (p.key.as_str(), p.value.as_str()));
        let mut url = format!("{}{}", target.base, self.path);
        let mut text = encoded_query(query);
        for (name, _, shown) in &applied.query {
            // Slots keep their braces, so that they read as slots.
            let shown = if shown.contains('{') { shown.clone() } else { encoded_query([("", shown.as_str())].into_iter()).split_off(1) };
            text = format!("{text}{}{name}={shown}", if text.is_empty() { "" } else { "&" });
        }
        if !text.is_empty() {
            url = format!("{url}?{text}");
        }
        let visible = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
        let mut headers: Vec<(String, String)> = Vec::new();
        headers.extend(self.constants()?.iter().map(|(n, v)| (n.to_string(), visible(v))));
        headers.extend(self.headers.iter().map(|(n, v)| (n.to_string(), visible(v))));
        let content_type = applied.body.as_ref().map_or(&self.payload.content_type, |b| &b.content_type);
        headers.extend(content_type.iter().map(|v| ("content-type".to_owned(), visible(v))));
        headers.extend(applied.headers.iter().map(|(n, _, shown)| (n.to_string(), shown.clone())));
        let body = match &applied.body {
            Some(new) => new.shown.clone(),
            None => self.payload.bytes.as_deref().map(Payload::shown),
        };
        Ok(ShownRequest { method: self.declared.call.method.as_str().to_owned(), url, headers, body })
    }

    /// 12. Authentication is applied last, onto a request that nothing can change any more.
    fn outgoing(&self, target: &Target, applied: Applied) -> Result<Outgoing, Refusal> {
        let guest = self.query.iter().map(|p| (p.key.as_str(), p.value.as_str()));
        let query = encoded_query(guest.chain(applied.query.iter().map(|(k, v, _)| (k.as_str(), v.as_str()))));
        let mut text = format!("{}{}", target.base, self.path);
        if !query.is_empty() {
            text.push('?');
            text.push_str(&query);
        }
        if text.len() > MAX_LINE {
            return Err(Refusal::QueryLong(MAX_LINE));
        }
        let url = Url::parse(&text).map_err(|_| Refusal::Manifest("the path makes no URL".into()))?;
        // Whatever the parser made of it must still be the host that was checked, and the path that was built.
        let path_kept =
            text.strip_prefix(url.origin().ascii_serialization().as_str()).is_some_and(|rest| rest.split('?').next() == Some(url.path()));
        if !path_kept {
            return Err(Refusal::PathValue { name: self.declared.call.name.clone(), why: "does not stay as it was checked" });
        }
        let mut headers = HeaderMap::with_capacity(8);
        headers.extend(self.constants()?);
        headers.extend(self.headers.iter().cloned());
        let (body, content_type) = match applied.body {
            Some(new) => (new.bytes, new.content_type),
            None => (self.payload.bytes.clone(), self.payload.content_type.clone()),
        };
        headers.extend(content_type.map(|v| (header::CONTENT_TYPE, v)));
        headers.extend(applied.headers.into_iter().map(|(n, v, _)| (n, v)));
        let timeout = Duration::from_millis(self.declared.plan.timeout_ms);
        Ok(Outgoing { method: method(self.declared.call.method), url, headers, body, timeout, max_bytes: self.declared.plan.max_bytes })
    }

    /// 9. to 16.
    pub(crate) async fn send(&mut self, key: StepKey, shown: ShownRequest, target: Target) -> Result<Response, Stop> {
        let session = self.session;
        let core = &session.core;
        let call = self.declared.call;
        let write = call.effect == Effect::Write;
        // A token is renewed before the limiter's slot is taken and before anything is announced.
        let token = match self.token(None).await {
            Ok(token) => token,
            Err(stop) => return self.unanswered(key, shown, stop, false).await,
        };
        let target = match token.as_deref() {
            Some(token) if needs_token(self.plan, self.declared.plan.endpoint) => self.aim(Some(token))?,
            _ => target,
        };
        // 9. A slot of every limit.
        let drawn = core.limits.drawn(self.plan, &session.scope, self.declared.plan, call, core.clock.now_ms());
        let permit = match core.acquire(&drawn, u64::from(call.cost.max(1)), session.promised.as_deref()).await {
            Ok(permit) => permit,
            Err(stop) => {
                session.uncount(&key);
                return Err(stop);
            }
        };
        // 10. A write is announced, on disk, before a byte leaves.
        if write {
            let announced = session.journal.intend(&key, &shown).await;
            if let Err(error) = announced {
                permit.done(false, false);
                return Err(match error {
                    JournalError::Fenced => Refusal::Fenced.into(),
                    JournalError::Unavailable(_) => Stop::Unreachable,
                });
            }
        }
        let at = core.clock.now_ms();
        let started = Instant::now();
        // 11. to 13. DNS happens inside the client, by the checked resolver, so what was checked is what is dialled.
        let mut made = Vec::new();
        let mut result = self.once(&target, token.as_deref(), &mut made).await;
        let mut tokens: Vec<Arc<LiveToken>> = token.into_iter().collect();
        // A token that ended early is renewed once. The vendor refused the call, so nothing has happened yet.
        if let (Ok(Raw { status: 401, .. }), Some(stale)) = (&result, tokens.first().cloned()) {
            match self.token(Some(&stale)).await {
                Ok(Some(fresh)) => {
                    tokens.push(fresh.clone());
                    result = match self.aim(Some(&fresh)) {
                        Ok(target) => self.once(&target, Some(&fresh), &mut made).await,
                        Err(refusal) => Err(Failed { why: refusal.into(), sent: false }),
                    };
                }
                Ok(None) => {}
                Err(why) => result = Err(Failed { why, sent: false }),
            }
        }
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        metrics::histogram!("egress_exchange_seconds", "connector" => self.plan.slug.to_string()).record(started.elapsed().as_secs_f64());
        let raw = match result {
            Ok(raw) => raw,
            Err(Failed { why, sent }) => {
                permit.done(false, sent);
                return self.unanswered(key, shown, why, sent).await;
            }
        };
        // 15. Limits learn before anyone else can ask them.
        let (status, bad) = (raw.status, (400..500).contains(&raw.status) && raw.status != 429);
        core.learn(self.plan, &drawn, status, &raw.headers);
        permit.done(bad, true);
        if matches!(status, 401 | 403) {
            core.open.close(&session.scope, self.plan);
        }
        // 14. No echo of a secret gets past this line.
        let made = Echo::new(made.iter().map(|m| m.as_bytes()));
        let mut echoes: Vec<&Echo> = self.open.iter().map(|o| &o.echo).collect();
        echoes.extend(tokens.iter().map(|t| &t.echo));
        echoes.push(&made);
        let (response, hits) = keep(self.declared.plan, raw, &echoes);
        if hits > 0 {
            metrics::counter!("egress_echoes_blanked_total", "connector" => self.plan.slug.to_string()).increment(hits as u64);
            tracing::warn!(
                egress.call = call.name,
                egress.echoes = hits,
                connection = session.scope.connection,
                "the vendor echoed a secret; it was blanked"
            );
        }
        // 16. The journal.
        let is_good = good(call, status);
        let outcome = StepOutcome::Answered(redacted(call, &response));
        session.note(StepRecord { key, effect: call.effect, request: shown, outcome, good: is_good, reused: false, at, took_ms }).await?;
        session.heard(self, &response, is_good);
        Ok(response)
    }

    async fn once(&self, target: &Target, token: Option<&LiveToken>, made: &mut Vec<zeroize::Zeroizing<String>>) -> Result<Raw, Failed> {
        let unsent = |refusal: Refusal| Failed { why: refusal.into(), sent: false };
        let mut applied = self.apply(token).map_err(unsent)?;
        made.extend(applied.made.take());
        let out = self.outgoing(target, applied).map_err(unsent)?;
        self.session.core.transmit(&self.plan.slug, target, out).await
    }

    /// No answer. A write whose bytes may have left keeps its intent and is unknown, now and for the next attempt; whatever
    /// certainly did not leave is noted as such, which settles an intent.
    async fn unanswered(&self, key: StepKey, shown: ShownRequest, why: Stop, sent: bool) -> Result<Response, Stop> {
        let session = self.session;
        let call = self.declared.call;
        if call.effect == Effect::Write && sent {
            return Err(Stop::UnknownOutcome);
        }
        if self.declared.plan.is_guard {
            session.guards.forget(&call.name);
        }
        let outcome = StepOutcome::Unanswered(Unanswered::from(why.clone()));
        let at = session.core.clock.now_ms();
        session.note(StepRecord { key, effect: call.effect, request: shown, outcome, good: false, reused: false, at, took_ms: 0 }).await?;
        Err(why)
    }
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    }
}
