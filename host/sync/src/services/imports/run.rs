//! One import at work: rows of the file in, a batch of writes out, and the checkpoint in the same commit. The result file is on disk before
//! the commit that counts its rows, and is cut back to the checkpoint when work is taken up again.

use crm_contract::spool::{SpoolError, SpoolName};
use crm_store::StoreError;
use crm_store::model::{NewJob, Put};

use super::board::Which;
use super::document::{Checkpoint, Import, ImportState};
use super::formats::{CellError, Field, Format, Layout};
use super::plan::{Planned, Planner, Seen};
use super::source::{Source, SourceError};
use super::{RESULT_COLUMNS, begin, check_name, end, let_go, results_name, source_name};
use crate::context::Context;
use crate::domain::AffiliateStatus;
use crate::services::csv_out::CsvOut;
use crate::services::desk::Desk;
use crate::services::events::{self, AffiliateEvent, Event};
use crate::services::{ServiceError, Versioned, records};

/// Rows in one commit.
const BATCH: usize = 250;
/// Jobs in one commit, and bytes of its documents: a merchant with many connections has smaller batches.
const JOBS: usize = 1_000;
const BYTES: usize = 4 * 1024 * 1024;
/// Batches of a check between two writes of how far it is.
const CHECK_WRITES: u32 = 10;
/// Rows after which others on this thread get their turn.
const POLITE: usize = 32;

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// Nothing more to do for now: it ended, it waits for its start, or somebody else decided so.
    Over,
}

/// Why a step was not made.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Not now: no space. Try again later.
    Wait(String),
    /// This import cannot be done; it was recorded as failed.
    Failed(String),
    /// The store is gone.
    Store(StoreError),
}

pub(crate) struct Running {
    context: Context,
    import: Import,
    version: u64,
    source: Source,
    layout: Layout,
    results: SpoolName,
    seen: Seen,
    /// Batches since the record was last written.
    unwritten: u32,
}

/// A batch as it is to be written.
#[derive(Default)]
struct Batch {
    rows: usize,
    puts: Vec<Put>,
    jobs: Vec<NewJob>,
    events: Vec<Event>,
    out: CsvOut,
    bytes: usize,
}

