//! Renews OAuth 2 tokens: one refresher at a time per credential, the new token on disk before its first use, and never a
//! token call that the manifest does not declare. The exchange stays out of every journal.

use std::sync::Arc;

use crm_catalog::host::host_allowed;
use crm_catalog::model::{Auth, Oauth2};
use crm_contract::ports::{CredentialError, Scope};
use crm_contract::secrets::Token;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::Duration;
use url::Url;

use crate::auth::{LiveToken, REFUSED_MS, TokenCall, parse_answer};
use crate::error::{Refusal, Stop};
use crate::net::check_url_text;
use crate::plan::Plan;
use crate::send::Outgoing;
use crate::session::Core;
use crate::target::{Aim, target};
use crate::unsealed::{Unsealed, stop};
use crate::values::Values;

const TOKEN_TIMEOUT: Duration = Duration::from_secs(20);
const TOKEN_BYTES: usize = 64 * 1_024;

impl Core {
    /// A token that is good for a call now. `stale` is the access token that the vendor has just refused.
    pub(crate) async fn token(
        &self,
        scope: &Scope,
        plan: &Plan,
        auth: &Auth,
        oauth: &Oauth2,
        open: &Unsealed,
        stale: Option<&LiveToken>,
    ) -> Result<Arc<LiveToken>, Stop> {
        let usable = |t: &LiveToken| t.is_fresh(self.clock.now_ms()) && stale.is_none_or(|s| s.token.access != t.token.access);
        if let Some(kept) = open.token(&auth.name).filter(|t| usable(t)) {
            return Ok(kept);
        }
        // The credential itself counts: after it was typed anew, an old refusal says nothing.
        let lane = format!("{}:{}{}:{}", scope.organization.len(), scope.organization, scope.connection.len(), scope.connection);
        let key = format!("{lane}{}:{}:{}", plan.slug, auth.name, open.fingerprint);
        let flight = self.tokens.flight(key);
        let mut refused = flight.lock.lock().await;
        // Whoever held the lock before us may have renewed it.
        let stored = scope.credentials.token(&auth.name).await.map_err(stop)?.map(LiveToken::new);
        if let Some(stored) = stored {
            if usable(&stored) {
                return Ok(keep(open, auth, stored));
            }
            let version = stored.token.version;
            self.renew(scope, plan, auth, oauth, open, Some(&stored.token), version, &mut refused.0).await
        } else {
            self.renew(scope, plan, auth, oauth, open, None, 0, &mut refused.0).await
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `token`, split for reading")]
    async fn renew(
        &self,
        scope: &Scope,
        plan: &Plan,
        auth: &Auth,
        oauth: &Oauth2,
        open: &Unsealed,
        stored: Option<&Token>,
        version: u64,
        refused: &mut Option<(u64, u64, Refusal)>,
    ) -> Result<Arc<LiveToken>, Stop> {
        let now = self.clock.now_ms();
        if let Some((of, until, why)) = refused.as_ref()
            && *of == version
            && now < *until
        {
            return Err(why.clone().into());
        }
        let fresh = match self.token_call(scope, plan, auth, oauth, open, stored).await {
            Ok(token) => token,
            Err(Stop::Refused(why @ Refusal::Credentials(_))) => {
                *refused = Some((version, now + REFUSED_MS, why.clone()));
                return Err(why.into());
            }
            Err(other) => return Err(other),
        };
        *refused = None;
        match scope.credentials.save_token(&auth.name, &fresh).await {
            Ok(()) => {
                let mut fresh = fresh;
                fresh.version = version + 1;
                Ok(keep(open, auth, LiveToken::new(fresh)))
            }
            // Someone else was faster: theirs is the one that lives on.
            Err(CredentialError::Conflict) => match scope.credentials.token(&auth.name).await.map_err(stop)? {
                Some(theirs) => Ok(keep(open, auth, LiveToken::new(theirs))),
                None => Err(Stop::Unreachable),
            },
            // Not on disk, so not used: a token that dies with the host would lock the merchant out.
            Err(error) => Err(stop(error)),
        }
    }

    async fn token_call(
        &self,
        scope: &Scope,
        plan: &Plan,
        auth: &Auth,
        oauth: &Oauth2,
        open: &Unsealed,
        stored: Option<&Token>,
    ) -> Result<Token, Stop> {
        let at = plan.manifest.endpoints.iter().position(|e| e.name == oauth.token_endpoint);
        let at = at.ok_or_else(|| Refusal::Manifest(format!("auth {:?}: its token endpoint is not declared", auth.name)))?;
        let values = Values { plan, secrets: Some(&open.secrets), on: &scope.on };
        let aim = Aim { values: &values, probe: None, found: scope.choice.as_deref(), token: None, dev: self.dev.as_ref() };
        let target = target(plan, at, &aim)?;
        let text = format!("{}{}", target.base, oauth.token_path);
        let url = Url::parse(&text).map_err(|_| Refusal::Manifest(format!("auth {:?}: its token path makes no URL", auth.name)))?;
        let call = TokenCall::new(oauth, &values, stored)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.extend(call.authorization.map(|v| (AUTHORIZATION, v)));
        let body = Some(bytes::Bytes::copy_from_slice(call.form.as_bytes()));
        let out = Outgoing { method: Method::POST, url, headers, body, timeout: TOKEN_TIMEOUT, max_bytes: TOKEN_BYTES };
        let started = self.clock.now_ms();
        let raw = self.transmit(&plan.slug, &target, out).await.map_err(|failed| failed.why)?;
        let answer = parse_answer(oauth, &raw.body, stored, started);
        metrics::counter!("egress_token_renewals_total", "connector" => plan.slug.to_string(), "good" => answer.is_ok().to_string())
            .increment(1);
        match (raw.status, answer) {
            (200..=299, Ok(token)) => {
                check_base(plan, &token)?;
                Ok(token)
            }
            (429 | 500.., _) => Err(Stop::Unreachable),
            (_, Err(Some(word))) => Err(Refusal::Credentials(format!("the vendor refused to renew the token ({word})")).into()),
            (status, _) => Err(Refusal::Credentials(format!("the vendor refused to renew the token (status {status})")).into()),
        }
    }
}

fn keep(open: &Unsealed, auth: &Auth, token: LiveToken) -> Arc<LiveToken> {
    let token = Arc::new(token);
    open.keep_token(&auth.name, token.clone());
    token
}

/// The base URL of a token answer must match the manifest before the token is kept at all.
fn check_base(plan: &Plan, token: &Token) -> Result<(), Refusal> {
    let Some(base) = &token.base else { return Ok(()) };
    let mut users = plan.manifest.endpoints.iter().filter(|e| e.url.contains("{token.base}")).peekable();
    if users.peek().is_none() {
        return Ok(());
    }
    let refuse = |endpoint: &str, why| Refusal::Url { endpoint: endpoint.to_owned(), why };
    let checked = check_url_text(base, None).map_err(|why| refuse("token.base", why))?;
    let allowed = users.any(|e| e.public_host || e.allow.iter().any(|p| host_allowed(p, &checked.host)));
    if allowed { Ok(()) } else { Err(refuse("token.base", crate::net::UrlRefused::HostNotAllowed)) }
}
