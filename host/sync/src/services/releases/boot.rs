//! At the host's start: what the records say is loaded, what broke off is finished, and what no record names is swept from the shelf.

use std::collections::BTreeSet;

use crm_contract::ports::Digest;

use super::{Line, releases, swap, uninstall};
use crate::context::Context;
use crate::services::ServiceError;
use crate::services::records;

/// What a start found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// Versions that are loaded: the active ones, and those on trial. Others are loaded when somebody asks for them.
    pub loaded: usize,
    /// Versions that could not be loaded: told in the log, each with its reason.
    pub refused: usize,
    /// Files without a record, of installs that broke off.
    pub swept: usize,
}

/// Loads what serves, and makes it serve. A version that cannot be loaded keeps no other from serving.
pub async fn start(context: &Context) -> Result<Started, ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let mut started = Started::default();
    let known: BTreeSet<String> = releases(context).await?.into_iter().map(|release| release.id).collect();
    for digest in shelf.lying().await?.into_iter().filter(|digest| !known.contains(&digest.0)) {
        shelf.forget(&digest).await?;
        started.swept += 1;
    }
    let lines: Vec<Line> = records::all::<Line>(context, "").await?.into_iter().map(|line| line.value).collect();
    for line in lines {
        if line.leaving {
            uninstall::finish(context, &line.connector).await?;
            continue;
        }
        serve(context, line, &mut started).await?;
    }
    Ok(started)
}

async fn serve(context: &Context, mut line: Line, started: &mut Started) -> Result<(), ServiceError> {
    let shelf = context.shelf()?;
    let mut load = async |id: &str| match shelf.load(&Digest(id.to_owned())).await {
        Ok(_) => {
            started.loaded += 1;
            true
        }
        Err(error) => {
            started.refused += 1;
            tracing::error!(connector = line.connector, digest = id, %error, "a version on record cannot be loaded");
            false
        }
    };
    if let Some(active) = line.active.clone() {
        // The newest that can be had: an active version whose file was lost must not stop the connector. The record stays as it is.
        let mut serving = None;
        for id in std::iter::once(&active).chain(line.before.iter().rev()) {
            if load(id).await {
                serving = Some(id.clone());
                break;
            }
        }
        match &serving {
            None => tracing::error!(connector = line.connector, "no version of this connector can be loaded"),
            Some(id) if *id != active => {
                tracing::error!(connector = line.connector, digest = id, "the active version cannot be loaded; one before it serves");
            }
            Some(_) => {}
        }
        line.active = serving;
    }
    let canary_fails = match &line.canary {
        Some(canary) => !load(&canary.version).await,
        None => false,
    };
    if canary_fails {
        line.canary = None;
    }
    swap::follow(context, &line)?;
    if line.missed && line.active.is_some() {
        uninstall::return_to_work(context, &line.connector).await?;
    }
    Ok(())
}
