//! The queue in memory: which jobs of which lane are due when, running, parked or blocked by another with the same `exclusive`
//! key. Private to the committer, and ahead of the disk by at most the batch being written; others see [`crate::view`].

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use foldhash::HashMap;

use crate::model::{JobCounts, JobState};
use crate::rows::tables::{LaneRow, LiveRow};
use crate::view::Summary;

pub(crate) struct Live {
    pub(crate) lane: Arc<str>,
    pub(crate) row: LiveRow,
}

pub(crate) struct Lane {
    pub(crate) organization: Arc<str>,
    pub(crate) parked: bool,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) lease_until: u64,
    pub(crate) epoch: u64,
    /// Jobs that wait for their time, by due time and id.
    due: BTreeSet<(u64, Arc<str>)>,
    pub(crate) running: BTreeSet<Arc<str>>,
    pub(crate) parked_jobs: BTreeSet<Arc<str>>,
    pub(crate) counts: JobCounts,
}

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) lanes: HashMap<Arc<str>, Lane>,
    pub(crate) live: HashMap<Arc<str>, Live>,
    by_dedupe: HashMap<u128, Arc<str>>,
    /// Which job runs under an `exclusive` key, and which due ones it keeps waiting.
    running_keys: HashMap<u128, Arc<str>>,
    blocked: HashMap<u128, BTreeSet<Arc<str>>>,
    /// Lanes taken over from an owner that has not heard of it yet.
    lost: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Lanes whose summary must be published, and those whose row must be written.
    pub(crate) touched: HashSet<Arc<str>>,
    pub(crate) changed_rows: HashSet<Arc<str>>,
    /// Upper half: boot generation. Epochs never fall, not even over restarts.
    pub(crate) epoch_floor: u64,
}

impl Queue {
    pub(crate) fn load_lane(&mut self, id: &str, row: LaneRow) {
        let counts = JobCounts { succeeded: row.succeeded, failed: row.failed, cancelled: row.cancelled, ..JobCounts::default() };
        let lane = Lane { parked: row.parked, counts, ..self.fresh(&row.organization) };
        let id: Arc<str> = id.into();
        self.touched.insert(id.clone());
        self.lanes.insert(id, lane);
    }

    fn fresh(&self, organization: &str) -> Lane {
        Lane {
            organization: organization.into(),
            parked: false,
            owner: None,
            lease_until: 0,
            epoch: self.epoch_floor,
            due: BTreeSet::new(),
            running: BTreeSet::new(),
            parked_jobs: BTreeSet::new(),
            counts: JobCounts::default(),
        }
    }

    /// The lane, made if need be. A lane parked before its first job learns its organization from that job.
    pub(crate) fn lane_for(&mut self, id: &str, organization: &str) -> Arc<str> {
        if let Some((known, lane)) = self.lanes.get_key_value(id) {
            let known = known.clone();
            if lane.organization.is_empty() && !organization.is_empty() {
                self.changed_rows.insert(known.clone());
                self.touched.insert(known.clone());
                if let Some(lane) = self.lanes.get_mut(id) {
                    lane.organization = organization.into();
                }
            }
            return known;
        }
        let key: Arc<str> = id.into();
        let lane = self.fresh(organization);
        self.lanes.insert(key.clone(), lane);
        self.changed_rows.insert(key.clone());
        self.touched.insert(key.clone());
        key
    }

    pub(crate) fn lane_row(&self, id: &str) -> LaneRow {
        self.lanes.get(id).map_or_else(LaneRow::default, |lane| LaneRow {
            organization: lane.organization.to_string(),
            parked: lane.parked,
            succeeded: lane.counts.succeeded,
            failed: lane.counts.failed,
            cancelled: lane.counts.cancelled,
        })
    }

