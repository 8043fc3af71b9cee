//! The worker's operations: claim, renew, step, finish. The fence is checked here, when the operation is applied, not when it was asked for.

use std::sync::Arc;

use super::Halt;
use super::op::{Ending, Granted};
use super::planner::{Planned, Planner};
use crate::model::JobState;
use crate::port::StoreError;
use crate::rows::envelope::Write;
use crate::rows::keys;
use crate::wish;

impl Planner {
    pub(super) fn claim(&mut self, owner: &Arc<str>, now: u64, lease_ms: u64, wants: &[(String, u32)]) -> Planned<Vec<Granted>> {
        let lease_until = now.saturating_add(lease_ms);
        let mut granted = Vec::new();
        for (lane_id, wanted) in wants {
            let Some((lane_id, lane)) = self.queue.lanes.get_key_value(lane_id.as_str()) else { continue };
            let lane_id = lane_id.clone();
            if let Some(current) = lane.owner.clone() {
                if lane.lease_until <= now {
                    self.take_over(&lane_id, &current, now)?;
                } else if current != *owner {
                    continue;
                }
            }
            if self.queue.lanes.get(&lane_id).is_none_or(|lane| lane.parked) {
                continue;
            }
            for _ in 0..*wanted {
                let Some(job) = self.next_job(&lane_id, now) else { break };
                granted.push(self.grant(&lane_id, owner, job, now, lease_until)?);
            }
        }
        Ok(granted)
    }

    fn next_job(&mut self, lane: &str, now: u64) -> Option<Arc<str>> {
        if self.faults.double_claim()
            && let Some(running) = self.queue.any_running(lane)
        {
            return Some(running);
        }
        self.queue.next(lane, now)
    }

    fn grant(&mut self, lane_id: &Arc<str>, owner: &Arc<str>, job: Arc<str>, now: u64, lease_until: u64) -> Planned<Granted> {
        let row = self.queue.change(&job, |row| {
            row.state = JobState::Running;
            row.claimed = now;
            row.updated = now.max(row.updated + 1);
        });
        let (Some(row), Some(lane)) = (row, self.queue.lanes.get_mut(lane_id)) else {
            return Err(Halt::Fatal(format!("the queue lost the job {job}")));
        };
        if lane.owner.as_ref() != Some(owner) {
            // Nothing runs in it: a new reign begins, and whatever an older one still sends is refused.
            lane.epoch += 1;
            lane.owner = Some(owner.clone());
        }
        lane.lease_until = lease_until;
        let epoch = lane.epoch;
        self.stage.put_bytes(keys::live(lane_id, &job), &row.encode())?;
        Ok(Granted { lane: lane_id.to_string(), epoch, lease_until, job, due: row.due, updated: row.updated })
    }

    /// The owner's lease ran out: what it runs is due again, and what it may still send is refused.
    fn take_over(&mut self, lane_id: &Arc<str>, from: &Arc<str>, now: u64) -> Planned<()> {
        let Some(lane) = self.queue.lanes.get_mut(lane_id) else { return Ok(()) };
        lane.epoch += 1;
        let running: Vec<Arc<str>> = lane.running.iter().cloned().collect();
        tracing::warn!(lane = &**lane_id, owner = &**from, jobs = running.len(), "the lease ran out: its running jobs are due again");
        self.queue.note_lost(from.clone(), lane_id.clone());
        for job in running {
            // The lane has already changed hands, so a row that cannot be read leaves no way back.
            self.interrupt(&job, now).map_err(Halt::into_fatal)?;
        }
        Ok(())
    }

    /// A lease that ran out but was not taken over is still its owner's: nobody else has acted on the lane. Leases of others that
    /// ran out are ended here, because a lane whose jobs all count as running is never offered for claiming.
    pub(super) fn renew(&mut self, owner: &Arc<str>, now: u64, lease_ms: u64) -> Planned<Vec<String>> {
        let mut expired = Vec::new();
        for (id, lane) in &mut self.queue.lanes {
            match lane.owner.clone() {
                Some(current) if current == *owner => {
                    lane.lease_until = now.saturating_add(lease_ms);
                    self.queue.touched.insert(id.clone());
                }
                Some(current) if lane.lease_until <= now && !lane.running.is_empty() => expired.push((id.clone(), current)),
                _ => {}
            }
        }
        for (lane, current) in expired {
            self.take_over(&lane, &current, now)?;
        }
        Ok(self.queue.take_lost(owner))
    }

    fn fence(&self, lane: &str, epoch: u64, job: &str) -> Planned<()> {
        let lane = self.queue.lanes.get(lane);
        let holds = lane.is_some_and(|lane| lane.epoch == epoch && lane.running.contains(job));
        if holds || self.faults.skip_fence() { Ok(()) } else { Err(Halt::Refuse(StoreError::Fenced)) }
    }

    pub(super) fn step(&mut self, lane: &str, epoch: u64, job: &str, rows: Vec<Write>) -> Planned<()> {
        self.fence(lane, epoch, job)?;
        self.stage.put_wrapped(rows)
    }

    pub(super) fn finish(&mut self, ending: Ending) -> Planned<()> {
        let Ending { lane, epoch, job, job_rows, attempt_rows, contact_rows, jobs } = ending;
        let id = job.new.id.clone();
        self.fence(&lane, epoch, &id)?;
        self.check(&jobs)?;
        let follow = self.follow_up(&id)?;
        if follow.is_some_and(|follow| jobs.iter().any(|job| job.new.id == follow.id)) {
            return Err(Halt::Refuse(StoreError::Conflict));
        }
        // Everything that could be refused has been read. What is now known of the contact comes first: folding asks for it.
        for rows in [contact_rows, attempt_rows] {
            if !rows.is_empty() {
                self.stage.put_wrapped(rows).map_err(Halt::into_fatal)?;
            }
        }
        if let Some((lane, email)) = wish::left_behind(&job) {
            self.stage.delete(keys::contact(&lane, &email)).map_err(Halt::into_fatal)?;
        }
        self.settle(job, Some(job_rows)).map_err(Halt::into_fatal)?;
        for job in jobs {
            self.enqueue_or_fold(job).map_err(Halt::into_fatal)?;
        }
        Ok(())
    }
}
