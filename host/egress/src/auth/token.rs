//! OAuth 2 tokens: what a request to the token endpoint holds, and one refresher at a time per credential. Sends nothing
//! itself; what an answer means is in `token_answer`.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crm_catalog::model::{ClientAuth, Grant, Oauth2};
use crm_contract::secrets::Token;
use http::HeaderValue;
use parking_lot::Mutex;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use crate::echo::Echo;
use crate::error::Refusal;
use crate::values::{Values, parse, slot_or_template};

/// A token is renewed this long before it ends.
const MARGIN_MS: u64 = 30_000;
/// After a refusal by the vendor, how long the same token is not tried again.
pub(crate) const REFUSED_MS: u64 = 30_000;
/// Refreshers remembered before idle ones are let go.
const MAX_FLIGHTS: usize = 8_192;

/// A token in use, with the filter for its echoes. No `Debug`.
pub(crate) struct LiveToken {
    pub token: Token,
    pub echo: Echo,
}

impl LiveToken {
    pub(crate) fn new(token: Token) -> Self {
        let echo = Echo::new([Some(token.access.as_bytes()), token.refresh.as_deref().map(str::as_bytes)].into_iter().flatten());
        Self { token, echo }
    }

    /// Whether it lives long enough for one more call.
    pub(crate) fn is_fresh(&self, now: u64) -> bool {
        self.token.expires_at.is_none_or(|end| end > now.saturating_add(MARGIN_MS))
    }
}

/// One credential's refresher: whoever holds the lock renews, all others wait and use what came of it.
#[derive(Default)]
pub(crate) struct Flight {
    pub lock: Arc<tokio::sync::Mutex<Refused>>,
}

/// The version of the token that the vendor last refused to renew, until when that stands, and why.
#[derive(Default)]
pub(crate) struct Refused(pub Option<(u64, u64, Refusal)>);

#[derive(Default)]
pub(crate) struct Tokens {
    flights: Mutex<HashMap<String, Arc<Flight>>>,
}

impl Tokens {
    pub(crate) fn flight(&self, key: String) -> Arc<Flight> {
        let mut flights = self.flights.lock();
        if flights.len() >= MAX_FLIGHTS {
            // A lock that someone holds is referred to by its guard, too.
            flights.retain(|_, f| Arc::strong_count(f) > 1 || Arc::strong_count(&f.lock) > 1);
        }
        flights.entry(key).or_default().clone()
    }
}

/// What is asked of the token endpoint.
pub(crate) enum TokenAsk<'a> {
    /// A token: with the kept refresh token, the typed one, or the client alone, as the grant says.
    Renew(Option<&'a Token>),
    /// The merchant came back from the consent page with this code.
    Code { code: &'a str, redirect_uri: &'a str, verifier: Option<&'a str> },
    /// The end of a token (RFC 7009).
    Revoke(&'a Token),
}

/// The fields and the header of a request to the token endpoint. No `Debug`.
pub(crate) struct TokenCall {
    pub form: Zeroizing<String>,
    pub authorization: Option<HeaderValue>,
}

impl TokenCall {
    pub(crate) fn new(oauth: &Oauth2, values: &Values<'_>, ask: &TokenAsk<'_>) -> Result<Self, Refusal> {
        let slot = |name: &str| -> Result<Option<Zeroizing<String>>, Refusal> {
            Ok(values.fill(&slot_or_template(name).map_err(Refusal::Manifest)?).map(|f| f.real))
        };
        let id = slot(&oauth.client_id)?.ok_or_else(|| Refusal::Credentials(format!("{} is missing", oauth.client_id)))?;
        let secret = oauth.client_secret.as_deref().map(slot).transpose()?.flatten();
        let mut form = Serializer::new(String::new());
        match ask {
            TokenAsk::Code { code, redirect_uri, verifier } => {
                form.append_pair("grant_type", "authorization_code").append_pair("code", code).append_pair("redirect_uri", redirect_uri);
                form.extend_pairs(verifier.map(|v| ("code_verifier", v)));
            }
            TokenAsk::Revoke(token) => match &token.refresh {
                // Its end is the end of the access tokens that were made with it.
                Some(refresh) => drop(form.append_pair("token", refresh).append_pair("token_type_hint", "refresh_token")),
                None => drop(form.append_pair("token", &token.access).append_pair("token_type_hint", "access_token")),
            },
            TokenAsk::Renew(_) if oauth.grant == Grant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
                if !oauth.scopes.is_empty() {
                    form.append_pair("scope", &oauth.scopes.join(" "));
                }
                for (name, template) in &oauth.token_params {
                    if let Some(value) = values.fill(&parse(template).map_err(Refusal::Manifest)?) {
                        form.append_pair(name, &value.real);
                    }
                }
            }
            TokenAsk::Renew(stored) => {
                // The kept one replaces the one that was typed in.
                let kept = stored.and_then(|t| t.refresh.as_deref());
                let typed = oauth.refresh_token.as_deref().map(slot).transpose()?.flatten();
                let refresh = kept.or(typed.as_ref().map(|t| t.as_str()));
                let refresh = refresh.ok_or_else(|| Refusal::Credentials("no refresh token is stored: connect again".into()))?;
                form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", refresh);
            }
        }
        let mut authorization = None;
        match (oauth.client_auth, &secret) {
            (ClientAuth::Basic, Some(secret)) => authorization = Some(basic(&id, secret)?),
            (ClientAuth::Form, Some(secret)) => drop(form.append_pair("client_id", &id).append_pair("client_secret", secret)),
            (_, None) => drop(form.append_pair("client_id", &id)),
        }
        Ok(Self { form: Zeroizing::new(form.finish()), authorization })
    }
}

/// RFC 6749, 2.3.1: both halves are form-encoded before they are joined.
fn basic(id: &str, secret: &str) -> Result<HeaderValue, Refusal> {
    let encoded = |text: &str| Zeroizing::new(byte_serialize(text.as_bytes()).collect::<String>());
    let pair = Zeroizing::new(format!("{}:{}", *encoded(id), *encoded(secret)));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Refusal::Auth("client id or secret".into()))?;
    value.set_sensitive(true);
    Ok(value)
}