impl Running {
    /// Takes an import up where it stands. `None` = there is nothing to do for it.
    pub(crate) async fn open(context: &Context, which: &Which) -> Result<Option<Self>, Halt> {
        let Versioned { value: import, version } = match super::get(context, &which.organization, &which.id).await {
            Ok(found) => found,
            Err(ServiceError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(halt(context, error)),
        };
        if !matches!(import.state, ImportState::Checking | ImportState::Running) {
            return Ok(None);
        }
        match Self::prepare(context, import.clone(), version).await {
            Ok(running) => Ok(Some(running)),
            Err(error) => Err(give_up(context, which, error).await),
        }
    }

    async fn prepare(context: &Context, mut import: Import, version: u64) -> Result<Self, Trouble> {
        let checking = import.state == ImportState::Checking;
        if checking {
            // What a check has seen is in memory only: it begins anew.
            import.at = Checkpoint::default();
            import.counts = Default::default();
            import.remarks.clear();
        }
        let mapping = Some(&import.mapping).filter(|m| !m.is_empty());
        let format = Format::parse(Some(&import.format), mapping)?;
        let (source, layout) = Source::open(context, source_name(&import.id)?, &format, import.at).await?;
        let results = if checking { check_name(&import.id)? } else { results_name(&import.id)? };
        let spool = context.spool()?;
        match spool.create(&results).await {
            Ok(()) | Err(SpoolError::Exists) => spool.truncate(&results, import.at.results).await?,
            Err(error) => return Err(error.into()),
        }
        let seen = if checking { Seen::of_a_check() } else { Seen::default() };
        Ok(Self { context: context.clone(), import, version, source, layout, results, seen, unwritten: 0 })
    }

    /// Makes one batch.
    pub(crate) async fn step(&mut self) -> Result<Step, Halt> {
        match self.batch().await {
            Ok(step) => Ok(step),
            Err(error) => {
                let which = Which { organization: self.import.organization.clone(), id: self.import.id.clone() };
                Err(give_up(&self.context.clone(), &which, error).await)
            }
        }
    }

    async fn batch(&mut self) -> Result<Step, Trouble> {
        self.source.fill(BATCH).await?;
        for _ in 0..records::RACES {
            let mut import = self.import.clone();
            let mut batch = self.plan(&mut import).await?;
            let done = self.source_done(batch.rows);
            let checking = import.state == ImportState::Checking;
            // What a check found so far may be lost with the host: it is checked anew then.
            self.write_results(&mut import, &mut batch, done || !checking).await?;
            if checking && !done && self.unwritten + 1 < CHECK_WRITES {
                self.unwritten += 1;
                return Ok(self.next(import, batch.rows, self.version));
            }
            let (puts, jobs) = match (checking, done) {
                (true, true) => {
                    import.check = Some(import.counts);
                    import.state = ImportState::Checked;
                    if import.start {
                        begin(&mut import, self.context.now());
                    }
                    (vec![records::put(&import, self.version)?], Vec::new())
                }
                (false, true) => {
                    import.state = ImportState::Finished;
                    end(&self.context, &mut import, self.version).await?
                }
                (_, false) => (vec![records::put(&import, self.version)?], Vec::new()),
            };
            batch.puts.extend(puts);
            batch.jobs.extend(jobs);
            let organization = &self.import.organization;
            batch.jobs.extend(events::outbox(&self.context, organization, &batch.events).await?);
            match self.context.store.commit(batch.puts, batch.jobs).await {
                Ok(_) => {
                    self.unwritten = 0;
                    let step = self.next(import, batch.rows, self.version + 1);
                    self.context.imports.changed();
                    return if done { self.end_of_phase().await } else { Ok(step) };
                }
                // An affiliate or a name changed hands meanwhile, or somebody wants something else of this import.
                Err(StoreError::Conflict | StoreError::Taken { .. }) => {
                    let spool = self.context.spool()?;
                    spool.truncate(&self.results, self.import.at.results).await?;
                    self.seen.forget();
                    if !self.still_ours().await? {
                        return Ok(Step::Over);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::Service(ServiceError::Changed))
    }

    fn source_done(&self, taken: usize) -> bool {
        self.source.has_ended() && self.source.waiting().len() == taken
    }

    /// The batch is over: what comes next builds upon it.
    fn next(&mut self, import: Import, rows: usize, version: u64) -> Step {
        self.import = import;
        self.version = version;
        self.source.done(rows);
        self.seen.next_batch();
        Step::More
    }

    async fn end_of_phase(&mut self) -> Result<Step, Trouble> {
        match self.import.state {
            ImportState::Running => {
                *self = Self::prepare(&self.context.clone(), self.import.clone(), self.version).await?;
                Ok(Step::More)
            }
            ImportState::Checked => Ok(Step::Over),
            _ => {
                let_go(&self.context, &self.import.id).await;
                Ok(Step::Over)
            }
        }
    }

    /// Looks whether the record changed under us. A wish to start is taken along; another state is not ours to work in.
    async fn still_ours(&mut self) -> Result<bool, Trouble> {
        let Versioned { value, version } = super::get(&self.context, &self.import.organization, &self.import.id).await?;
        if value.state != self.import.state {
            return Ok(false);
        }
        self.import.start = value.start;
        self.version = version;
        Ok(true)
    }

    /// Plans rows that wait until the batch is full.
    async fn plan(&mut self, import: &mut Import) -> Result<Batch, Trouble> {
        let now = self.context.now();
        let organization = import.organization.clone();
        let campaign = import.campaign.clone();
        let running = import.state == ImportState::Running;
        let desk = if running && import.approve { Some(Desk::open(&self.context, &organization).await?) } else { None };
        let planner = Planner {
            context: &self.context,
            organization: &organization,
            campaign: &campaign,
            approve: import.approve,
            layout: &self.layout,
        };
        let mut batch = Batch::default();
        if import.at.results == 0 {
            batch.out.row(RESULT_COLUMNS);
        }
        for row in self.source.waiting() {
            if batch.rows >= BATCH || batch.jobs.len() + batch.events.len() >= JOBS || batch.bytes >= BYTES {
                break;
            }
            batch.rows += 1;
            import.at.offset = row.end;
            import.at.row = row.number;
            if row.is_blank() {
                continue;
            }
            if batch.rows % POLITE == 0 {
                tokio::task::yield_now().await;
            }
            import.counts.rows += 1;
            let planned = planner.row(row, now, &mut self.seen).await?;
            let (result, id, column, message) = match &planned {
                Planned::Created(entry) => {
                    import.counts.created += 1;
                    ("created", entry.affiliate.id.as_str(), "", "")
                }
                Planned::Joined { entry, keeps_slug } => {
                    import.counts.joined += 1;
                    let (column, message) = if *keeps_slug {
                        (self.layout.column(Field::Slug), "already has another referral slug, which stays")
                    } else {
                        ("", "")
                    };
                    ("joined", entry.affiliate.id.as_str(), column, message)
                }
                Planned::Duplicate(of) => {
                    import.counts.duplicates += 1;
                    let message = if of.is_some() { "is in this campaign already" } else { "repeats an earlier row" };
                    ("duplicate", of.as_deref().unwrap_or_default(), self.layout.column(Field::Email), message)
                }
                Planned::Error(CellError { field, message }) => {
                    import.counts.errors += 1;
                    import.remark(row.number, self.layout.column(*field), message);
                    ("error", "", self.layout.column(*field), message.as_str())
                }
            };
            // A check gives nobody an id.
            let id = if running || !matches!(planned, Planned::Created(_)) { id } else { "" };
            batch.out.row([row.number.to_string().as_str(), result, id, column, message]);
            if running && let Planned::Created(entry) | Planned::Joined { entry, .. } = planned {
                let put = records::put(&entry.affiliate, entry.version)?;
                batch.bytes += put.json.as_ref().map_or(0, String::len);
                batch.puts.push(put);
                if let (Some(desk), AffiliateStatus::Approved) = (&desk, entry.moved.to) {
                    batch.jobs.extend(desk.sync(&entry.affiliate, &campaign, None).await?);
                    let affiliate = Box::new(entry.affiliate);
                    batch.events.push(Event::Affiliate { what: AffiliateEvent::Approved, affiliate, campaign: campaign.clone() });
                }
            }
        }
        Ok(batch)
    }

    /// The results of a batch are on disk before the batch is.
    async fn write_results(&mut self, import: &mut Import, batch: &mut Batch, durable: bool) -> Result<(), Trouble> {
        let spool = self.context.spool()?;
        if !batch.out.is_empty() {
            import.at.results = spool.append(&self.results, batch.out.take()).await?;
        }
        if durable {
            spool.sync(&self.results).await?;
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn halt(context: &Context, error: ServiceError) -> Halt {
    if let Err(broken) = context.store.health() {
        return Halt::Store(broken);
    }
    match error {
        ServiceError::NoSpace | ServiceError::Changed => Halt::Wait(error.to_string()),
        other => Halt::Failed(other.to_string()),
    }
}

/// What a trouble means; an import that cannot be done is recorded as failed.
async fn give_up(context: &Context, which: &Which, trouble: Trouble) -> Halt {
    let text = trouble.to_string();
    let halted = match trouble {
        Trouble::Store(StoreError::NoSpace { .. })
        | Trouble::Spool(SpoolError::NoSpace { .. })
        | Trouble::Source(SourceError::Spool(SpoolError::NoSpace { .. })) => Halt::Wait(text),
        Trouble::Service(error) | Trouble::Source(SourceError::Service(error)) => halt(context, error),
        Trouble::Store(error) => halt(context, error.into()),
        Trouble::Spool(SpoolError::Missing) | Trouble::Source(SourceError::Spool(SpoolError::Missing)) => {
            Halt::Failed("a file of this import is gone".to_owned())
        }
        Trouble::Spool(_) | Trouble::Source(_) => Halt::Failed(text),
    };
    let Halt::Failed(why) = halted else { return halted };
    match fail(context, which, &why).await {
        Ok(()) => Halt::Failed(why),
        Err(error) => match halt(context, error) {
            Halt::Failed(why) => Halt::Wait(why),
            other => other,
        },
    }
}

/// Ends an import as failed, unless it ended otherwise meanwhile.
async fn fail(context: &Context, which: &Which, why: &str) -> Result<(), ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { value: mut import, version } = match super::get(context, &which.organization, &which.id).await {
            Err(ServiceError::NotFound(_)) => return Ok(()),
            found => found?,
        };
        if !matches!(import.state, ImportState::Checking | ImportState::Running) {
            return Ok(());
        }
        import.failed(why);
        let (puts, jobs) = end(context, &mut import, version).await?;
        match context.store.commit(puts, jobs).await {
            Ok(_) => {
                let_go(context, &which.id).await;
                return Ok(());
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}
