//! At the host's start: what the records say is loaded, and what no record names is swept from the shelf.

use std::collections::BTreeSet;

use crm_contract::ports::Digest;

use super::{Line, Release};
use crate::context::Context;
use crate::services::ServiceError;
use crate::services::records;

/// What a start found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// Versions that are loaded.
    pub loaded: usize,
    /// Versions that could not be loaded: told in the log, each with its reason.
    pub refused: usize,
    /// Files without a record, of installs that broke off.
    pub swept: usize,
}

/// Loads every version on record and makes the active ones active. A version that cannot be loaded keeps no other from serving.
pub async fn start(context: &Context) -> Result<Started, ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    let mut started = Started::default();
    let releases: Vec<Release> = records::all::<Release>(context, "").await?.into_iter().map(|release| release.value).collect();
    let known: BTreeSet<&str> = releases.iter().map(|release| release.id.as_str()).collect();
    for digest in shelf.lying().await?.into_iter().filter(|digest| !known.contains(digest.0.as_str())) {
        shelf.forget(&digest).await?;
        started.swept += 1;
    }
    for release in &releases {
        match shelf.load(&Digest(release.id.clone())).await {
            Ok(_) => started.loaded += 1,
            Err(error) => {
                started.refused += 1;
                tracing::error!(connector = release.connector, digest = release.id, %error, "a version on record cannot be loaded");
            }
        }
    }
    for Line { connector, active, before, .. } in records::all::<Line>(context, "").await?.into_iter().map(|line| line.value) {
        // The newest that can be had: an active version whose file was lost must not stop the connector.
        let candidates = active.iter().chain(before.iter().rev());
        let found = candidates.map(|id| Digest(id.clone())).find(|digest| shelf.versions.activate(digest));
        match found {
            Some(digest) if active.as_deref() != Some(&digest.0) => {
                tracing::error!(connector, digest = digest.0, "the active version cannot be loaded; the one before it serves");
            }
            Some(_) => {}
            None if active.is_some() => tracing::error!(connector, "no version of this connector can be loaded"),
            None => {}
        }
    }
    Ok(started)
}
