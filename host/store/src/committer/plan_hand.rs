//! The merchant's and the operator's hand: park, amend, cancel, and letting go of what is old.

use std::sync::Arc;

use super::Halt;
use super::planner::{Planned, Planner};
use crate::disk::DiskError;
use crate::model::{Job, JobState, NewJob};
use crate::port::StoreError;
use crate::rows::{keys, tables};

impl Planner {
    pub(super) fn park(&mut self, lane_id: &str, parked: bool, now: u64) -> Planned<()> {
        let lane_id = self.queue.lane_for(lane_id, "");
        let Some(lane) = self.queue.lanes.get_mut(&lane_id) else { return Ok(()) };
        if lane.parked != parked {
            lane.parked = parked;
            self.queue.changed_rows.insert(lane_id.clone());
            self.queue.touched.insert(lane_id.clone());
        }
        if parked {
            return Ok(());
        }
        let waiting: Vec<Arc<str>> = self.queue.lanes.get(&lane_id).into_iter().flat_map(|lane| lane.parked_jobs.iter().cloned()).collect();
        for job in waiting {
            self.write_live(&job, |row| {
                row.state = JobState::Retrying;
                row.due = now;
                row.updated = now.max(row.updated + 1);
            })?;
        }
        Ok(())
    }

    pub(super) fn amend(&mut self, mut job: Job, expect: u64) -> Planned<()> {
        let id = job.new.id.clone();
        let refuse = |error| Err(Halt::Refuse(error));
        let Some(stored) = self.job(&id)? else { return refuse(StoreError::Conflict) };
        let same = stored.new.organization == job.new.organization && stored.new.lane == job.new.lane;
        if !same || stored.state == JobState::Running || stored.updated != expect {
            return refuse(StoreError::Conflict);
        }
        if stored.state.is_final() && !job.state.is_final() {
            let dedupe = tables::digest(&[&stored.new.lane, &stored.new.dedupe]);
            if let Some(by) = self.queue.dedupe(dedupe) {
                return refuse(StoreError::Taken { namespace: "job".into(), by: by.to_string() });
            }
        }
        // What places a job stays; the person and the tags may change.
        let NewJob { due, who, set, clear, all, .. } = job.new;
        job.new = NewJob { due, who, set, clear, all, ..stored.new.clone() };
        job.updated = job.updated.max(expect + 1);
        if stored.state.is_final() {
            self.unbury(&stored)?;
        }
        self.settle(job, None)
    }

    pub(super) fn cancel(&mut self, jobs: &[Arc<str>], now: u64) -> Planned<u64> {
        let mut cancelled = 0;
        for id in jobs {
            let Some(row) = self.queue.live.get(id).map(|live| live.row.clone()) else { continue };
            if row.follow {
                self.stage.delete(keys::follow(id))?;
                self.write_live(id, |row| row.follow = false)?;
            }
            if row.state == JobState::Running {
                self.write_live(id, |row| row.cancel = true)?;
                continue;
            }
            let Some(mut job) = self.job(id)? else {
                return Err(Halt::Fatal(format!("the body of the queued job {id} is missing")));
            };
            job.state = JobState::Cancelled;
            job.updated = now.max(job.updated + 1);
            job.finished = Some(now);
            self.settle(job, None)?;
            cancelled += 1;
        }
        Ok(cancelled)
    }

    /// Deletes a job with all that hangs on it, if it still is finished and old.
    pub(super) fn expire(&mut self, jobs: &[String], before: u64) -> Planned<u64> {
        let mut gone = 0;
        for id in jobs {
            if self.queue.live.contains_key(id.as_str()) {
                continue;
            }
            let Some(job) = self.job(id)? else { continue };
            if job.finished.is_none_or(|finished| finished >= before) {
                continue;
            }
            self.unbury(&job)?;
            for prefix in [keys::attempts_prefix(id), keys::steps_prefix(id)] {
                self.clear(&prefix)?;
            }
            self.stage.delete(keys::job(id))?;
            gone += 1;
        }
        Ok(gone)
    }

    /// Deletes every row with this prefix that is on disk or in this batch.
    pub(super) fn clear(&mut self, prefix: &[u8]) -> Planned<()> {
        let end = keys::end_of(prefix);
        let found: Result<Vec<Vec<u8>>, DiskError> =
            self.stage.disk().scan(prefix, end.as_deref(), false).map(|row| row.map(|(key, _)| key)).collect();
        let mut found = found?;
        found.extend(self.stage.staged(prefix));
        for key in found {
            self.stage.delete(key)?;
        }
        Ok(())
    }
}
