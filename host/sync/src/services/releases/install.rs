//! From a file to a version that may be active. The checks go from cheap to dear: size, signature (before a byte is parsed), proof by the
//! engine, number, power. Whatever fails leaves what is active untouched, and is written down with its reason.

use crm_catalog::diff;
use crm_contract::ports::Digest;
use crm_contract::versions::{ProofStage, Proved, Refused};
use crm_store::StoreError;

use super::{Release, ReleaseState, Source, line, number, refused, swap, uninstall};
use crate::context::Context;
use crate::replay::{self, Gate};
use crate::services::records::{self, Versioned};
use crate::services::{ServiceError, audit};

/// A file, and what is said about it.
#[derive(Clone, Debug)]
pub struct Intake {
    pub file: Vec<u8>,
    pub source: Source,
    /// The text of a minisign signature over the file.
    pub signature: Option<String>,
    /// New work is to run it as soon as it may. `false` = it is only kept ready, to be pinned, tried or activated.
    pub activate: bool,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    pub release: Release,
    /// New work runs it.
    pub active: bool,
    /// It was here already, and nothing changed.
    pub known: bool,
}

/// Brings a file in. A version that may do no more than the active one and would have sent the same in the syncs done last (or is the first
/// of its connector) becomes active at once; one that may do more, or does it otherwise, waits for [`super::approve`]. A number below the active version's is kept ready and never made active by itself. The same
/// file again is no error and changes nothing.
///
/// # Errors
/// `Invalid` (`file`, `signature`): the file itself is refused, and why. `Conflict` (`version_taken`): its number belongs to another file.
pub async fn install(context: &Context, intake: Intake) -> Result<Installed, ServiceError> {
    let digest = Digest(blake3::hash(&intake.file).to_hex().to_string());
    match take_in(context, &digest, &intake).await {
        Ok(installed) => Ok(installed),
        Err(No { stage, error }) => {
            if let Some(stage) = stage {
                refused::note(context, &digest, &intake, stage, &error).await?;
            }
            Err(error)
        }
    }
}

/// Bytes that a gate may have in a version's record, which holds 8 KiB in all.
const GATE_BYTES: usize = 5 * 1024;

/// Why a file was not taken, and which check said so; no check did where it is not the file's fault.
struct No {
    stage: Option<&'static str>,
    error: ServiceError,
}

impl No {
    fn at(stage: &'static str, error: ServiceError) -> Self {
        Self { stage: Some(stage), error }
    }
}

impl From<ServiceError> for No {
    fn from(error: ServiceError) -> Self {
        Self { stage: None, error }
    }
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        ServiceError::from(error).into()
    }
}

impl From<Refused> for No {
    fn from(Refused { stage, why, hosts_fault }: Refused) -> Self {
        if hosts_fault { ServiceError::Unavailable(why).into() } else { Self::at(stage.as_str(), ServiceError::invalid("file", why)) }
    }
}

async fn take_in(context: &Context, digest: &Digest, intake: &Intake) -> Result<Installed, No> {
    let shelf = context.shelf()?;
    let bytes = intake.file.len();
    if bytes > shelf.most_bytes {
        let most = shelf.most_bytes;
        let error = ServiceError::invalid("file", format!("the file is {bytes} bytes; a connector has at most {most}"));
        return Err(No::at(ProofStage::Size.as_str(), error));
    }
    let signer = shelf.trust.check(&intake.file, &intake.source, intake.signature.as_deref());
    let signer = signer.map_err(|error| No::at("signature", ServiceError::invalid("signature", error.to_string())))?;
    if let Some(known) = known(context, digest).await? {
        restore(context, digest, intake, &known).await?;
        return Ok(known);
    }
    let loaded_before = context.guests.manifest(digest).is_some();
    let proved = shelf.versions.prove(intake.file.clone()).await?;
    let gate = replayed(context, &proved).await?;
    let _turn = shelf.turn().await;
    // The same file may have come twice at once.
    if let Some(known) = known(context, digest).await? {
        return Ok(known);
    }
    let connector = &proved.manifest.connector;
    let current = line(context, &connector.slug).await?;
    if current.value.leaving {
        shelf.versions.unload(digest);
        let message = format!("{} is being taken off this host; send the file again when that is done", connector.slug);
        return Err(ServiceError::conflict("connector_leaving", message).into());
    }
    let taken = records::find::<Release>(context, "", "number", &number(&connector.slug, &connector.version)).await?;
    if let Some(other) = taken {
        if !loaded_before {
            shelf.versions.unload(digest);
        }
        let message = format!(
            "{} {} is another file ({}): raise the version in connector.toml, a number stands for one file",
            connector.slug, connector.version, other.value.id
        );
        return Err(No::at("number", ServiceError::conflict("version_taken", message)));
    }
    let over = current.value.active.as_ref().and_then(|id| context.guests.manifest(&Digest(id.clone())));
    let wider = over.as_ref().is_some_and(|over| diff::widens(&diff::diff(over, &proved.manifest)));
    let waits = wider || gate.as_ref().is_some_and(|gate| !gate.is_clear() || gate.cut_short);
    let older = over.as_ref().is_some_and(|over| is_older(&connector.version, &over.connector.version));
    let release = Release {
        id: digest.0.clone(),
        connector: connector.slug.clone(),
        version: connector.version.clone(),
        bytes: bytes as u64,
        source: intake.source.clone(),
        signer,
        by: context.actor.as_ref().map(|actor| actor.id.clone()).unwrap_or_default(),
        installed: context.now(),
        state: if waits { ReleaseState::WaitingForApproval } else { ReleaseState::Ready },
        over: current.value.active.clone(),
        approved: None,
        fixtures: proved.fixtures as u64,
        gate,
    };
    let active = intake.activate && !waits && !older;
    shelf.keep(digest, &intake.file).await?;
    // A swap since it was proved may have taken it out of memory again.
    shelf.wake(digest, context.guests.as_ref()).await?;
    let details = [("connector", release.connector.clone()), ("version", release.version.clone())];
    let mut puts = vec![records::put(&release, 0)?, audit::entry(context, "", "connector.installed", &release.id, &details)?];
    let mut line = current;
    if active {
        line.value = line.value.with(digest, context.now());
        puts.push(records::put(&line.value, line.version)?);
    }
    context.store.commit(puts, Vec::new()).await?;
    swap::follow(context, &line.value)?;
    if active && line.value.missed {
        uninstall::return_to_work(context, &release.connector).await?;
    }
    tracing::info!(connector = release.connector, version = release.version, digest = release.id, active, waits, "connector installed");
    Ok(Installed { release, active, known: false })
}

