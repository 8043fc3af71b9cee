//! Erasing: the jobs of one person with all that hangs on them, what is known of the contacts, and the documents that say so.

use super::Halt;
use super::planner::{Planned, Planner};
use crate::model::{JobState, Put};
use crate::port::StoreError;
use crate::rows::keys;

impl Planner {
    pub(super) fn erase(&mut self, organization: &str, jobs: &[String], contacts: Vec<(String, String)>, puts: Vec<Put>) -> Planned<u64> {
        // Read now what is read again below, so that nothing can be refused half-way.
        for id in jobs {
            let Some(job) = self.job(id)? else { continue };
            if job.new.organization == organization && job.state == JobState::Running {
                return Err(Halt::Refuse(StoreError::Conflict));
            }
        }
        // Not gated by free space: what goes makes room for what is put.
        self.put_all(puts)?;
        let mut gone = 0;
        for id in jobs {
            gone += u64::from(self.erase_job(organization, id).map_err(Halt::into_fatal)?);
        }
        for (lane, email) in contacts {
            if !self.foreign(organization, &lane) {
                self.stage.delete(keys::contact(&lane, &email)).map_err(Halt::into_fatal)?;
            }
        }
        Ok(gone)
    }

    fn erase_job(&mut self, organization: &str, id: &str) -> Planned<bool> {
        let Some(job) = self.job(id)?.filter(|job| job.new.organization == organization) else { return Ok(false) };
        if self.queue.remove(id).is_some() {
            self.stage.delete(keys::live(&job.new.lane, id))?;
            self.stage.delete(keys::follow(id))?;
        } else {
            self.unbury(&job)?;
        }
        for prefix in [keys::attempts_prefix(id), keys::steps_prefix(id)] {
            self.clear(&prefix)?;
        }
        self.stage.delete(keys::job(id))?;
        Ok(true)
    }

    /// Whether contacts kept under this lane, or under a part of a lane, are another organization's.
    fn foreign(&self, organization: &str, contact_lane: &str) -> bool {
        let ends = contact_lane.match_indices('/').map(|(at, _)| at).chain([contact_lane.len()]);
        ends.filter_map(|end| self.queue.lanes.get(&contact_lane[..end]))
            .any(|lane| !lane.organization.is_empty() && *lane.organization != *organization)
    }
}
