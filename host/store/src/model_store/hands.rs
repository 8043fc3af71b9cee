//! What the merchant's and the operator's hand does to the model: park, amend, cancel, let go of what is old.

use super::world::{Lane, World};
use crate::model::*;
use crate::port::StoreError;

impl World {
    pub(super) fn park(&mut self, id: &str, parked: bool, now: u64) {
        let epoch = self.boot << 32;
        self.lanes.entry(id.to_owned()).or_insert_with(|| Lane { epoch, ..Lane::default() }).parked = parked;
        if parked {
            return;
        }
        for kept in self.jobs.values_mut().filter(|kept| kept.job.new.lane == id && kept.job.state == JobState::Parked) {
            kept.job.state = JobState::Retrying;
            kept.job.due = now;
            kept.job.updated = now.max(kept.job.updated + 1);
        }
    }

    pub(super) fn amend(&mut self, mut job: Job, expect: u64) -> Result<(), StoreError> {
        let Some(kept) = self.jobs.get(&job.new.id) else { return Err(StoreError::Conflict) };
        let (old, new) = (&kept.job, &mut job.new);
        let same = old.new.organization == new.organization && old.new.lane == new.lane;
        if !same || old.state == JobState::Running || old.updated != expect {
            return Err(StoreError::Conflict);
        }
        if old.state.is_final()
            && !job.state.is_final()
            && let Some(by) = self.rival(&old.new)
        {
            return Err(StoreError::Taken { namespace: "job".into(), by });
        }
        let (who, set, clear, all) = (new.who.clone(), new.set.clone(), new.clear.clone(), new.all.clone());
        *new = NewJob { who, set, clear, all, due: new.due, ..old.new.clone() };
        job.updated = job.updated.max(expect + 1);
        self.settle(job);
        Ok(())
    }

    pub(super) fn cancel_lane(&mut self, lane: &str, now: u64) -> u64 {
        let jobs: Vec<String> = self.unfinished(lane).map(|kept| kept.job.new.id.clone()).collect();
        let mut cancelled = 0;
        for id in jobs {
            let Some(kept) = self.jobs.get_mut(&id) else { continue };
            kept.follow = None;
            if kept.job.state == JobState::Running {
                kept.cancel = true;
                continue;
            }
            let mut job = kept.job.clone();
            job.state = JobState::Cancelled;
            job.updated = now.max(job.updated + 1);
            job.finished = Some(now);
            self.settle(job);
            cancelled += 1;
        }
        cancelled
    }

    pub(super) fn expire(&mut self, before: u64) -> u64 {
        let old: Vec<String> = self
            .jobs
            .values()
            .filter(|kept| kept.job.state.is_final() && kept.job.finished.is_some_and(|at| at < before))
            .map(|kept| kept.job.new.id.clone())
            .collect();
        for id in &old {
            self.drop_job(id);
        }
        old.len() as u64
    }
}
