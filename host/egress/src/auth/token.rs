//! OAuth 2 tokens: what a token request holds, what its answer means, and one refresher at a time per credential. Sends
//! nothing itself.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crm_catalog::model::{ClientAuth, Grant, Oauth2};
use crm_contract::secrets::Token;
use http::HeaderValue;
use parking_lot::Mutex;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::echo::Echo;
use crate::error::Refusal;
use crate::values::{Values, slot_or_template};

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
    pub lock: tokio::sync::Mutex<Refused>,
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
            flights.retain(|_, f| Arc::strong_count(f) > 1);
        }
        flights.entry(key).or_default().clone()
    }
}

/// The fields and the header of a token request.
pub(crate) struct TokenCall {
    pub form: Zeroizing<String>,
    pub authorization: Option<HeaderValue>,
}

impl TokenCall {
    /// `stored` is the token kept from an earlier renewal: its refresh token replaces the one that was typed in.
    pub(crate) fn new(oauth: &Oauth2, values: &Values<'_>, stored: Option<&Token>) -> Result<Self, Refusal> {
        let slot = |name: &str| -> Result<Option<Zeroizing<String>>, Refusal> {
            Ok(values.fill(&slot_or_template(name).map_err(Refusal::Manifest)?).map(|f| f.real))
        };
        let need = |name: &str| -> Result<Zeroizing<String>, Refusal> {
            slot(name)?.ok_or_else(|| Refusal::Credentials(format!("{name} is missing")))
        };
        let id = need(&oauth.client_id)?;
        let secret = oauth.client_secret.as_deref().map(slot).transpose()?.flatten();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match oauth.grant {
            Grant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
                if !oauth.scopes.is_empty() {
                    form.append_pair("scope", &oauth.scopes.join(" "));
                }
            }
            // The code itself was redeemed when the merchant connected; what is left of it is its refresh token.
            Grant::RefreshToken | Grant::Code => {
                let kept = stored.and_then(|t| t.refresh.as_deref());
                let typed = oauth.refresh_token.as_deref().map(slot).transpose()?.flatten();
                let refresh = kept.or(typed.as_ref().map(|t| t.as_str()));
                let refresh = refresh.ok_or_else(|| Refusal::Credentials("no refresh token is stored: connect again".into()))?;
                form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", refresh);
            }
        }
        let mut authorization = None;
        match (oauth.client_auth, &secret) {
            (ClientAuth::Basic, Some(secret)) => {
                let pair = Zeroizing::new(format!("{}:{}", *id, **secret));
                let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
                let mut value = HeaderValue::from_str(&text).map_err(|_| Refusal::Auth("client id or secret".into()))?;
                value.set_sensitive(true);
                authorization = Some(value);
            }
            (ClientAuth::Form, Some(secret)) => {
                form.append_pair("client_id", &id).append_pair("client_secret", secret);
            }
            (_, None) => {
                form.append_pair("client_id", &id);
            }
        }
        Ok(Self { form: Zeroizing::new(form.finish()), authorization })
    }
}

/// Reads a token answer. `Err` carries the vendor's error word (`invalid_grant`), or `None` when the body is no such answer.
pub(crate) fn parse_answer(oauth: &Oauth2, body: &[u8], stored: Option<&Token>, now: u64) -> Result<Token, Option<String>> {
    let body: Value = serde_json::from_slice(body).map_err(|_| None)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let Some(access) = text("access_token") else {
        // Some vendors report the error in a 200; only a plain word of it is repeated.
        let word: Option<String> = text("error").map(|e| e.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect());
        return Err(word);
    };
    let stated = match body.get("expires_in") {
        Some(Value::Number(n)) => n.as_f64(),
        Some(Value::String(s)) => s.parse::<f64>().ok(),
        _ => None,
    };
    let life_ms = stated.filter(|s| *s > 0.0).map(|s| (s * 1_000.0) as u64).or(oauth.lifetime_s.map(|s| u64::from(s) * 1_000));
    Ok(Token {
        access: access.to_owned(),
        refresh: text("refresh_token").map(str::to_owned).or_else(|| stored.and_then(|t| t.refresh.clone())),
        expires_at: life_ms.map(|life| now.saturating_add(life)),
        base: oauth.base_from.as_deref().and_then(text).map(|b| b.trim_end_matches('/').to_owned()),
        version: stored.map_or(0, |t| t.version),
    })
}
