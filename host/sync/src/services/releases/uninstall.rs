//! Taking a connector off the host. Its connections, where there are any, wait with their jobs until it is back: nothing is lost.

use crm_contract::ports::Digest;
use crm_store::model::Put;

use super::{Line, line, of, swap, usage};
use crate::context::Context;
use crate::domain::ConnectionState;
use crate::services::connection_state;
use crate::services::records::{self, Document as _, Versioned};
use crate::services::{ServiceError, audit};

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uninstalled {
    pub versions: usize,
    /// Connections whose jobs wait for the connector from now on.
    pub parked: usize,
}

/// Takes a connector off with all its versions and files.
///
/// # Errors
/// `Conflict` (`connector_in_use`): connections use it, and `force` was not said.
pub async fn uninstall(context: &Context, connector: &str, force: bool) -> Result<Uninstalled, ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let mut current = line(context, connector).await?;
    if of(context, connector).await?.is_empty() {
        return Err(ServiceError::NotFound("connector"));
    }
    let users = usage::of(context, connector).await?.len();
    if users > 0 && !force {
        let message = format!("{users} connection(s) use {connector}: disconnect them, or force it, and their jobs wait until it is back");
        return Err(ServiceError::conflict("connector_in_use", message));
    }
    // First the intent: a host that dies on the way goes on when it starts.
    current.value.leaving = true;
    let log = audit::entry(context, "", "connector.uninstalled", connector, &[("forced", force.to_string())])?;
    context.store.commit(vec![records::put(&current.value, current.version)?, log], Vec::new()).await?;
    finish(context, connector).await
}

/// The rest of it, from wherever it broke off.
pub(super) async fn finish(context: &Context, connector: &str) -> Result<Uninstalled, ServiceError> {
    let shelf = context.shelf()?;
    let users = usage::of(context, connector).await?;
    for user in &users {
        // The lane first: a job that is claimed in between finds its version still there.
        context.store.park(&user.id, true, context.now()).await?;
        connection_state::change(context, &user.organization, &user.id, None, |connection| {
            if connection.state != ConnectionState::Disconnected {
                connection.state = ConnectionState::NeedsConnector;
                connection.trouble = Some("the platform has taken this integration off; syncs wait until it is back".to_owned());
            }
        })
        .await?;
    }
    let releases = of(context, connector).await?;
    let current = line(context, connector).await?;
    let gone = Line { connector: connector.to_owned(), missed: !users.is_empty(), since: context.now(), ..Line::default() };
    let mut puts = vec![records::put(&gone, current.version)?];
    for release in &releases {
        puts.push(Put::delete(release.key(), Some(super::get(context, &release.id).await?.version)));
    }
    context.store.commit(puts, Vec::new()).await?;
    swap::follow(context, &gone)?;
    for release in &releases {
        shelf.forget(&Digest(release.id.clone())).await?;
    }
    tracing::warn!(connector, versions = releases.len(), parked = users.len(), "connector taken off this host");
    Ok(Uninstalled { versions: releases.len(), parked: users.len() })
}

/// The connector is back: the connections that waited for it go on.
pub(super) async fn return_to_work(context: &Context, connector: &str) -> Result<(), ServiceError> {
    for user in usage::of(context, connector).await?.iter().filter(|user| user.state == ConnectionState::NeedsConnector) {
        connection_state::change(context, &user.organization, &user.id, None, |connection| {
            if connection.state == ConnectionState::NeedsConnector {
                connection.state = ConnectionState::Live;
                connection.trouble = None;
                // The versions that it could be pinned to are gone.
                connection.pinned = None;
            }
        })
        .await?;
        context.store.park(&user.id, false, context.now()).await?;
    }
    let Versioned { mut value, version } = line(context, connector).await?;
    value.missed = false;
    context.store.commit(vec![records::put(&value, version)?], Vec::new()).await?;
    Ok(())
}