    pub(crate) fn summary(&self, id: &str) -> Option<Summary> {
        let lane = self.lanes.get(id)?;
        let waiting = lane.due.first().map(|(due, _)| *due);
        // A lane whose worker vanished is worth looking at once its lease has run out.
        let lapse = (!lane.running.is_empty()).then_some(lane.lease_until);
        Some(Summary {
            organization: lane.organization.clone(),
            due: if lane.parked { None } else { [waiting, lapse].into_iter().flatten().min() },
            running: lane.running.len() as u32,
            counts: lane.counts.clone(),
        })
    }

    pub(crate) fn dedupe(&self, hash: u128) -> Option<Arc<str>> {
        self.by_dedupe.get(&hash).cloned()
    }

    /// Takes in an unfinished job.
    pub(crate) fn insert(&mut self, id: Arc<str>, lane: Arc<str>, row: LiveRow) {
        self.by_dedupe.insert(row.dedupe, id.clone());
        self.live.insert(id.clone(), Live { lane, row });
        self.place(&id);
    }

    /// Takes in the unfinished jobs of one lane at open: the same as [`Queue::insert`] for each, at a fraction of the cost.
    pub(crate) fn load_jobs(&mut self, lane_id: &Arc<str>, jobs: Vec<(Arc<str>, LiveRow)>) {
        self.live.reserve(jobs.len());
        self.by_dedupe.reserve(jobs.len());
        let Some(lane) = self.lanes.get_mut(lane_id) else { return };
        let mut due = Vec::with_capacity(jobs.len());
        for (id, row) in jobs {
            *slot(&mut lane.counts, row.state) += 1;
            match row.state {
                JobState::Running => {
                    lane.running.insert(id.clone());
                    if row.exclusive != 0 {
                        self.running_keys.insert(row.exclusive, id.clone());
                    }
                }
                JobState::Parked => {
                    lane.parked_jobs.insert(id.clone());
                }
                _ => due.push((row.due, id.clone())),
            }
            self.by_dedupe.insert(row.dedupe, id.clone());
            self.live.insert(id, Live { lane: lane_id.clone(), row });
        }
        lane.due = due.into_iter().collect();
        self.touched.insert(lane_id.clone());
    }

