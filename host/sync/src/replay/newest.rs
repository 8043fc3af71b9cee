//! The newest recorded runs of a connector over all organizations: a merge of what each of its connections finished, so that it costs reads
//! for the connections and for what is handed out, never for all jobs there are.

use std::collections::BinaryHeap;

use crm_store::model::{JobFilter, JobState, Kind};

use super::recorded::Recorded;
use crate::context::Context;
use crate::domain::Connection;
use crate::services::records;
use crate::services::{ServiceError, journal};

/// Organizations that are read at a time.
const PAGE: usize = 500;
/// What has an end that a connector brought about. A cancelled job has none.
const ENDED: [JobState; 2] = [JobState::Succeeded, JobState::Failed];
/// Jobs looked at for each run that is wanted: those that ended before runs were recorded have none.
const LOOKS: usize = 4;
/// Memory that a list of runs may hold, in bytes.
const WEIGHT: usize = 64 * 1024 * 1024;

/// Hands them out, newest first.
pub struct Newest<'a> {
    context: &'a Context,
    rows: BinaryHeap<Row>,
    looks: usize,
}

/// One connection's jobs that ended one way, at the newest that was not looked at yet.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    /// Ids hold their time, so the largest is the newest.
    job: String,
    organization: String,
    connection: String,
    failed: bool,
}

impl<'a> Newest<'a> {
    /// At most about `most` will be asked for.
    pub async fn of(context: &'a Context, connector: &str, most: usize) -> Result<Newest<'a>, ServiceError> {
        let looks = most.saturating_mul(LOOKS);
        let mut newest = Self { context, rows: BinaryHeap::new(), looks };
        let mut after: Option<String> = None;
        loop {
            let page = context.store.page("", Kind::Organization, after.as_deref(), PAGE).await?;
            for organization in &page {
                for connection in records::all::<Connection>(context, &organization.id).await? {
                    if connection.value.connector == connector {
                        newest.begin(&organization.id, &connection.value.id).await?;
                    }
                }
            }
            // Of so many rows no further one can ever come to its turn: memory is for what is asked, not for all connections.
            if newest.rows.len() > looks {
                let mut rows = std::mem::take(&mut newest.rows).into_sorted_vec();
                rows.drain(..rows.len() - looks);
                newest.rows = rows.into();
            }
            if page.len() < PAGE {
                return Ok(newest);
            }
            after = page.last().map(|record| record.id.clone());
        }
    }

    async fn begin(&mut self, organization: &str, connection: &str) -> Result<(), ServiceError> {
        for state in ENDED {
            let row = Row {
                job: String::new(),
                organization: organization.to_owned(),
                connection: connection.to_owned(),
                failed: state == JobState::Failed,
            };
            self.advance(row, None).await?;
        }
        Ok(())
    }

    /// Puts a row back at its next job, if it has one.
    async fn advance(&mut self, row: Row, before: Option<&str>) -> Result<(), ServiceError> {
        let state = if row.failed { JobState::Failed } else { JobState::Succeeded };
        let filter = JobFilter { lane: Some(row.connection.clone()), state: Some(state), ..JobFilter::default() };
        if let Some(job) = self.context.store.jobs(&row.organization, &filter, before, 1).await?.pop() {
            self.rows.push(Row { job: job.new.id, ..row });
        }
        Ok(())
    }

    /// The next run; `None` when there are no more, or when too many jobs had none.
    pub async fn next(&mut self) -> Result<Option<Recorded>, ServiceError> {
        while self.looks > 0 {
            self.looks -= 1;
            let Some(row) = self.rows.pop() else { return Ok(None) };
            let found = journal::last_run(self.context, &row.organization, &row.connection, &row.job).await?;
            let job = row.job.clone();
            self.advance(row, Some(&job)).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// The newest `most` of them, or fewer where they hold more memory than a host can spare.
pub async fn recorded(context: &Context, connector: &str, most: usize) -> Result<Vec<Recorded>, ServiceError> {
    let mut newest = Newest::of(context, connector, most).await?;
    let (mut all, mut weight) = (Vec::new(), 0);
    while all.len() < most && weight < WEIGHT {
        let Some(run) = newest.next().await? else { break };
        weight += run.weight();
        all.push(run);
    }
    Ok(all)
}
