//! What is waited for while a merchant is on the consent page: a record under the hash of its `state`, and beside it, sealed, what
//! must stay secret. It is marked before it is used, so that of two returns with one state only one finds it.

use std::collections::BTreeMap;

use crm_contract::ports::CodeRequest;
use crm_store::Whose;
use crm_store::model::{Kind, Put, RecordKey};
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::LIFETIME_MS;
use crate::context::Context;
use crate::domain::{Actor, Connection};
use crate::ids::new_id;
use crate::services::records::{self, Document};
use crate::services::{ServiceError, Versioned};

/// Letters and digits of a secret: about 256 bits, and what RFC 7636 asks of a verifier.
const LETTERS: usize = 43;
/// The verifier lies among the sealed slots; no slot's name begins so.
const VERIFIER: &str = "_verifier";
/// Forgotten ones that are cleared away at once.
const SWEPT: usize = 64;

/// The record. Holds nothing secret.
#[derive(Serialize, Deserialize)]
pub(super) struct Flow {
    pub(super) id: String,
    /// SHA-256 of the state.
    hash: String,
    pub(super) organization: String,
    pub(super) connector: String,
    /// The `[[auth]]` whose code is fetched.
    pub(super) auth: String,
    /// The connection as it will be.
    pub(super) draft: Connection,
    /// It exists already.
    pub(super) again: bool,
    /// Its credentials lie sealed beside this; else they are those that the connection has.
    pub(super) typed: bool,
    /// Name of the browser's cookie, and the SHA-256 of its value.
    pub(super) cookie: Option<(String, String)>,
    pub(super) redirect_uri: String,
    pub(super) return_to: Option<String>,
    /// Who set out: the return is on their behalf.
    #[serde(default)]
    pub(super) by: Option<Actor>,
    created: u64,
    used: bool,
}

/// What lay sealed.
pub(super) struct Opened {
    pub(super) slots: BTreeMap<String, Zeroizing<String>>,
    pub(super) verifier: Zeroizing<String>,
}

pub(super) struct Found {
    pub(super) flow: Flow,
    pub(super) version: u64,
    pub(super) opened: Opened,
}

impl Document for Flow {
    const KIND: Kind = Kind::Authorization;
    const NAME: &'static str = "authorization";
    /// A return names no organization, so they are kept outside all of them.
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        vec![("state".to_owned(), self.hash.clone())]
    }
}

impl Flow {
    fn whose(&self) -> Whose {
        Whose {
            organization: self.organization.clone(),
            connection: self.id.clone(),
            connector: self.connector.clone(),
            host: self.draft.host.clone(),
        }
    }
}

pub(super) fn secret() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), LETTERS)
}

pub(super) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

pub(super) fn same(a: &str, b: &str) -> bool {
    bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

fn unknown() -> ServiceError {
    ServiceError::conflict(
        "oauth_state_unknown",
        "this return from the vendor belongs to nothing that is waited for: it came too late, or twice; start again",
    )
}

/// Keeps what is needed at the return. `again` says of a connection that exists whether its credentials were typed anew. Answers when
/// it expires, and the browser's cookie.
#[expect(clippy::too_many_arguments, reason = "the parts of one record")]
pub(super) async fn keep(
    context: &Context,
    ask: &CodeRequest,
    auth: &str,
    draft: Connection,
    again: Option<bool>,
    slots: BTreeMap<String, String>,
    return_to: Option<String>,
    by_browser: bool,
) -> Result<(u64, Option<(String, String)>), ServiceError> {
    sweep(context).await;
    let now = context.now();
    let state = hash(&ask.state);
    // A name of its own: two that a merchant started side by side do not overwrite one another.
    let cookie = by_browser.then(|| (format!("oauth_{}", &state[..12]), secret()));
    let flow = Flow {
        id: new_id("aut", now),
        organization: draft.organization.clone(),
        connector: draft.connector.clone(),
        auth: auth.to_owned(),
        again: again.is_some(),
        typed: again.unwrap_or(true),
        cookie: cookie.as_ref().map(|(name, value)| (name.clone(), hash(value))),
        redirect_uri: ask.redirect_uri.clone(),
        return_to,
        by: context.actor.as_deref().cloned(),
        created: now,
        used: false,
        hash: state,
        draft,
    };
    let mut slots = slots;
    slots.insert(VERIFIER.to_owned(), ask.verifier.to_string());
    context.store.seal(&flow.whose(), slots).await?;
    if let Err(error) = records::save(context, &flow, 0).await {
        context.store.forget(&flow.whose()).await?;
        return Err(error);
    }
    Ok((now + LIFETIME_MS, cookie))
}

/// Finds what a return is for, and marks it used: it is found once.
pub(super) async fn take(context: &Context, connector: &str, state: &str) -> Result<Found, ServiceError> {
    if state.len() != LETTERS || !state.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(unknown());
    }
    let hash = hash(state);
    let found = records::find::<Flow>(context, "", "state", &hash).await?;
    let Versioned { value: mut flow, version } = found.ok_or_else(unknown)?;
    let alive = context.now().saturating_sub(flow.created) < LIFETIME_MS;
    if !same(&flow.hash, &hash) || flow.connector != connector || flow.used || !alive {
        return Err(unknown());
    }
    flow.used = true;
    let version = records::save(context, &flow, version).await.map_err(|error| match error {
        ServiceError::Changed => unknown(),
        other => other,
    })?;
    let sealed = context.store.credentials(&flow.whose()).unseal().await.map_err(|e| ServiceError::Unavailable(e.to_string()))?;
    let mut slots: BTreeMap<String, Zeroizing<String>> =
        sealed.iter().map(|(slot, value)| (slot.to_owned(), Zeroizing::new(value.to_owned()))).collect();
    let verifier = slots.remove(VERIFIER).unwrap_or_default();
    Ok(Found { flow, version, opened: Opened { slots, verifier } })
}

/// Nothing of it is needed any more. What a crash leaves behind is swept later.
pub(super) async fn drop_all(context: &Context, flow: &Flow, version: u64) {
    let gone = async {
        context.store.forget(&flow.whose()).await?;
        let put = Put::delete(flow.key(), Some(version));
        context.store.commit(vec![put], Vec::new()).await
    };
    if let Err(error) = gone.await {
        tracing::debug!(%error, "an authorization that ended stays a little longer");
    }
}

/// Clears away what nobody came back for. Each start clears some, so they cannot pile up.
pub async fn sweep(context: &Context) {
    let Ok(records) = context.store.page("", Kind::Authorization, None, SWEPT).await else { return };
    for record in records {
        let Ok(found) = records::parse::<Flow>(&record) else { continue };
        // Oldest first: the rest is younger.
        if context.now().saturating_sub(found.value.created) < LIFETIME_MS {
            return;
        }
        drop_all(context, &found.value, found.version).await;
    }
}
