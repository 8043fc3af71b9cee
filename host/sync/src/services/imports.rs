//! Imports of affiliates from CSV files: received, checked row by row against what is there, and then written batch by batch, each batch in
//! one commit with the import's own record. So an import goes on where it stood however the host stops, and every row has exactly one result.
//!
//! The work itself is done by `worker::imports`, a batch at a time.

pub(crate) mod board;
mod document;
pub mod formats;
mod plan;
pub(crate) mod run;
mod source;
mod sweep;
mod upload;

use crm_contract::spool::{SpoolError, SpoolName};
use crm_contract::types::Pair;
use crm_store::model::{NewJob, Put};

use super::csv_out::CsvOut;
use super::events::{self, Event};
use super::records::{self, Paged};
use super::{ServiceError, Versioned, audit, campaigns};
use crate::context::Context;
pub use board::Board;
use board::Which;
use document::Pointer;
pub use document::{Checkpoint, Counts, Import, ImportState, MAPPING_BYTES, Remark};
pub use sweep::{adopt, sweep};
pub use upload::{NewImport, Upload};

/// The first line of a result file.
const RESULT_COLUMNS: [&str; 5] = ["row", "result", "affiliate", "column", "message"];

/// How long result files are kept.
pub const RESULTS_DAYS: u64 = 30;
const DAY_MS: u64 = 86_400_000;

/// Which imports to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportFilter {
    pub campaign: Option<String>,
    pub state: Option<ImportState>,
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<Import>, ServiceError> {
    records::load(context, organization, id).await
}