    /// Lets go of a job that has finished.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Live> {
        self.unplace(id);
        let live = self.live.remove(id)?;
        self.by_dedupe.remove(&live.row.dedupe);
        Some(live)
    }

    /// Changes the moving part of a job and puts it where it then belongs.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut LiveRow)) -> Option<LiveRow> {
        let mut row = self.live.get(id)?.row.clone();
        change(&mut row);
        let stays = self.live.get(id).is_some_and(|live| {
            let old = &live.row;
            (old.state, old.due, old.exclusive, old.dedupe) == (row.state, row.due, row.exclusive, row.dedupe)
        });
        // A job that stays where it is must not be lifted out: an emptied lane would lose its lease, a blocked job its place.
        if !stays {
            self.unplace(id);
        }
        if let Some(live) = self.live.get_mut(id) {
            live.row = row.clone();
        }
        if !stays {
            self.place(id);
        }
        Some(row)
    }

    fn place(&mut self, id: &str) {
        let Some((id, live)) = self.live.get_key_value(id) else { return };
        let (id, row) = (id.clone(), &live.row);
        let Some(lane) = self.lanes.get_mut(&live.lane) else { return };
        *slot(&mut lane.counts, row.state) += 1;
        match row.state {
            JobState::Running => {
                lane.running.insert(id.clone());
                if row.exclusive != 0 {
                    self.running_keys.insert(row.exclusive, id);
                }
            }
            JobState::Parked => {
                lane.parked_jobs.insert(id);
            }
            _ => {
                lane.due.insert((row.due, id));
            }
        }
        self.touched.insert(live.lane.clone());
    }

    fn unplace(&mut self, id: &str) {
        let Some((id, live)) = self.live.get_key_value(id) else { return };
        let (id, row) = (id.clone(), live.row.clone());
        let Some(lane) = self.lanes.get_mut(&live.lane) else { return };
        let count = slot(&mut lane.counts, row.state);
        *count = count.saturating_sub(1);
        self.touched.insert(live.lane.clone());
        match row.state {
            JobState::Running => {
                lane.running.remove(&id);
                if lane.running.is_empty() {
                    lane.owner = None;
                }
                if row.exclusive != 0 && self.running_keys.get(&row.exclusive) == Some(&id) {
                    self.running_keys.remove(&row.exclusive);
                    self.unblock(row.exclusive);
                }
            }
            JobState::Parked => {
                lane.parked_jobs.remove(&id);
            }
            _ => {
                if !lane.due.remove(&(row.due, id.clone()))
                    && let Some(blocked) = self.blocked.get_mut(&row.exclusive)
                {
                    blocked.remove(&id);
                }
            }
        }
    }

    fn unblock(&mut self, exclusive: u128) {
        for id in self.blocked.remove(&exclusive).into_iter().flatten() {
            let Some(live) = self.live.get(&id) else { continue };
            if let Some(lane) = self.lanes.get_mut(&live.lane) {
                lane.due.insert((live.row.due, id));
                self.touched.insert(live.lane.clone());
            }
        }
    }

    /// The next due job of a lane that nothing blocks. Those that are blocked step aside until what blocks them ends.
    pub(crate) fn next(&mut self, lane_id: &str, now: u64) -> Option<Arc<str>> {
        let lane = self.lanes.get_mut(lane_id)?;
        while let Some((due, id)) = lane.due.first().cloned() {
            if due > now {
                return None;
            }
            let exclusive = self.live.get(&id).map_or(0, |live| live.row.exclusive);
            if exclusive != 0 && self.running_keys.contains_key(&exclusive) {
                lane.due.remove(&(due, id.clone()));
                self.blocked.entry(exclusive).or_default().insert(id);
                self.touched.insert(lane_id.into());
                continue;
            }
            return Some(id);
        }
        None
    }

    /// For the planted bug `double_claim`: a running job is handed out again.
    pub(crate) fn any_running(&self, lane: &str) -> Option<Arc<str>> {
        self.lanes.get(lane)?.running.first().cloned()
    }

    /// Notes that `owner` has lost a lane.
    pub(crate) fn note_lost(&mut self, owner: Arc<str>, lane: Arc<str>) {
        // An owner that never asks again (its process is gone) must not be remembered for ever.
        if self.lost.len() >= 1024 {
            self.lost.clear();
        }
        self.lost.entry(owner).or_default().insert(lane);
    }

    pub(crate) fn take_lost(&mut self, owner: &str) -> Vec<String> {
        self.lost.remove(owner).into_iter().flatten().map(|lane| lane.to_string()).collect()
    }

    /// Unfinished jobs of a lane.
    pub(crate) fn jobs_of(&self, lane_id: &str) -> Vec<Arc<str>> {
        let Some(lane) = self.lanes.get(lane_id) else { return Vec::new() };
        let blocked = self.blocked.values().flatten().filter(|id| self.live.get(*id).is_some_and(|live| &*live.lane == lane_id));
        let due = lane.due.iter().map(|(_, id)| id);
        lane.running.iter().chain(&lane.parked_jobs).chain(due).chain(blocked).cloned().collect()
    }
}

/// The count of a state.
pub(crate) fn slot(counts: &mut JobCounts, state: JobState) -> &mut u64 {
    match state {
        JobState::Pending => &mut counts.pending,
        JobState::Running => &mut counts.running,
        JobState::Waiting => &mut counts.waiting,
        JobState::Retrying => &mut counts.retrying,
        JobState::Parked => &mut counts.parked,
        JobState::Succeeded => &mut counts.succeeded,
        JobState::Failed => &mut counts.failed,
        JobState::Cancelled => &mut counts.cancelled,
    }
}
