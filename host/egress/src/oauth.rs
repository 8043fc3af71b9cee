//! Renews OAuth 2 tokens: one refresher at a time per credential (a lock in this process, a word in the store between hosts),
//! and the new token on disk before its first use. A renewal runs to its end even when the run that asked for it is stopped:
//! an answer that is lost with its refresh token would lock the merchant out.

mod call;
mod grant;

use std::sync::Arc;

use crm_catalog::model::{Auth, AuthKind, Grant, Oauth2};
use crm_contract::ports::{CredentialError, Scope};
use crm_contract::secrets::Token;
use crm_contract::types::Throttle;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Duration, Instant};

use crate::auth::{LiveToken, REFUSED_MS, Refused, TokenAsk};
use crate::error::{Refusal, Stop};
use crate::plan::Plan;
use crate::session::Core;
use crate::unsealed::{Unsealed, stop};

/// How long a host's word that it is renewing holds at most: longer than its call may take.
const ANNOUNCED_MS: u64 = 25_000;
/// How long another host's renewal is waited for, and how often it is looked after.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);

/// Whose token it is. Owns what it needs, so that a renewal can outlive its run.
pub(crate) struct Holder {
    pub core: Arc<Core>,
    pub plan: Arc<Result<Plan, String>>,
    pub scope: Scope,
    pub auth: Auth,
    pub open: Arc<Unsealed>,
}

impl Core {
    /// A token that is good for a call now, from memory.
    pub(crate) fn kept_token(&self, auth: &Auth, open: &Unsealed, stale: Option<&LiveToken>) -> Option<Arc<LiveToken>> {
        open.token(&auth.name).filter(|t| self.usable(t, stale))
    }

    fn usable(&self, token: &LiveToken, stale: Option<&LiveToken>) -> bool {
        token.is_fresh(self.clock.now_ms()) && stale.is_none_or(|s| s.token.access != token.token.access)
    }
}

impl Holder {
    /// A token that is good for a call now. `stale` is the access token that the vendor has just refused.
    pub(crate) async fn token(self, stale: Option<Arc<LiveToken>>) -> Result<Arc<LiveToken>, Stop> {
        // The credential itself counts: after it was typed anew, an old refusal says nothing.
        let scope = &self.scope;
        let lane = format!("{}:{}{}:{}", scope.organization.len(), scope.organization, scope.connection.len(), scope.connection);
        let key = format!("{lane}{}:{}:{}", scope.manifest.connector.slug, self.auth.name, self.open.fingerprint);
        let flight = self.core.tokens.flight(key);
        let refused = flight.lock.clone().lock_owned().await;
        // Whoever held the lock before us may have renewed it.
        if let Some(kept) = self.core.kept_token(&self.auth, &self.open, stale.as_deref()) {
            return Ok(kept);
        }
        let renewal = tokio::spawn(async move { self.renewed(stale, refused).await });
        renewal.await.unwrap_or(Err(Stop::Unreachable))
    }

    async fn renewed(&self, stale: Option<Arc<LiveToken>>, mut refused: OwnedMutexGuard<Refused>) -> Result<Arc<LiveToken>, Stop> {
        let AuthKind::Oauth2(oauth) = &self.auth.kind else { return Err(Refusal::Manifest("no OAuth 2".into()).into()) };
        let plan = self.plan.as_ref().as_ref().map_err(|why| Refusal::Manifest(why.clone()))?;
        let stored = match self.turn(oauth, stale.as_deref()).await? {
            Turn::Use(token) => return Ok(self.keep(token)),
            Turn::Renew(stored) => stored,
        };
        let result = self.renew(plan, oauth, stored.as_ref(), &mut refused.0).await;
        if result.is_err() && spends(oauth) {
            let version = stored.as_ref().map_or(0, |t| t.version);
            // Its time runs out by itself.
            if let Err(error) = self.scope.credentials.end_renewal(&self.auth.name, version).await {
                tracing::debug!(%error, "the end of a renewal could not be noted");
            }
        }
        result
    }

