//! Files that were refused, and why: so that who dropped a file into the folder, or sent it at night, finds the reason. Bounded.

use crm_contract::ports::Digest;
use crm_store::model::{Kind, Put, RecordKey};
use serde::{Deserialize, Serialize};

use super::{Intake, Source};
use crate::context::Context;
use crate::services::ServiceError;
use crate::services::records::{self, Document};

/// Refusals remembered; the oldest go first.
const REMEMBERED: usize = 100;
/// Characters of a reason that are kept.
const WHY: usize = 2_000;

/// A file that was not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedFile {
    /// BLAKE3 of the file, lower-case hex. The same file refused again replaces the line.
    pub id: String,
    pub source: Source,
    pub bytes: u64,
    /// The operator's key that sent it; empty = the host itself, from its folder.
    pub by: String,
    pub at: u64,
    /// Which check said no: `signature`, `number`, or one of the engine's stages (`size`, `section`, ... `smoke`).
    #[serde(default)]
    pub stage: String,
    /// For the person who sent it.
    pub why: String,
}

impl Document for RefusedFile {
    const KIND: Kind = Kind::RefusedFile;
    const NAME: &'static str = "refused file";
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// What was refused, newest first.
pub async fn refused(context: &Context) -> Result<Vec<RefusedFile>, ServiceError> {
    let mut all: Vec<RefusedFile> = records::all::<RefusedFile>(context, "").await?.into_iter().map(|file| file.value).collect();
    all.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    Ok(all)
}

/// Writes a refusal down.
pub(super) async fn note(
    context: &Context,
    digest: &Digest,
    intake: &Intake,
    stage: &str,
    error: &ServiceError,
) -> Result<(), ServiceError> {
    let why: String = error.to_string().chars().take(WHY).collect();
    tracing::warn!(digest = digest.0, source = ?intake.source, stage, why, "connector refused");
    let file = RefusedFile {
        id: digest.0.clone(),
        source: intake.source.clone(),
        bytes: intake.file.len() as u64,
        by: context.actor.as_ref().map(|actor| actor.id.clone()).unwrap_or_default(),
        at: context.now(),
        stage: stage.to_owned(),
        why,
    };
    let others: Vec<RefusedFile> = refused(context).await?.into_iter().filter(|other| other.id != file.id).collect();
    let mut puts = vec![Put { expect: None, ..records::put(&file, 0)? }];
    puts.extend(others.iter().skip(REMEMBERED - 1).map(|old| Put::delete(old.key(), None)));
    context.store.commit(puts, Vec::new()).await?;
    Ok(())
}
