//! Unsealed credentials for as long as they are needed: one run, and a few seconds for the next run of the same connection.
//! No `Debug`, no `Serialize`, no `Clone`; dropped values are wiped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crm_catalog::model::{AuthKind, Stage};
use crm_contract::ports::{CredentialError, Scope};
use crm_contract::secrets::Secrets;
use crm_contract::types::Connection;
use parking_lot::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::auth::{LiveToken, jwt_key};
use crate::echo::Echo;
use crate::error::{Refusal, Stop};
use crate::plan::Plan;
use crate::values::{Values, parse, slot_or_template};

/// Connections whose credentials may be open at once.
const MAX_OPEN: usize = 4_096;

/// One connection's credentials, open, with the filter for their echoes.
pub(crate) struct Unsealed {
    pub secrets: Secrets,
    pub echo: Echo,
    /// Tells equal credentials of two connections, and nothing else: keyed with a value that dies with the process.
    pub fingerprint: String,
    /// The same of the OAuth client alone, where there is one.
    pub client: Option<String>,
    tokens: Mutex<HashMap<String, Arc<LiveToken>>>,
}

impl Unsealed {
    fn new(secrets: Secrets, plan: &Plan, on: &Connection, key: &[u8; 32]) -> Self {
        let fingerprint = print(secrets.iter().flat_map(|(slot, value)| [slot, value]), key);
        let client = client_id(&secrets, plan, on).map(|id| print(["client", id.as_str()].into_iter(), key));
        let echo = filter(&secrets, plan, on);
        Self { secrets, echo, fingerprint, client, tokens: Mutex::default() }
    }

    pub(crate) fn token(&self, auth: &str) -> Option<Arc<LiveToken>> {
        self.tokens.lock().get(auth).cloned()
    }

    pub(crate) fn keep_token(&self, auth: &str, token: Arc<LiveToken>) {
        self.tokens.lock().insert(auth.to_owned(), token);
    }
}

fn print<'a>(pieces: impl Iterator<Item = &'a str>, key: &[u8; 32]) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for piece in pieces {
        hasher.update(&(piece.len() as u64).to_le_bytes());
        hasher.update(piece.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The OAuth client that the connection's mode uses.
fn client_id(secrets: &Secrets, plan: &Plan, on: &Connection) -> Option<Zeroizing<String>> {
    let values = Values { plan, secrets: Some(secrets), on };
    let mut used = plan.manifest.auth.iter().filter(|a| a.mode.is_empty() || a.mode == on.mode);
    used.find_map(|a| match &a.kind {
        AuthKind::Oauth2(oauth) => values.fill(&slot_or_template(&oauth.client_id).ok()?).map(|f| f.real),
        _ => None,
    })
}

/// Everything that an echo could give away: each secret, its parts, its decoded form, and user and password together.
fn filter(secrets: &Secrets, plan: &Plan, on: &Connection) -> Echo {
    let mut live: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    let mut add = |bytes: &[u8]| live.push(Zeroizing::new(bytes.to_vec()));
    let values = Values { plan, secrets: Some(secrets), on };
    for (slot, value) in secrets.iter() {
        let declared = plan.manifest.credential(slot);
        if declared.is_some_and(|c| !c.secret) {
            continue;
        }
        add(value.as_bytes());
        if let Some(split) = declared.and_then(|c| c.split.as_ref()) {
            // A part with a public twin (a key id) is blanked all the same: the manifest calls both secret.
            value.splitn(split.into.len(), split.on.as_str()).for_each(|part| add(part.as_bytes()));
        }
    }
    for auth in &plan.manifest.auth {
        match &auth.kind {
            AuthKind::Basic { user, password } => {
                let filled = |t: &str| parse(t).ok().and_then(|t| values.fill(&t));
                if let (Some(user), Some(password)) = (filled(user), filled(password)) {
                    add(Zeroizing::new(format!("{}:{}", *user.real, *password.real)).as_bytes());
                }
            }
            AuthKind::Jwt(jwt) => {
                let text = slot_or_template(&jwt.key).ok().and_then(|t| values.fill(&t));
                if let Some(key) = text.and_then(|t| jwt_key(jwt, &t.real).ok()) {
                    add(&key);
                }
            }
            _ => {}
        }
    }
    Echo::new(live.iter().map(|v| v.as_slice()))
}

/// Open credentials by connection, for seconds.
pub(crate) struct Open {
    kept: Mutex<HashMap<String, (Instant, Arc<Unsealed>)>>,
    life: Duration,
    key: [u8; 32],
}

impl Open {
    pub(crate) fn new(life: Duration) -> Arc<Self> {
        let key = rand::random();
        Arc::new(Self { kept: Mutex::default(), life, key })
    }

    /// The run's credentials. Verify always opens them afresh, and for itself alone: what it tries may never be kept.
    pub(crate) async fn get(self: &Arc<Self>, scope: &Scope, plan: &Plan) -> Result<Arc<Unsealed>, Stop> {
        let key = name(scope, plan);
        if scope.stage != Stage::Verify
            && let Some((until, found)) = self.kept.lock().get(&key)
            && *until > Instant::now()
        {
            return Ok(found.clone());
        }
        let secrets = scope.credentials.unseal().await.map_err(stop)?;
        let unsealed = Arc::new(Unsealed::new(secrets, plan, &scope.on, &self.key));
        // A connection that is being made has no name yet, so it could be mistaken for another.
        if !self.life.is_zero() && !scope.connection.is_empty() && scope.stage != Stage::Verify {
            let until = Instant::now() + self.life;
            let mut kept = self.kept.lock();
            if kept.len() < MAX_OPEN || kept.contains_key(&key) {
                kept.insert(key.clone(), (until, unsealed.clone()));
                drop(kept);
                self.close_later(key, until);
            }
        }
        Ok(unsealed)
    }

    /// An idle connection's credentials do not stay open until somebody comes along.
    fn close_later(self: &Arc<Self>, key: String, until: Instant) {
        let this = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            if let Some(this) = this.upgrade() {
                let mut kept = this.kept.lock();
                if kept.get(&key).is_some_and(|(at, _)| *at <= until) {
                    kept.remove(&key);
                }
            }
        });
    }

    /// The vendor no longer takes them: whatever is stored now is opened afresh next time.
    pub(crate) fn close(&self, scope: &Scope, plan: &Plan) {
        self.kept.lock().remove(&name(scope, plan));
    }

    pub(crate) fn forget(&self, organization: &str, connection: &str) {
        let prefix = prefix(organization, connection);
        self.kept.lock().retain(|key, _| !key.starts_with(&prefix));
    }
}