    /// Whether it is our turn to renew: a refresh token that may be spent once must not be spent by two.
    async fn turn(&self, oauth: &Oauth2, stale: Option<&LiveToken>) -> Result<Turn, Stop> {
        let (credentials, name) = (&self.scope.credentials, &self.auth.name);
        let give_up = Instant::now() + PATIENCE;
        loop {
            let stored = credentials.token(name).await.map_err(stop)?.map(LiveToken::new);
            if let Some(token) = stored.as_ref().filter(|t| self.core.usable(t, stale)) {
                return Ok(Turn::Use(LiveToken::new(copy(&token.token))));
            }
            let stored = stored.map(|t| copy(&t.token));
            if !spends(oauth) {
                return Ok(Turn::Renew(stored));
            }
            let now = self.core.clock.now_ms();
            let version = stored.as_ref().map_or(0, |t| t.version);
            match credentials.begin_renewal(name, version, now, now.saturating_add(ANNOUNCED_MS)).await {
                Ok(()) => return Ok(Turn::Renew(stored)),
                Err(CredentialError::Conflict) => {}
                Err(CredentialError::Busy) => {
                    if Instant::now() >= give_up {
                        let after_seconds = u32::try_from(PATIENCE.as_secs()).ok();
                        return Err(Stop::Throttled(Throttle { after_seconds, limit: None }));
                    }
                    tokio::time::sleep(LOOK).await;
                }
                Err(error) => return Err(stop(error)),
            }
        }
    }

    async fn renew(
        &self,
        plan: &Plan,
        oauth: &Oauth2,
        stored: Option<&Token>,
        refused: &mut Option<(u64, u64, Refusal)>,
    ) -> Result<Arc<LiveToken>, Stop> {
        let (now, version) = (self.core.clock.now_ms(), stored.map_or(0, |t| t.version));
        if let Some((of, until, why)) = refused.as_ref()
            && *of == version
            && now < *until
        {
            return Err(why.clone().into());
        }
        let fresh = match self.core.ask_token(&self.scope, plan, oauth, &self.open, &TokenAsk::Renew(stored), stored).await {
            Ok(token) => token,
            Err(Stop::Refused(why @ Refusal::Credentials(_))) => {
                *refused = Some((version, now + REFUSED_MS, why.clone()));
                return Err(why.into());
            }
            Err(other) => return Err(other),
        };
        *refused = None;
        let credentials = &self.scope.credentials;
        match credentials.save_token(&self.auth.name, &fresh).await {
            Ok(()) => {
                let mut fresh = fresh;
                fresh.version = version + 1;
                Ok(self.keep(LiveToken::new(fresh)))
            }
            // Someone else was faster: theirs is the one that lives on.
            Err(CredentialError::Conflict) => match credentials.token(&self.auth.name).await.map_err(stop)? {
                Some(theirs) => Ok(self.keep(LiveToken::new(theirs))),
                None => Err(Stop::Unreachable),
            },
            // Not on disk, so not used: a token that dies with the host would lock the merchant out.
            Err(error) => Err(stop(error)),
        }
    }

    fn keep(&self, token: LiveToken) -> Arc<LiveToken> {
        let token = Arc::new(token);
        self.open.keep_token(&self.auth.name, token.clone());
        token
    }
}

enum Turn {
    /// Someone renewed it meanwhile.
    Use(LiveToken),
    Renew(Option<Token>),
}

/// Whether a renewal uses something up. The client alone can be named as often as one likes.
fn spends(oauth: &Oauth2) -> bool {
    oauth.grant != Grant::ClientCredentials
}

/// Tokens are not `Clone` on purpose; both ends are wiped.
fn copy(token: &Token) -> Token {
    Token {
        access: token.access.clone(),
        refresh: token.refresh.clone(),
        expires_at: token.expires_at,
        base: token.base.clone(),
        version: token.version,
    }
}
