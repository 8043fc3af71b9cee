//! Connecting by the vendor's own consent page (the authorization code grant): where the merchant's browser is sent, and what
//! is made of its return. What is waited for lies in the store, sealed where it is secret, so a restart in between costs nothing.
//!
//! The `state` that goes to the vendor and back is the only key to it: 256 random bits, kept as their SHA-256, good for one return
//! within ten minutes, to the organization, connector and connection it was made for, and to the browser that set out, where it
//! was a browser that started.

mod flow;

use std::sync::Arc;
use std::time::Duration;

use crm_catalog::model::{Auth, AuthKind, Grant, Manifest, Stage};
use crm_contract::ports::{CodeRequest, CredentialError, CredentialSource, GrantError, Scope};
use crm_contract::types::{Error as VendorError, Refusal, Throttle, Told, Trouble};
use zeroize::Zeroizing;

use super::connections::{self, Draft, NewConnection, usable};
use super::own_credentials::OwnCredentials;
use super::{ServiceError, Versioned, form};
use crate::context::Context;
use crate::domain::Connection;

pub use flow::sweep;
use flow::{Flow, Opened};

/// How long a merchant may stay on the consent page.
pub const LIFETIME_MS: u64 = 10 * 60 * 1_000;
/// How long disconnecting waits for the vendor.
const REVOKE: Duration = Duration::from_secs(10);

/// What the consent is for.
pub enum Wanted {
    New(NewConnection),
    /// New consent for a connection that exists. Credentials (an own client, say) only when they change.
    Again {
        connection: String,
        credentials: Option<std::collections::BTreeMap<String, Zeroizing<String>>>,
    },
}

/// A browser is about to be sent to the vendor.
pub struct Start {
    pub connector: String,
    pub wanted: Wanted,
    /// A browser asks: only it may come back.
    pub by_browser: bool,
    /// Where the browser goes afterwards.
    pub return_to: Option<String>,
}

pub struct Started {
    /// The vendor's consent page.
    pub authorize_url: String,
    /// Unix milliseconds.
    pub expires: u64,
    /// Name and value of the cookie by which the browser is known again.
    pub cookie: Option<(String, String)>,
}

/// The value of one of the browser's cookies, by its name.
pub type Cookies = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The browser came back. No `Debug`: the code is a secret.
pub struct Return {
    pub connector: String,
    pub state: String,
    pub code: Option<Zeroizing<String>>,
    /// The vendor's error word.
    pub error: Option<String>,
    pub cookie: Cookies,
}

/// What came of it.
pub struct Landing {
    pub outcome: Result<Versioned<Connection>, ServiceError>,
    /// As it was asked for at the start; `None` also where nothing is known of a start.
    pub return_to: Option<String>,
    /// The cookie that has done its work.
    pub cookie: Option<String>,
}

/// The authentication of this mode that needs the merchant's consent, if there is one.
pub fn by_code<'m>(manifest: &'m Manifest, mode: &str) -> Option<&'m Auth> {
    let mut used = manifest.auth.iter().filter(|a| a.mode.is_empty() || a.mode == mode);
    used.find(|a| matches!(&a.kind, AuthKind::Oauth2(o) if o.grant == Grant::Code))
}

/// The modes of a connector in which merchants consent at the vendor.
pub fn modes(manifest: &Manifest) -> Vec<&str> {
    form::modes(manifest).into_iter().filter(|mode| by_code(manifest, mode).is_some()).collect()
}

/// Where vendors send browsers back to: what the application's registration at the vendor must name.
pub fn redirect_uri(context: &Context, connector: &str) -> Option<String> {
    context.config.public_url.as_ref().map(|base| format!("{base}/v1/oauth/{connector}/callback"))
}

/// Refuses what needs consent where none is being asked for.
pub(super) fn not_needed(manifest: &Manifest, mode: &str) -> Result<(), ServiceError> {
    if by_code(manifest, mode).is_none() {
        return Ok(());
    }
    let slug = &manifest.connector.slug;
    let message = format!("{} is connected by consent at the vendor: start with /v1/oauth/{slug}/start", manifest.connector.name);
    Err(ServiceError::conflict("authorization_needed", message))
}