fn prefix(organization: &str, connection: &str) -> String {
    format!("{}:{organization}{}:{connection}", organization.len(), connection.len())
}

/// Settings count: the merchant's host is among them, and a credential opened for one host must not be used for another.
fn name(scope: &Scope, plan: &Plan) -> String {
    let mut hasher = blake3::Hasher::new();
    for piece in [plan.slug.as_ref(), scope.on.mode.as_str()]
        .into_iter()
        .chain(scope.on.settings.iter().flat_map(|p| [p.key.as_str(), p.value.as_str()]))
    {
        hasher.update(&(piece.len() as u64).to_le_bytes());
        hasher.update(piece.as_bytes());
    }
    format!("{}{}", prefix(&scope.organization, &scope.connection), hasher.finalize().to_hex())
}

/// What a credential that cannot be had means for the call.
pub(crate) fn stop(error: CredentialError) -> Stop {
    match error {
        CredentialError::Missing | CredentialError::Unopenable => Refusal::Credentials(error.to_string()).into(),
        CredentialError::Conflict | CredentialError::Busy | CredentialError::Unavailable(_) => Stop::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use crm_contract::secrets::{Secrets, Token};

    /// Fails to compile when the type implements the trait: two impls would then fit and the call be ambiguous.
    macro_rules! never {
        ($type:ty: $($bound:path),+) => {$(
            const _: fn() = || {
                trait Either<A> {
                    fn it() {}
                }
                impl<T: ?Sized> Either<()> for T {}
                struct Implements;
                impl<T: ?Sized + $bound> Either<Implements> for T {}
                <$type as Either<_>>::it();
            };
        )+};
    }

    never!(Secrets: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone);
    never!(Token: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone);
    never!(super::Unsealed: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone);
    never!(super::Open: std::fmt::Debug, serde::Serialize, Clone);
    never!(crate::auth::LiveToken: std::fmt::Debug, serde::Serialize, Clone);
    never!(crate::auth::Applied: std::fmt::Debug, serde::Serialize, Clone);
    never!(crate::auth::TokenCall: std::fmt::Debug, serde::Serialize, Clone);
    never!(crate::values::Filled: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone);
    never!(crate::echo::Echo: std::fmt::Debug, serde::Serialize, Clone);
    never!(crate::send::Outgoing: std::fmt::Debug, serde::Serialize, Clone);
    never!(crate::webhook::sign::Key: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone);
    never!(crm_contract::webhooks::Delivery: std::fmt::Debug, serde::Serialize, Clone);
    never!(crate::session::Session: std::fmt::Debug, serde::Serialize, Clone);

    #[test]
    fn invariant_1_no_type_that_holds_a_secret_can_be_printed_or_stored() {
        // The assertions above are made by the compiler; this name is where the invariant's list points.
    }
}
