//! The authorization code grant: where the merchant's browser goes, what the code is exchanged for, and the end of a grant at
//! disconnect (RFC 6749, 7636, 7009). Whose code it is, and that it is used once, is the caller's to know.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crm_catalog::model::{AuthKind, Grant, Oauth2};
use crm_contract::ports::{CodeRequest, GrantError, Scope};
use sha2::{Digest, Sha256};
use url::Url;

use crate::auth::TokenAsk;
use crate::error::{Refusal, Stop};
use crate::plan::Plan;
use crate::session::Core;
use crate::unsealed::{Unsealed, stop};
use crate::values::{Values, slot_or_template};

/// Name of the stand-in for the vendor's consent page among the endpoints on loopback.
const DEV_AUTHORIZE: &str = "authorize";

impl Core {
    /// Nothing is sent: this is a link.
    pub(crate) async fn authorize_url(&self, scope: &Scope, plan: &Plan, auth: &str, ask: &CodeRequest) -> Result<String, GrantError> {
        let oauth = code_grant(plan, scope, auth)?;
        let open = self.opened(scope, plan).await?;
        let values = Values { plan, secrets: Some(&open.secrets), on: &scope.on };
        let id = slot_or_template(&oauth.client_id).map_err(GrantError::Unsupported)?;
        let id = values.fill(&id).ok_or_else(|| GrantError::Refused(format!("{} is missing", oauth.client_id)))?;
        let declared = oauth.authorize_url.as_deref().unwrap_or_default();
        let broken = || GrantError::Unsupported(format!("auth {auth:?}: its authorize_url is no URL"));
        let mut url = Url::parse(declared).map_err(|_| broken())?;
        if let Some(stand_in) = self.dev.as_ref().and_then(|d| d.find(&plan.slug, DEV_AUTHORIZE, scope.choice.as_deref())) {
            let query = url.query().map(str::to_owned);
            url = Url::parse(stand_in).map_err(|_| broken())?;
            url.set_query(query.as_deref());
        }
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", "code").append_pair("client_id", &id.real).append_pair("redirect_uri", &ask.redirect_uri);
        if !oauth.scopes.is_empty() {
            query.append_pair("scope", &oauth.scopes.join(" "));
        }
        query.append_pair("state", &ask.state);
        if oauth.pkce {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(ask.verifier.as_bytes()));
            query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
        }
        drop(query);
        Ok(url.into())
    }

    /// On disk (or wherever the scope keeps tokens) before anyone may use it.
    pub(crate) async fn redeem(&self, scope: &Scope, plan: &Plan, auth: &str, code: &str, ask: &CodeRequest) -> Result<(), GrantError> {
        let oauth = code_grant(plan, scope, auth)?;
        let open = self.opened(scope, plan).await?;
        let verifier = oauth.pkce.then_some(ask.verifier.as_str());
        let exchange = TokenAsk::Code { code, redirect_uri: &ask.redirect_uri, verifier };
        let mut token = self.ask_token(scope, plan, oauth, &open, &exchange, None).await.map_err(refused)?;
        let before = scope.credentials.token(auth).await.map_err(|e| refused(stop(e)))?;
        token.version = before.map_or(0, |t| t.version);
        scope.credentials.save_token(auth, &token).await.map_err(|e| refused(stop(e)))
    }

    pub(crate) async fn revoke(&self, scope: &Scope, plan: &Plan) -> Result<bool, GrantError> {
        let mut ended = false;
        let used = |mode: &str| mode.is_empty() || mode == scope.on.mode;
        for auth in plan.manifest.auth.iter().filter(|a| used(&a.mode)) {
            let AuthKind::Oauth2(oauth) = &auth.kind else { continue };
            let Some(path) = &oauth.revoke_path else { continue };
            let Some(token) = scope.credentials.token(&auth.name).await.map_err(|e| refused(stop(e)))? else { continue };
            let open = self.opened(scope, plan).await?;
            self.ask_revocation(scope, plan, oauth, &open, path, &token).await.map_err(refused)?;
            ended = true;
        }
        Ok(ended)
    }

    async fn opened(&self, scope: &Scope, plan: &Plan) -> Result<Arc<Unsealed>, GrantError> {
        let open = self.open.get(scope, plan).await.map_err(refused)?;
        self.limits.learn_credential(scope, &open);
        Ok(open)
    }
}

fn code_grant<'p>(plan: &'p Plan, scope: &Scope, name: &str) -> Result<&'p Oauth2, GrantError> {
    let mut named = plan.manifest.auth.iter().filter(|a| a.name == name && (a.mode.is_empty() || a.mode == scope.on.mode));
    let found = named.find_map(|a| match &a.kind {
        AuthKind::Oauth2(oauth) if oauth.grant == Grant::Code => Some(oauth),
        _ => None,
    });
    found.ok_or_else(|| GrantError::Unsupported(format!("auth {name:?} asks for no code")))
}

fn refused(stop: Stop) -> GrantError {
    match stop {
        Stop::Refused(Refusal::Credentials(text)) => GrantError::Refused(text),
        Stop::Refused(other) => GrantError::Unsupported(other.to_string()),
        Stop::Throttled(throttle) => GrantError::Throttled { after_seconds: throttle.after_seconds.unwrap_or(1) },
        Stop::Unreachable | Stop::TimedOut | Stop::TooLarge | Stop::UnknownOutcome => GrantError::Unreachable,
    }
}