/// Makes the link to the vendor's consent page. Nothing is asked of the vendor yet.
pub async fn start(context: &Context, organization: &str, order: Start) -> Result<Started, ServiceError> {
    let return_to = order.return_to.as_deref().map(checked_return).transpose()?;
    let (Draft { manifest, connection, own, .. }, again, typed) = match order.wanted {
        Wanted::New(new) => {
            (connections::draft(context, organization, NewConnection { connector: order.connector.clone(), ..new })?, false, true)
        }
        Wanted::Again { connection, credentials } => {
            let (Versioned { value: mut connection, .. }, digest, manifest) = usable(context, organization, &connection).await?;
            let typed = credentials.is_some();
            let own = match credentials {
                Some(given) => connections::retyped(context, &manifest, &mut connection, given)?,
                None => OwnCredentials::new(stored(context, &connection).await?),
            };
            // Learnt anew afterwards; and the record of what is waited for must stay small.
            (connection.facts, connection.bindings) = (Vec::new(), Vec::new());
            (Draft { digest, manifest, connection, own }, true, typed)
        }
    };
    if connection.connector != order.connector {
        return Err(ServiceError::invalid("connection", "this connection is one of another connector"));
    }
    let Some(auth) = by_code(&manifest, &connection.mode) else {
        return Err(ServiceError::Unsupported(format!("{} asks for no consent: connect it with its key", manifest.connector.name)));
    };
    let redirect_uri = redirect_uri(context, &order.connector).ok_or_else(|| {
        ServiceError::conflict("public_url_missing", "the operator of this host must say where browsers reach it (--public-url) first")
    })?;
    let ask = CodeRequest { redirect_uri, state: flow::secret(), verifier: Zeroizing::new(flow::secret()) };
    let own = Arc::new(own);
    let scope = scope(context, &manifest, &connection, own.clone());
    let authorize_url = context.gateway.authorize_url(&scope, &auth.name, &ask).await.map_err(no_grant)?;
    let typed_slots = if typed { own.slots() } else { Default::default() };
    let (expires, cookie) =
        flow::keep(context, &ask, &auth.name, connection, again.then_some(typed), typed_slots, return_to, order.by_browser).await?;
    Ok(Started { authorize_url, expires, cookie })
}

/// Takes the browser back: exchanges the code, makes the test call, and keeps the connection. Runs to its end even when the browser
/// goes away: a code is good once.
pub async fn land(context: &Context, back: Return) -> Landing {
    let context = context.clone();
    let landing = tokio::spawn(async move {
        let found = match flow::take(&context, &back.connector, &back.state).await {
            Ok(found) => found,
            Err(error) => return Landing { outcome: Err(error), return_to: None, cookie: None },
        };
        let (return_to, cookie) = (found.flow.return_to.clone(), found.flow.cookie.as_ref().map(|(name, _)| name.clone()));
        let context = match &found.flow.by {
            Some(actor) => context.by(actor.clone()),
            None => context,
        };
        let outcome = complete(&context, &found.flow, &found.opened, back).await;
        flow::drop_all(&context, &found.flow, found.version).await;
        Landing { outcome, return_to, cookie }
    });
    let lost = || ServiceError::Damaged("the return from a consent page could not be handled".into());
    landing.await.unwrap_or_else(|_| Landing { outcome: Err(lost()), return_to: None, cookie: None })
}

async fn complete(context: &Context, flow: &Flow, opened: &Opened, back: Return) -> Result<Versioned<Connection>, ServiceError> {
    if let Some((name, hash)) = &flow.cookie
        && !(back.cookie)(name).is_some_and(|value| flow::same(hash, &flow::hash(&value)))
    {
        let message = "another browser set out for the vendor than the one that came back: start again, and stay in one browser";
        return Err(ServiceError::conflict("oauth_other_browser", message));
    }
    match (back.error.as_deref(), &back.code) {
        (Some("access_denied"), _) => {
            return Err(ServiceError::conflict("oauth_denied", "the vendor's consent page was left without a yes; nothing was connected"));
        }
        (Some(word), _) => {
            let word: String = word.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
            return Err(ServiceError::conflict("oauth_refused", format!("the vendor did not give its consent page: {word}")));
        }
        (None, None) => return Err(ServiceError::conflict("oauth_refused", "the vendor sent the browser back without a code")),
        (None, Some(_)) => {}
    }
    let code = back.code.unwrap_or_default();
    let (connection, digest, manifest) = if flow.again {
        let (current, digest, manifest) = usable(context, &flow.organization, &flow.draft.id).await?;
        // What was typed for this consent, over what the connection is now.
        let mut connection = current.value;
        connection.settings.retain(|pair| manifest.credential(&pair.key).is_none());
        connection.settings.extend(flow.draft.settings.iter().filter(|p| manifest.credential(&p.key).is_some()).cloned());
        (connection.host, connection.last4) = (flow.draft.host.clone(), flow.draft.last4.clone());
        (connection, digest, manifest)
    } else {
        let (digest, manifest) = context.version_of(&flow.draft).ok_or_else(|| {
            ServiceError::conflict("connector_not_loaded", "the connector is not loaded at the moment; start again later")
        })?;
        (flow.draft.clone(), digest, manifest)
    };
    let slots = if flow.typed { opened.slots.clone() } else { stored(context, &connection).await? };
    let own = Arc::new(OwnCredentials::new(slots));
    let scope = scope(context, &manifest, &connection, own.clone());
    let ask = CodeRequest { redirect_uri: flow.redirect_uri.clone(), state: String::new(), verifier: opened.verifier.clone() };
    context.gateway.redeem(&scope, &flow.auth, &code, &ask).await.map_err(no_grant)?;
    if flow.again {
        connections::keep_again(context, &digest, &manifest, connection, Some(own)).await
    } else {
        connections::keep_new(context, &digest, &manifest, connection, &own).await
    }
}

