//! The record of past runs as a journal file: one line a run, with all that is needed to run it again elsewhere (`crm-host connector
//! replay`) or to make a fixture of it. For the operator alone: a line holds what a merchant's affiliate and a vendor said, and no secret.
//! Each reading leaves a line in the audit log.

use crm_store::model::Job;

use super::{ServiceError, audit, syncs};
use crate::context::Context;
use crate::replay::{Newest, Recorded};

/// Lines of a journal file, one by one: a file of many syncs need not be in memory as a whole.
pub struct Lines<'a> {
    newest: Newest<'a>,
    left: usize,
}

impl Lines<'_> {
    /// The next line, with its end; `None` = there are no more.
    pub async fn next(&mut self) -> Result<Option<String>, ServiceError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.newest.next().await?.map(|run| line(&run)).transpose()
    }
}

/// The newest `most` recorded runs of a connector over all organizations, newest first.
pub async fn of_connector<'a>(context: &'a Context, connector: &str, most: usize) -> Result<Lines<'a>, ServiceError> {
    let log = audit::entry(context, "", "journal.read", connector, &[("most", most.to_string())])?;
    context.store.commit(vec![log], Vec::new()).await?;
    Ok(Lines { newest: Newest::of(context, connector, most).await?, left: most })
}

/// The last recorded run of one sync, with the end of its line.
///
/// # Errors
/// `NotFound`: the organization has no such sync. `Conflict` (`not_recorded`): no run of it was recorded.
pub async fn of_sync(context: &Context, organization: &str, id: &str) -> Result<String, ServiceError> {
    let run = run_of(context, organization, id).await?;
    let log = audit::entry(context, organization, "journal.read", id, &[])?;
    context.store.commit(vec![log], Vec::new()).await?;
    line(&run)
}

/// The last run of a sync that has its arguments.
pub(crate) async fn run_of(context: &Context, organization: &str, id: &str) -> Result<Recorded, ServiceError> {
    let Job { new, .. } = syncs::job(context, organization, id).await?;
    last_run(context, organization, &new.lane, id).await?.ok_or_else(|| {
        let message = "no run of this sync was recorded: it has not run, or an older host ran it";
        ServiceError::conflict("not_recorded", message)
    })
}

/// The same, where the sync is known to be there.
pub(crate) async fn last_run(context: &Context, organization: &str, connection: &str, id: &str) -> Result<Option<Recorded>, ServiceError> {
    let attempts = context.store.attempts(organization, id).await?;
    let Some(last) = attempts.into_iter().rev().find(|attempt| attempt.asked.is_some()) else { return Ok(None) };
    let steps = context.store.steps(organization, id).await?;
    Ok(Recorded::of(organization, connection, last, &steps))
}

fn line(run: &Recorded) -> Result<String, ServiceError> {
    run.line().map(|line| line + "\n").map_err(|error| ServiceError::Damaged(format!("sync {}: {error}", run.sync)))
}