/// What the version would do differently with the syncs that its connector did last. Nothing where none is active yet.
async fn replayed(context: &Context, proved: &Proved) -> Result<Option<Gate>, ServiceError> {
    let connector = &proved.manifest.connector.slug;
    let most = context.config.replay_gate as usize;
    if most == 0 || context.guests.active(connector).is_none() {
        return Ok(None);
    }
    replay::gate(context, connector, &proved.digest, most).await.map(bounded).map(Some)
}

/// The gate in at most so many bytes: what is most frequent, and newest, stays. Counts stay whole.
fn bounded(mut gate: Gate) -> Gate {
    while serde_json::to_string(&gate).is_ok_and(|json| json.len() > GATE_BYTES) {
        if gate.different.pop().is_none() && gate.places.pop().is_none() {
            break;
        }
    }
    gate
}

async fn known(context: &Context, digest: &Digest) -> Result<Option<Installed>, ServiceError> {
    let release = match super::get(context, &digest.0).await {
        Ok(Versioned { value, .. }) => value,
        Err(ServiceError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let active = line(context, &release.connector).await?.value.active.as_deref() == Some(&release.id);
    Ok(Some(Installed { release, active, known: true }))
}

/// A version on record whose file was lost (a backup holds records and no files) is whole again when the file comes.
async fn restore(context: &Context, digest: &Digest, intake: &Intake, known: &Installed) -> Result<(), ServiceError> {
    let shelf = context.shelf()?;
    let _turn = shelf.turn().await;
    shelf.keep(digest, &intake.file).await?;
    let serves = context.guests.active(&known.release.connector).is_some_and(|(active, _)| active == *digest);
    if known.active && !serves {
        shelf.wake(digest, context.guests.as_ref()).await?;
        swap::follow(context, &line(context, &known.release.connector).await?.value)?;
        tracing::info!(connector = known.release.connector, digest = digest.0, "the active version serves again");
    }
    Ok(())
}

fn is_older(new: &str, active: &str) -> bool {
    match (semver::Version::parse(new), semver::Version::parse(active)) {
        (Ok(new), Ok(active)) => new < active,
        // The catalog lets no other numbers in.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Differs, Place};

    #[test]
    fn a_gate_that_is_too_long_loses_its_examples_first_and_never_its_counts() {
        let place = |n: usize| Place { call: "c".repeat(60), what: format!("{n:0>180}"), syncs: 9 };
        let differs = |n: usize| Differs { organization: format!("org_{n:026}"), sync: format!("job_{n:026}"), words: "w".repeat(420) };
        let places: Vec<Place> = (0..16).map(place).collect();
        let gate = Gate { replayed: 200, same: 1, places: places.clone(), different: (0..6).map(differs).collect(), ..Gate::default() };
        let cut = bounded(gate.clone());
        assert!(serde_json::to_string(&cut).unwrap().len() <= GATE_BYTES);
        assert!(cut.different.len() < 6 && cut.places == places && cut.replayed == 200, "{cut:?}");
        let short = Gate { places: Vec::new(), different: vec![differs(1)], ..gate };
        assert_eq!(bounded(short.clone()), short);
    }
}