/// Ends the grants of a connection at the vendor, as far as that can be done in a few seconds.
pub(super) async fn end(context: &Context, connection: &Connection) -> Option<bool> {
    let (_, manifest) = context.version_of(connection)?;
    let scope = scope(context, &manifest, connection, context.store.credentials(&connection.whose()));
    match tokio::time::timeout(REVOKE, context.gateway.revoke(&scope)).await {
        Ok(Ok(ended)) => ended.then_some(true),
        Ok(Err(error)) => {
            tracing::warn!(connection = connection.id, %error, "the vendor did not end the grant; it is forgotten here all the same");
            Some(false)
        }
        Err(_) => Some(false),
    }
}

fn scope(context: &Context, manifest: &Arc<Manifest>, connection: &Connection, credentials: Arc<dyn CredentialSource>) -> Scope {
    Scope {
        manifest: manifest.clone(),
        organization: connection.organization.clone(),
        connection: connection.id.clone(),
        account: connection.account.id.clone(),
        choice: connection.choice(manifest),
        on: connection.for_guest(),
        stage: Stage::Verify,
        credentials: context.config.operator.over(manifest, &connection.settings, credentials),
        after_unknown: false,
    }
}

/// The slots that the merchant once typed for this connection; none where all of them are the operator's.
async fn stored(context: &Context, connection: &Connection) -> Result<std::collections::BTreeMap<String, Zeroizing<String>>, ServiceError> {
    match context.store.credentials(&connection.whose()).unseal().await {
        Ok(secrets) => Ok(secrets.iter().map(|(slot, value)| (slot.to_owned(), Zeroizing::new(value.to_owned()))).collect()),
        Err(CredentialError::Missing) => Ok(Default::default()),
        Err(error) => Err(ServiceError::Unavailable(error.to_string())),
    }
}

/// A page of the platform's, or a path on this host: never an address that a browser could take for another scheme.
fn checked_return(text: &str) -> Result<String, ServiceError> {
    let own_path = text.starts_with('/') && !text.starts_with("//");
    let loopback = ["http://127.0.0.1", "http://localhost"]
        .iter()
        .any(|start| text.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
    let page = loopback || text.starts_with("https://");
    let plain = text.len() <= 1_000 && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'"' | b'<' | b'>'));
    if (own_path || page) && plain {
        Ok(text.to_owned())
    } else {
        Err(ServiceError::invalid(
            "return_to",
            "must be an https:// address without a #, or a path on this host, of at most 1000 characters",
        ))
    }
}

fn no_grant(error: GrantError) -> ServiceError {
    let told = |text: String| Told { code: "oauth".into(), text };
    match error {
        GrantError::Unsupported(text) => ServiceError::Unsupported(text),
        GrantError::Refused(text) => {
            ServiceError::Vendor { error: VendorError::Credentials(Refusal { trouble: Trouble::Invalid, told: told(text) }) }
        }
        GrantError::Throttled { after_seconds } => {
            ServiceError::Vendor { error: VendorError::RateLimited(Throttle { after_seconds: Some(after_seconds), limit: None }) }
        }
        GrantError::Unreachable => ServiceError::Vendor { error: VendorError::Retryable(told(error.to_string())) },
    }
}
