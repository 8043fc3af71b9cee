//! Connections: a merchant's account on a connector. Created only after the vendor accepted the credentials; what is
//! stored is sealed; disconnecting deletes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::{CredentialSource, Digest, Mode};
use crm_contract::types::{Account, Answer, Error as VendorError, Invocation, Pair, find};
use zeroize::Zeroizing;

use super::own_credentials::OwnCredentials;
use super::records::{self, Paged};
use super::{ServiceError, Versioned, audit, authorization, connection_state, connectors, error, form};
use crate::context::Context;
use crate::domain::{Connection, ConnectionState};
use crate::ids::new_id;
use crate::loose::{self, LooseRun};

/// What a merchant fills in to connect. No `Debug`: it holds secrets.
pub struct NewConnection {
    pub connector: String,
    /// Defaults to the connector's name.
    pub name: Option<String>,
    /// Authentication mode; defaults to the manifest's first.
    pub mode: Option<String>,
    pub credentials: BTreeMap<String, Zeroizing<String>>,
    pub settings: BTreeMap<String, String>,
    pub default_tags: Vec<String>,
}

/// Checks the form, makes the test call, and only then keeps anything: sealed credentials first, the connection last.
pub async fn create(context: &Context, organization: &str, new: NewConnection) -> Result<Versioned<Connection>, ServiceError> {
    let Draft { digest, manifest, connection, own } = draft(context, organization, new)?;
    authorization::not_needed(&manifest, &connection.mode)?;
    keep_new(context, &digest, &manifest, connection, &Arc::new(own)).await
}

/// A connection that is not kept yet.
pub(super) struct Draft {
    pub(super) digest: Digest,
    pub(super) manifest: Arc<Manifest>,
    pub(super) connection: Connection,
    pub(super) own: OwnCredentials,
}

/// What the form makes of it. Nothing is asked of the vendor yet.
pub(super) fn draft(context: &Context, organization: &str, new: NewConnection) -> Result<Draft, ServiceError> {
    let connectors::Connector { digest, manifest, .. } =
        connectors::one(context, &new.connector).map_err(|_| ServiceError::invalid("connector", "there is no such connector"))?;
    let mode = form::check_mode(&manifest, new.mode.as_deref())?;
    let checked = check_typed(context, &manifest, &mode, new.credentials)?;
    let mut settings = form::check_settings(&manifest, &new.settings)?;
    settings.extend(checked.plain);
    let name = form::optional_line("name", new.name.as_deref(), 100)?.unwrap_or_else(|| manifest.connector.name.clone());
    let now = context.now();
    let connection = Connection {
        mode,
        host: merchant_host(&manifest, &settings),
        default_tags: form::check_tags("default_tags", &new.default_tags, Some(&manifest))?,
        settings,
        last4: checked.last4,
        ..Connection::new(new_id("con", now), organization, &manifest.connector.slug, name, now)
    };
    Ok(Draft { digest, manifest, connection, own: OwnCredentials::new(checked.secrets) })
}

/// The form's check, knowing what the operator has set.
fn check_typed(
    context: &Context,
    manifest: &Manifest,
    mode: &str,
    given: BTreeMap<String, Zeroizing<String>>,
) -> Result<form::CheckedCredentials, ServiceError> {
    let operator = &context.config.operator;
    let missing = operator.missing(manifest, mode);
    if !missing.is_empty() {
        let message = format!("the operator of this host must set {} for {} first", missing.join(", "), manifest.connector.slug);
        return Err(ServiceError::conflict("operator_credentials_missing", message));
    }
    form::check_credentials_beside(manifest, mode, given, &operator.offered(manifest))
}

/// Makes the test call; keeps the credentials and then the connection if the vendor accepts them.
pub(super) async fn keep_new(
    context: &Context,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    mut connection: Connection,
    own: &Arc<OwnCredentials>,
) -> Result<Versioned<Connection>, ServiceError> {
    let account = verify(context, digest, manifest, &connection, own.clone()).await?;
    connection.facts = account.facts.clone();
    connection.account = account;
    connection.verified = context.now();
    keep_credentials(context, &connection, own).await?;
    let log = audit::entry(
        context,
        &connection.organization,
        "connection.created",
        &connection.id,
        &[("connector", connection.connector.clone())],
    )?;
    match context.store.commit(vec![records::put(&connection, 0)?, log], Vec::new()).await {
        Ok(_) => Ok(Versioned { value: connection, version: 1 }),
        Err(error) => {
            // Nothing may stay behind of a connection that does not exist.
            context.store.forget(&connection.whose()).await?;
            Err(error.into())
        }
    }
}

