//! A call to a token endpoint: through the same address checks and caps as every other call, under the limits that the
//! manifest names for it, and in no journal.

use crm_catalog::host::host_allowed;
use crm_catalog::model::Oauth2;
use crm_contract::ports::Scope;
use crm_contract::secrets::Token;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::Duration;
use url::Url;

use crate::answer::Raw;
use crate::auth::{NoToken, TokenAsk, TokenCall, read_token};
use crate::error::{Refusal, Stop};
use crate::net::{UrlRefused, check_url_text};
use crate::plan::Plan;
use crate::send::Outgoing;
use crate::session::Core;
use crate::target::{Aim, target};
use crate::unsealed::Unsealed;
use crate::values::Values;

const TOKEN_TIMEOUT: Duration = Duration::from_secs(20);
const TOKEN_BYTES: usize = 64 * 1_024;

impl Core {
    /// Asks for a token. `stored` is what it replaces.
    pub(super) async fn ask_token(
        &self,
        scope: &Scope,
        plan: &Plan,
        oauth: &Oauth2,
        open: &Unsealed,
        ask: &TokenAsk<'_>,
        stored: Option<&Token>,
    ) -> Result<Token, Stop> {
        let started = self.clock.now_ms();
        let read = |raw: &Raw| read_token(oauth, raw.status, &raw.body, stored, started);
        let (answer, _) = self.ask(scope, plan, oauth, open, &oauth.token_path, ask, read).await?;
        metrics::counter!("egress_token_renewals_total", "connector" => plan.slug.to_string(), "good" => answer.is_ok().to_string())
            .increment(1);
        let (doing, then) = match ask {
            TokenAsk::Code { .. } => ("to exchange the code", ""),
            _ if oauth.authorize_url.is_some() => ("to renew the token", ": connect again"),
            _ => ("to renew the token", ""),
        };
        match answer {
            Ok(token) => {
                check_base(plan, &token)?;
                Ok(token)
            }
            Err(NoToken::Refused(word)) => Err(Refusal::Credentials(format!("the vendor refused {doing} ({word}){then}")).into()),
            Err(NoToken::Throttled) => Err(self.token_throttle(scope, plan, oauth)),
            Err(NoToken::Unwell) => Err(Stop::Unreachable),
        }
    }

    /// Ends a token. `Ok` = the vendor says that it is no longer valid.
    pub(super) async fn ask_revocation(
        &self,
        scope: &Scope,
        plan: &Plan,
        oauth: &Oauth2,
        open: &Unsealed,
        path: &str,
        token: &Token,
    ) -> Result<(), Stop> {
        let ask = TokenAsk::Revoke(token);
        let read = |raw: &Raw| if raw.status == 429 { Err(NoToken::Throttled) } else { Ok(raw.status) };
        match self.ask(scope, plan, oauth, open, path, &ask, read).await? {
            (Ok(200..=299), _) => Ok(()),
            (Ok(400..=499), status) => Err(Refusal::Credentials(format!("the vendor did not end the token (status {status})")).into()),
            (Err(NoToken::Throttled), _) => Err(self.token_throttle(scope, plan, oauth)),
            _ => Err(Stop::Unreachable),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one exchange, seen from two callers")]
    async fn ask<T>(
        &self,
        scope: &Scope,
        plan: &Plan,
        oauth: &Oauth2,
        open: &Unsealed,
        path: &str,
        ask: &TokenAsk<'_>,
        read: impl FnOnce(&Raw) -> Result<T, NoToken>,
    ) -> Result<(Result<T, NoToken>, u16), Stop> {
        let at = plan.manifest.endpoints.iter().position(|e| e.name == oauth.token_endpoint);
        let at = at.ok_or_else(|| Refusal::Manifest(format!("token endpoint {:?} is not declared", oauth.token_endpoint)))?;
        let values = Values { plan, secrets: Some(&open.secrets), on: &scope.on };
        let aim = Aim { values: &values, probe: None, found: scope.choice.as_deref(), token: None, dev: self.dev.as_ref() };
        let target = target(plan, at, &aim)?;
        let text = format!("{}{path}", target.base);
        let url = Url::parse(&text).map_err(|_| Refusal::Manifest(format!("{path:?} below the token endpoint makes no URL")))?;
        let call = TokenCall::new(oauth, &values, ask)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.extend(call.authorization.map(|v| (AUTHORIZATION, v)));
        let body = Some(bytes::Bytes::copy_from_slice(call.form.as_bytes()));
        let out = Outgoing { method: Method::POST, url, headers, body, timeout: TOKEN_TIMEOUT, max_bytes: TOKEN_BYTES };
        let drawn = self.limits.drawn_by_tokens(plan, scope, oauth, self.clock.now_ms());
        let permit = self.acquire(&drawn, 1, None).await?;
        let raw = match self.transmit(&plan.slug, &target, out).await {
            Ok(raw) => raw,
            Err(failed) => {
                permit.done(false, failed.sent);
                return Err(failed.why);
            }
        };
        let answer = read(&raw);
        let throttled = matches!(answer, Err(NoToken::Throttled));
        self.learn(plan, &drawn, if throttled { 429 } else { raw.status }, &raw.headers);
        permit.done((400..500).contains(&raw.status) && !throttled, true);
        Ok((answer, raw.status))
    }

    /// The token endpoint is tired of us: when it may be asked again, by what was learnt from its answer.
    fn token_throttle(&self, scope: &Scope, plan: &Plan, oauth: &Oauth2) -> Stop {
        let now = self.clock.now_ms();
        Stop::Throttled(self.limits.drawn_by_tokens(plan, scope, oauth, now).throttle(now))
    }
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
    if allowed { Ok(()) } else { Err(refuse("token.base", UrlRefused::HostNotAllowed)) }
}
