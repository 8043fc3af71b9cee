//! Which version new work runs: let in, promoted, rolled back, taken away. The record first, then the engine's pointer.

use crm_contract::ports::Digest;
use crm_store::model::Put;

use super::{Approval, Line, Release, ReleaseState, get, line, uninstall, usage};
use crate::context::Context;
use crate::services::records::{self, Document as _, Versioned};
use crate::services::{ServiceError, audit};

/// Makes the engine follow a line that is on disk.
pub(super) fn follow(context: &Context, line: &Line) -> Result<(), ServiceError> {
    if context.shelf()?.follow(line, context.guests.as_ref()) {
        return Ok(());
    }
    // Every caller loads the version first.
    Err(ServiceError::Damaged(format!("the active version of {} went away while it was made active; start the host anew", line.connector)))
}

/// Says yes to a version that may do more. With `activate` it becomes the active one, else it is kept ready. Saying it twice is no error.
pub async fn approve(context: &Context, digest: &str, activate: bool) -> Result<Release, ServiceError> {
    let shelf = context.shelf()?;
    let turn = shelf.turn().await;
    let Versioned { mut value, version } = get(context, digest).await?;
    if value.state == ReleaseState::WaitingForApproval {
        value.state = ReleaseState::Ready;
        let by = context.actor.as_ref().map(|actor| actor.id.clone()).unwrap_or_default();
        value.approved = Some(Approval { by, at: context.now() });
        let log = audit::entry(context, "", "connector.approved", digest, &[("connector", value.connector.clone())])?;
        context.store.commit(vec![records::put(&value, version)?, log], Vec::new()).await?;
    }
    drop(turn);
    if activate { self::activate(context, digest).await } else { Ok(value) }
}

/// Makes a version the active one: a promotion, or a roll-back to a version of one's choice.
///
/// # Errors
/// `Conflict` (`not_approved`): it may do more than what was active, and nobody has said yes.
pub async fn activate(context: &Context, digest: &str) -> Result<Release, ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let release = approved(context, digest).await?;
    let current = line(context, &release.connector).await?;
    make_active(context, current, &release).await?;
    Ok(release)
}

/// Makes the version that was active before the active one again. A trial ends with it.
///
/// # Errors
/// `Conflict` (`nothing_before`): there was none.
pub async fn roll_back(context: &Context, connector: &str) -> Result<Release, ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let mut current = line(context, connector).await?;
    if current.version == 0 {
        return Err(ServiceError::NotFound("connector"));
    }
    let Some(before) = current.value.before.pop() else {
        let message = format!("no version of {connector} was active before this one");
        return Err(ServiceError::conflict("nothing_before", message));
    };
    let release = approved(context, &before).await?;
    // What is left goes behind what was before it, or two roll-backs would lead back to what was rolled back.
    let left = current.value.active.take();
    current.value.canary = None;
    if let Some(left) = left {
        current.value.before.insert(0, left);
    }
    make_active(context, current, &release).await?;
    Ok(release)
}

async fn make_active(context: &Context, current: Versioned<Line>, release: &Release) -> Result<(), ServiceError> {
    let digest = Digest(release.id.clone());
    context.shelf()?.wake(&digest, context.guests.as_ref()).await?;
    let mut line = current;
    if line.value.active.as_deref() != Some(&release.id) {
        line.value = line.value.with(&digest, context.now());
        let log = audit::entry(context, "", "connector.activated", &release.id, &[("connector", release.connector.clone())])?;
        context.store.commit(vec![records::put(&line.value, line.version)?, log], Vec::new()).await?;
        tracing::info!(connector = release.connector, version = release.version, digest = release.id, "connector version active");
    }
    follow(context, &line.value)?;
    if line.value.missed {
        uninstall::return_to_work(context, &release.connector).await?;
    }
    Ok(())
}

/// A version that somebody may run.
pub(super) async fn approved(context: &Context, digest: &str) -> Result<Release, ServiceError> {
    let release = get(context, digest).await?.value;
    if release.state == ReleaseState::WaitingForApproval {
        let message =
            format!("{} {} waits for approval: look at what it may do more, and approve it first", release.connector, release.version);
        return Err(ServiceError::conflict("not_approved", message));
    }
    Ok(release)
}

/// Whether a connection of this connector may be pinned to the version. It is loaded when this answers yes.
pub async fn pinnable(context: &Context, connector: &str, digest: &str) -> Result<bool, ServiceError> {
    let digest = Digest(digest.to_owned());
    let fits = || context.guests.manifest(&digest).is_some_and(|manifest| manifest.connector.slug == connector);
    let Some(shelf) = &context.releases else { return Ok(fits()) };
    match approved(context, &digest.0).await {
        Ok(release) if release.connector == connector => shelf.wake(&digest, context.guests.as_ref()).await.map(|()| fits()),
        Ok(_) | Err(ServiceError::NotFound(_) | ServiceError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes a version away, with its file. What runs on it ends in peace.
///
/// # Errors
/// `Conflict` (`version_active`, `version_on_trial`): new work runs it. `Conflict` (`version_pinned`): connections are pinned to it.
pub async fn remove(context: &Context, digest: &str) -> Result<(), ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let Versioned { value: release, version } = get(context, digest).await?;
    let mut current = line(context, &release.connector).await?;
    if current.value.active.as_deref() == Some(digest) {
        return Err(ServiceError::conflict("version_active", "new work runs this version: make another one active first"));
    }
    if current.value.canary.as_ref().is_some_and(|canary| canary.version == digest) {
        return Err(ServiceError::conflict("version_on_trial", "a part of the connections tries this version: end the trial first"));
    }
    let pinned = usage::of(context, &release.connector).await?.into_iter().filter(|user| user.pinned.as_deref() == Some(digest)).count();
    if pinned > 0 {
        let message = format!("{pinned} connection(s) are pinned to this version: unpin them first");
        return Err(ServiceError::conflict("version_pinned", message));
    }
    let mut puts = vec![Put::delete(release.key(), Some(version))];
    puts.push(audit::entry(context, "", "connector.version_removed", digest, &[("connector", release.connector.clone())])?);
    if current.version > 0 {
        current.value.before.retain(|id| id != digest);
        puts.push(records::put(&current.value, current.version)?);
    }
    context.store.commit(puts, Vec::new()).await?;
    let digest = Digest(release.id);
    shelf.versions.unload(&digest);
    shelf.forget(&digest).await
}