/// The connections of an organization, oldest first, disconnected ones included.
pub async fn list(
    context: &Context,
    organization: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Connection>>, ServiceError> {
    records::page(context, organization, after, limit, |_: &Connection| true).await
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<Connection>, ServiceError> {
    records::load(context, organization, id).await
}

/// A connection that is not disconnected, with the version it runs.
pub(crate) async fn usable(
    context: &Context,
    organization: &str,
    id: &str,
) -> Result<(Versioned<Connection>, Digest, Arc<Manifest>), ServiceError> {
    let connection = get(context, organization, id).await?;
    if connection.value.state == ConnectionState::Disconnected {
        return Err(ServiceError::conflict("disconnected", "this connection is disconnected; connect anew"));
    }
    let (digest, manifest) = context
        .version_for(&connection.value)
        .await
        .ok_or_else(|| ServiceError::conflict("connector_not_loaded", "the connector of this connection is not loaded at the moment"))?;
    Ok((connection, digest, manifest))
}

/// Makes the test call again, with new credentials where given (they replace all of the old ones), and resumes parked jobs.
/// A refusal parks the connection.
pub async fn reverify(
    context: &Context,
    organization: &str,
    id: &str,
    credentials: Option<BTreeMap<String, Zeroizing<String>>>,
) -> Result<Versioned<Connection>, ServiceError> {
    let (Versioned { value: mut connection, .. }, digest, manifest) = usable(context, organization, id).await?;
    let own = match credentials {
        None => None,
        Some(given) => {
            authorization::not_needed(&manifest, &connection.mode)?;
            Some(Arc::new(retyped(context, &manifest, &mut connection, given)?))
        }
    };
    keep_again(context, &digest, &manifest, connection, own).await
}

/// Puts newly typed credentials in the place of the old ones, in memory.
pub(super) fn retyped(
    context: &Context,
    manifest: &Manifest,
    connection: &mut Connection,
    given: BTreeMap<String, Zeroizing<String>>,
) -> Result<OwnCredentials, ServiceError> {
    let checked = check_typed(context, manifest, &connection.mode, given)?;
    connection.settings.retain(|pair| manifest.credential(&pair.key).is_none());
    connection.settings.extend(checked.plain);
    connection.host = merchant_host(manifest, &connection.settings);
    connection.last4 = checked.last4;
    Ok(OwnCredentials::new(checked.secrets))
}

/// Makes the test call of a connection that exists, with its `own` new credentials or the stored ones; keeps them and resumes parked
/// jobs if the vendor accepts them.
pub(super) async fn keep_again(
    context: &Context,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    connection: Connection,
    own: Option<Arc<OwnCredentials>>,
) -> Result<Versioned<Connection>, ServiceError> {
    let (organization, id) = (connection.organization.clone(), connection.id.clone());
    let old_account = connection.account.id.clone();
    let source: Arc<dyn CredentialSource> = match &own {
        Some(own) => own.clone(),
        None => context.store.credentials(&connection.whose()),
    };
    let account = match verify(context, digest, manifest, &connection, source).await {
        Ok(account) => account,
        Err(refused) => {
            if own.is_none() && matches!(refused, ServiceError::Vendor { error: VendorError::Credentials(_) }) {
                let why = refused.to_string();
                connection_state::change(context, &organization, &id, None, |current| {
                    current.state = ConnectionState::NeedsCredentials;
                    current.trouble = Some(why.clone());
                })
                .await?;
                context.store.park(&id, true, context.now()).await?;
            }
            return Err(refused);
        }
    };
    if let (Some(old), Some(new)) = (&old_account, &account.id)
        && old != new
    {
        let message = "these credentials belong to another account; disconnect this connection and connect that account anew";
        return Err(ServiceError::conflict("other_account", message));
    }
    if let Some(own) = &own {
        keep_credentials(context, &connection, own).await?;
    }
    let (now, tried) = (context.now(), connection);
    let action = if own.is_some() { "connection.credentials_replaced" } else { "connection.reverified" };
    let saved = connection_state::change(context, &organization, &id, Some(action), |current| {
        if own.is_some() {
            // New credentials may see other things: what was remembered is learnt anew.
            current.facts = account.facts.clone();
            current.bindings = Vec::new();
            current.settings.retain(|pair| manifest.credential(&pair.key).is_none());
            current.settings.extend(tried.settings.iter().filter(|p| manifest.credential(&p.key).is_some()).cloned());
            current.host = tried.host.clone();
            current.last4 = tried.last4.clone();
        } else {
            current.facts = merged(&current.facts, &account.facts);
        }
        current.account = account.clone();
        current.verified = now;
        if current.state != ConnectionState::Disconnected {
            current.state = ConnectionState::Live;
        }
        current.trouble = None;
    })
    .await?;
    context.store.park(&id, false, now).await?;
    Ok(saved)
}

/// What disconnecting did.
pub struct Disconnection {
    pub connection: Connection,
    /// Jobs that were not finished and are cancelled now.
    pub cancelled: u64,
    /// Whether the vendor ended the grant; `None` = there was none to end.
    pub revoked: Option<bool>,
}

/// Disconnects: no new jobs, open jobs cancelled, the grant ended at the vendor where that can be done, sealed credentials deleted;
/// the record stays, to explain old syncs. Contacts at the vendor are left alone. Repeating it is safe and finishes what a crash left
/// undone.
pub async fn disconnect(context: &Context, organization: &str, id: &str) -> Result<Disconnection, ServiceError> {
    let Versioned { value: connection, .. } =
        connection_state::change(context, organization, id, Some("connection.disconnected"), |connection| {
            connection.state = ConnectionState::Disconnected;
            connection.trouble = None;
            connection.facts = Vec::new();
            connection.bindings = Vec::new();
            connection.last4 = Vec::new();
        })
        .await?;
    let cancelled = context.store.cancel_lane(id, context.now()).await?;
    let revoked = authorization::end(context, &connection).await;
    context.store.forget(&connection.whose()).await?;
    context.gateway.forget(organization, id);
    Ok(Disconnection { connection, cancelled, revoked })
}

async fn verify(
    context: &Context,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    connection: &Connection,
    credentials: Arc<dyn CredentialSource>,
) -> Result<Account, ServiceError> {
    let invocation = Invocation::Verify { on: connection.for_guest() };
    match call(context, digest, manifest, connection, Stage::Verify, credentials, invocation).await? {
        Answer::Account(Ok(account)) => Ok(account),
        Answer::Account(Err(error)) => Err(ServiceError::Vendor { error }),
        _ => Err(wrong_answer()),
    }
}

/// Runs one export of a connection's connector outside a job.
pub(crate) async fn call(
    context: &Context,
    digest: &Digest,
    manifest: &Arc<Manifest>,
    connection: &Connection,
    stage: Stage,
    credentials: Arc<dyn CredentialSource>,
    invocation: Invocation,
) -> Result<Answer, ServiceError> {
    let run = LooseRun {
        digest: digest.clone(),
        manifest: manifest.clone(),
        organization: connection.organization.clone(),
        connection: connection.id.clone(),
        account: connection.account.id.clone(),
        choice: connection.choice(manifest),
        stage,
        mode: Mode::Live,
        credentials: context.config.operator.over(manifest, &connection.settings, credentials),
        invocation,
    };
    Ok(loose::run(context, run).await?.answer)
}

pub(crate) fn wrong_answer() -> ServiceError {
    ServiceError::Damaged("the connector answered another question than it was asked".to_owned())
}

/// Seals the credentials, and the tokens that the test call fetched with them: a rotated refresh token must not be lost.
async fn keep_credentials(context: &Context, connection: &Connection, own: &OwnCredentials) -> Result<(), ServiceError> {
    let mut tokens = own.take_tokens();
    // A number that no token of this connection ever had: a renewal that is under way with the old grant finds that it is late.
    tokens.values_mut().for_each(|token| token.version = context.now());
    context.store.seal_with(&connection.whose(), own.slots(), tokens).await?;
    context.gateway.forget(&connection.organization, &connection.id);
    Ok(())
}

/// The part of the endpoint addresses that the merchant typed; it is bound into the sealed credentials.
fn merchant_host(manifest: &Manifest, settings: &[Pair]) -> String {
    let typed = manifest.credentials.iter().filter(|c| {
        let slot = format!("{{credential:{}}}", c.name);
        manifest.endpoints.iter().any(|e| e.url.contains(&slot))
    });
    let hosts: Vec<&str> = typed.filter_map(|c| find(settings, &c.name)).collect();
    hosts.join(" ")
}

/// `newer` over `older`, by key.
pub(crate) fn merged(older: &[Pair], newer: &[Pair]) -> Vec<Pair> {
    let mut all: Vec<Pair> = older.iter().filter(|o| find(newer, &o.key).is_none()).cloned().collect();
    all.extend(newer.iter().cloned());
    all
}

/// What to say of a vendor's refusal.
pub use error::vendor_words;
