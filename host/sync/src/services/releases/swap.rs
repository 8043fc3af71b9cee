//! Which version new work runs: let in, promoted, rolled back, taken away. The record first, then the engine's pointer.

use crm_contract::ports::Digest;
use crm_store::model::Put;

use super::{Line, Release, ReleaseState, get, line};
use crate::context::Context;
use crate::services::records::{self, Versioned};
use crate::services::{ServiceError, audit};

/// The write that makes a version the active one.
pub(super) fn put(context: &Context, line: Versioned<Line>, digest: &Digest) -> Result<Put, ServiceError> {
    records::put(&line.value.with(digest, context.now()), line.version)
}

/// Says yes to a version that may do more, and makes it active. Saying it twice is no error.
pub async fn approve(context: &Context, digest: &str) -> Result<Release, ServiceError> {
    let Versioned { mut value, version } = get(context, digest).await?;
    let shelf = context.shelf()?;
    let turn = shelf.turn().await;
    if value.state == ReleaseState::WaitingForApproval {
        value.state = ReleaseState::Ready;
        let log = audit::entry(context, "", "connector.approved", digest, &[("connector", value.connector.clone())])?;
        context.store.commit(vec![records::put(&value, version)?, log], Vec::new()).await?;
    }
    drop(turn);
    activate(context, digest).await
}

/// Makes a version the active one: a promotion, or a roll-back to a version of one's choice.
///
/// # Errors
/// `Conflict` (`not_approved`): it may do more than what was active, and nobody has said yes.
pub async fn activate(context: &Context, digest: &str) -> Result<Release, ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let release = get(context, digest).await?.value;
    if release.state == ReleaseState::WaitingForApproval {
        let message = format!("{} {} may do more than the version before it: approve it first", release.connector, release.version);
        return Err(ServiceError::conflict("not_approved", message));
    }
    let digest = Digest(release.id.clone());
    let current = line(context, &release.connector).await?;
    if current.value.active.as_deref() != Some(&release.id) {
        if context.guests.manifest(&digest).is_none() {
            shelf.load(&digest).await?;
        }
        let log = audit::entry(context, "", "connector.activated", &release.id, &[("connector", release.connector.clone())])?;
        context.store.commit(vec![put(context, current, &digest)?, log], Vec::new()).await?;
    }
    shelf.versions.activate(&digest);
    Ok(release)
}

/// Makes the version that was active before the active one again.
///
/// # Errors
/// `Conflict` (`nothing_before`): there was none.
pub async fn roll_back(context: &Context, connector: &str) -> Result<Release, ServiceError> {
    let current = line(context, connector).await?.value;
    match current.before.last() {
        Some(before) => activate(context, before).await,
        None => Err(ServiceError::conflict("nothing_before", format!("no version of {connector} was active before this one"))),
    }
}

/// Takes a version away, with its file. What runs on it ends in peace.
///
/// # Errors
/// `Conflict` (`version_active`): new work runs it; make another one active first. `Conflict` (`version_pinned`): connections are pinned to it.
pub async fn remove(context: &Context, digest: &str) -> Result<(), ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let Versioned { value: release, version } = get(context, digest).await?;
    let mut current = line(context, &release.connector).await?;
    if current.value.active.as_deref() == Some(digest) {
        return Err(ServiceError::conflict("version_active", "new work runs this version: make another one active first"));
    }
    current.value.before.retain(|id| id != digest);
    let mut gone = records::put(&release, version)?;
    gone.json = None;
    gone.unique = Vec::new();
    let log = audit::entry(context, "", "connector.removed", digest, &[("connector", release.connector.clone())])?;
    context.store.commit(vec![gone, records::put(&current.value, current.version)?, log], Vec::new()).await?;
    let digest = Digest(release.id);
    shelf.versions.unload(&digest);
    shelf.forget(&digest).await
}