/// A page of imports, oldest first.
pub async fn list(
    context: &Context,
    organization: &str,
    filter: &ImportFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Import>>, ServiceError> {
    if let Some(campaign) = &filter.campaign {
        campaigns::get(context, organization, campaign).await?;
    }
    let keep = |import: &Import| {
        filter.campaign.as_ref().is_none_or(|campaign| *campaign == import.campaign)
            && filter.state.is_none_or(|state| state == import.state)
    };
    records::page(context, organization, after, limit, keep).await
}

/// Starts an import that was checked; one that is still being checked goes on by itself then. One that runs already is left alone.
pub async fn start(context: &Context, organization: &str, id: &str) -> Result<Versioned<Import>, ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { value: mut import, version } = get(context, organization, id).await?;
        match import.state {
            ImportState::Running => return Ok(Versioned { value: import, version }),
            ImportState::Checking => import.start = true,
            ImportState::Checked => begin(&mut import, context.now()),
            ImportState::Receiving => return Err(ServiceError::conflict("import_not_ready", "the file has not arrived yet")),
            _ => return Err(ended_already(&import)),
        }
        let log = audit::entry(context, organization, "import.started", id, &[])?;
        match context.store.commit(vec![records::put(&import, version)?, log], Vec::new()).await {
            Ok(_) => {
                context.imports.post(Which { organization: organization.to_owned(), id: id.to_owned() });
                return Ok(Versioned { value: import, version: version + 1 });
            }
            Err(crm_store::StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

/// Stops an import; what it imported stays. One that was cancelled already is left alone.
pub async fn cancel(context: &Context, organization: &str, id: &str) -> Result<Versioned<Import>, ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { value: mut import, version } = get(context, organization, id).await?;
        if import.state == ImportState::Cancelled {
            return Ok(Versioned { value: import, version });
        }
        if import.state.is_final() {
            return Err(ended_already(&import));
        }
        import.state = ImportState::Cancelled;
        let (puts, jobs) = end(context, &mut import, version).await?;
        match context.store.commit(puts, jobs).await {
            Ok(_) => {
                let_go(context, id).await;
                return Ok(Versioned { value: import, version: version + 1 });
            }
            Err(crm_store::StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

fn ended_already(import: &Import) -> ServiceError {
    ServiceError::conflict("import_ended", format!("this import has ended: it is {}", import.state.word()))
}

/// The second phase: every row once more, and this time for good.
fn begin(import: &mut Import, now: u64) {
    import.state = ImportState::Running;
    import.started = Some(now);
    import.at = Checkpoint::default();
    import.counts = Counts::default();
    import.remarks.clear();
}

/// The writes that end an import: its record, its line in the audit log, its event, and until when its results are kept. The state was
/// set by the caller.
async fn end(context: &Context, import: &mut Import, version: u64) -> Result<(Vec<Put>, Vec<NewJob>), ServiceError> {
    let now = context.now();
    import.ended = Some(now);
    // What a check counted was never done.
    let done = import.started.is_some();
    let counts: Vec<(&str, String)> =
        import.counts.named().into_iter().map(|(name, n)| (name, if done { n } else { 0 }.to_string())).collect();
    let action = format!("import.{}", import.state.word());
    let log = audit::entry(context, &import.organization, &action, &import.id, &counts)?;
    let event = Event::ImportFinished {
        import: import.id.clone(),
        campaign: import.campaign.clone(),
        state: import.state.word().to_owned(),
        counts: counts.iter().map(|(name, n)| Pair::new(*name, n.clone())).collect(),
    };
    let jobs = events::outbox(context, &import.organization, &[event]).await?;
    let until = Some(now + RESULTS_DAYS * DAY_MS);
    let pointer = Pointer { id: import.id.clone(), organization: import.organization.clone(), until };
    let pointer = Put { expect: None, ..records::put(&pointer, 0)? };
    Ok((vec![records::put(import, version)?, log, pointer], jobs))
}

/// Deletes the files that nobody needs once an import has ended; the next start does it where this fails.
async fn let_go(context: &Context, id: &str) {
    context.imports.changed();
    let Some(spool) = &context.spool else { return };
    for name in [source_name(id), check_name(id)].into_iter().flatten() {
        if let Err(error) = spool.delete(&name).await {
            tracing::warn!(import = id, %error, "a file of an ended import could not be deleted");
        }
    }
}

/// The result file of an import's present phase, as far as it is on disk. Rows of a check say what would happen.
pub struct Results {
    context: Context,
    name: SpoolName,
    at: u64,
    end: u64,
    /// Nothing is there yet: the line with the columns' names all the same.
    heading: bool,
}

pub async fn results(context: &Context, organization: &str, id: &str) -> Result<Results, ServiceError> {
    let import = get(context, organization, id).await?.value;
    if import.ended.is_some_and(|ended| ended + RESULTS_DAYS * DAY_MS <= context.now()) {
        let message = format!("results are kept for {RESULTS_DAYS} days after the end of an import");
        return Err(ServiceError::conflict("results_expired", message));
    }
    let name = if import.started.is_some() { results_name(id)? } else { check_name(id)? };
    // A cancelled check leaves nothing.
    let end = if import.ended.is_some() && import.started.is_none() { 0 } else { import.at.results };
    Ok(Results { context: context.clone(), name, at: 0, end, heading: end == 0 })
}

impl Results {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ServiceError> {
        const PIECE: usize = 64 * 1024;
        if std::mem::take(&mut self.heading) {
            let mut out = CsvOut::default();
            out.row(RESULT_COLUMNS);
            return Ok(Some(out.take()));
        }
        let most = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(PIECE).min(PIECE);
        if most == 0 {
            return Ok(None);
        }
        let piece = self.context.spool()?.read(&self.name, self.at, most).await.map_err(spool_error)?;
        self.at += piece.len() as u64;
        Ok(Some(piece).filter(|p| !p.is_empty()))
    }
}

/// The uploaded file.
fn source_name(id: &str) -> Result<SpoolName, ServiceError> {
    SpoolName::new(id).map_err(spool_error)
}

/// What the check expects of each row.
fn check_name(id: &str) -> Result<SpoolName, ServiceError> {
    SpoolName::new(format!("{id}_check")).map_err(spool_error)
}

/// What came of each row.
fn results_name(id: &str) -> Result<SpoolName, ServiceError> {
    SpoolName::new(format!("{id}_results")).map_err(spool_error)
}

fn spool_error(error: SpoolError) -> ServiceError {
    match error {
        SpoolError::NoSpace { .. } => ServiceError::NoSpace,
        SpoolError::Missing => ServiceError::NotFound("file"),
        other => ServiceError::Unavailable(other.to_string()),
    }
}
