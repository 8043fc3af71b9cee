//! From a file to a version that may be active. The checks go from cheap to dear: size, signature (before a byte is parsed), proof by the
//! engine, number, power. Whatever fails leaves what is active untouched.

use crm_catalog::diff;
use crm_contract::versions::Refused;

use super::{Release, ReleaseState, Source, line, number, swap};
use crate::context::Context;
use crate::services::records::{self, Versioned};
use crate::services::{ServiceError, audit};

/// What became of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    pub release: Release,
    /// New work runs it from now on.
    pub active: bool,
    /// It was here already.
    pub known: bool,
}

/// Brings a file in. A version that may do no more than the active one (or is the first of its connector) becomes active at once; one that
/// may do more waits for [`super::approve`]. The same file again is no error and changes nothing.
///
/// # Errors
/// `Invalid` (`file`): the file itself is refused, and why. `Conflict` (`version_taken`): its number belongs to another file.
pub async fn install(context: &Context, file: Vec<u8>, source: Source, signature: Option<&str>) -> Result<Installed, ServiceError> {
    let shelf = context.shelf()?;
    if file.len() > shelf.most_bytes {
        let most = shelf.most_bytes;
        return Err(ServiceError::invalid("file", format!("the file is {} bytes; a connector has at most {most}", file.len())));
    }
    let signer = shelf.trust.check(&file, &source, signature).map_err(|error| ServiceError::invalid("signature", error.to_string()))?;
    let bytes = file.len() as u64;
    let proved = shelf.versions.prove(file.clone()).await.map_err(refused)?;
    let _turn = shelf.turn().await;
    let connector = &proved.manifest.connector;
    let current = line(context, &connector.slug).await?;
    if let Ok(Versioned { value: release, .. }) = super::get(context, &proved.digest.0).await {
        let active = current.value.active.as_deref() == Some(&release.id);
        return Ok(Installed { release, active, known: true });
    }
    let taken = records::find::<Release>(context, "", "number", &number(&connector.slug, &connector.version)).await?;
    if let Some(other) = taken {
        shelf.versions.unload(&proved.digest);
        let message = format!(
            "{} {} is another file ({}): a number that was given away is never used again, raise it",
            connector.slug, connector.version, other.value.id
        );
        return Err(ServiceError::conflict("version_taken", message));
    }
    let before = current.value.active.as_ref().and_then(|id| context.guests.manifest(&crm_contract::ports::Digest(id.clone())));
    let changes = before.map(|before| diff::diff(&before, &proved.manifest)).unwrap_or_default();
    let waits = diff::widens(&changes);
    let release = Release {
        id: proved.digest.0.clone(),
        connector: connector.slug.clone(),
        version: connector.version.clone(),
        bytes,
        source,
        signer,
        by: context.actor.as_ref().map(|actor| actor.id.clone()).unwrap_or_default(),
        installed: context.now(),
        state: if waits { ReleaseState::WaitingForApproval } else { ReleaseState::Ready },
        changes: changes.into_iter().map(Into::into).collect(),
    };
    shelf.keep(&proved.digest, &file).await?;
    let log = audit::entry(context, "", "connector.installed", &release.id, &[("connector", release.connector.clone()), ("version", release.version.clone())])?;
    let mut puts = vec![records::put(&release, 0)?, log];
    if !waits {
        puts.push(swap::put(context, current, &proved.digest)?);
    }
    context.store.commit(puts, Vec::new()).await?;
    if !waits {
        shelf.versions.activate(&proved.digest);
    }
    Ok(Installed { release, active: !waits, known: false })
}

fn refused(refused: Refused) -> ServiceError {
    if refused.hosts_fault { ServiceError::Unavailable(refused.why) } else { ServiceError::invalid("file", refused.why) }
}
