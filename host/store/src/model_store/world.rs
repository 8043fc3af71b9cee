//! The model's state and what each operation does to it. Everything is found by looking at everything: no index can be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use super::documents::Doc;
use super::secrets::Vault;
use crate::model::*;
use crate::port::{Ack, StoreError};
use crate::rows::tables::fold_email;
use crate::wish;

#[derive(Default)]
pub(super) struct World {
    pub(super) docs: BTreeMap<RecordKey, Doc>,
    pub(super) jobs: BTreeMap<String, Kept>,
    pub(super) attempts: BTreeMap<(String, u32), Attempt>,
    pub(super) steps: BTreeMap<(String, u32, u32), Step>,
    pub(super) contacts: BTreeMap<(String, String), Contact>,
    pub(super) lanes: BTreeMap<String, Lane>,
    pub(super) lost: BTreeMap<String, BTreeSet<String>>,
    pub(super) secrets: Vault,
    pub(super) interrupted: u64,
    pub(super) closed: bool,
    pub(super) boot: u64,
}

pub(super) struct Kept {
    pub(super) job: Job,
    pub(super) follow: Option<NewJob>,
    pub(super) cancel: bool,
    claimed: u64,
}

#[derive(Default)]
pub(super) struct Lane {
    pub(super) organization: String,
    pub(super) parked: bool,
    pub(super) owner: Option<String>,
    pub(super) lease_until: u64,
    pub(super) epoch: u64,
    pub(super) hold: u64,
}

fn knows(contacts: &BTreeMap<(String, String), Contact>) -> impl Fn(&str, &str) -> Result<bool, Infallible> {
    move |lane, email| Ok(contacts.contains_key(&(lane.to_owned(), fold_email(email))))
}

impl World {
    pub(super) fn job(&self, organization: &str, id: &str) -> Option<&Job> {
        self.jobs.get(id).map(|kept| &kept.job).filter(|job| job.new.organization == organization)
    }

    pub(super) fn steps_of(&self, job: &str) -> Vec<Step> {
        self.steps.iter().filter(|((id, ..), _)| id == job).map(|(_, step)| step.clone()).collect()
    }

    pub(super) fn contact(&self, lane: &str, email: &str) -> Option<Contact> {
        self.contacts.get(&(lane.to_owned(), fold_email(email))).cloned()
    }

    pub(super) fn unfinished(&self, lane: &str) -> impl Iterator<Item = &Kept> {
        self.jobs.values().filter(move |kept| kept.job.new.lane == lane && !kept.job.state.is_final())
    }

    fn running(&self, lane: &str) -> Vec<String> {
        self.unfinished(lane).filter(|kept| kept.job.state == JobState::Running).map(|kept| kept.job.new.id.clone()).collect()
    }

    pub(super) fn rival(&self, new: &NewJob) -> Option<String> {
        self.unfinished(&new.lane).find(|kept| kept.job.new.dedupe == new.dedupe).map(|kept| kept.job.new.id.clone())
    }

    pub(super) fn enqueue(&mut self, mut new: NewJob) -> Ack {
        let epoch = self.boot << 32;
        let lane = self.lanes.entry(new.lane.clone()).or_insert_with(|| Lane { epoch, ..Lane::default() });
        lane.organization.clone_from(&new.organization);
        let Some(into) = self.rival(&new) else {
            let job = Job::newborn(new);
            self.jobs.insert(job.new.id.clone(), Kept { job, follow: None, cancel: false, claimed: 0 });
            return Ack::Enqueued;
        };
        if let Some(kept) = self.jobs.get_mut(&into) {
            let knows = knows(&self.contacts);
            if matches!(kept.job.state, JobState::Running | JobState::Waiting) {
                let Ok(()) = kept.follow.as_ref().map_or(Ok(()), |older| wish::inherit(older, &mut new, knows));
                kept.follow = Some(new);
            } else {
                kept.job.updated = new.created.max(kept.job.updated + 1);
                if kept.job.state == JobState::Pending {
                    kept.job.due = kept.job.due.min(new.due);
                }
                let Ok(()) = wish::take_wish(&mut kept.job, new, knows);
            }
        }
        Ack::Folded { into }
    }

    fn due(&self, lane: &str) -> Vec<(u64, String)> {
        let idle = |state| matches!(state, JobState::Pending | JobState::Waiting | JobState::Retrying);
        let busy: BTreeSet<&str> = self
            .jobs
            .values()
            .filter(|kept| kept.job.state == JobState::Running && !kept.job.new.exclusive.is_empty())
            .map(|kept| kept.job.new.exclusive.as_str())
            .collect();
        let jobs = self.unfinished(lane).map(|kept| &kept.job);
        let jobs = jobs.filter(|job| idle(job.state) && !busy.contains(job.new.exclusive.as_str()));
        let mut due: Vec<_> = jobs.map(|job| (job.due, job.new.id.clone())).collect();
        due.sort();
        due
    }

    fn lane_due(&self, id: &str, lane: &Lane) -> Option<u64> {
        if lane.parked {
            return None;
        }
        let lapse = (!self.running(id).is_empty()).then_some(lane.lease_until);
        self.due(id).first().map(|(due, _)| *due).into_iter().chain(lapse).min()
    }

    pub(super) fn ready(&self, now: u64) -> Vec<ReadyLane> {
        let lanes = self.lanes.iter().filter(|(_, lane)| lane.hold <= now);
        let mut ready: Vec<ReadyLane> = lanes
            .filter_map(|(id, lane)| {
                let due = self.lane_due(id, lane).filter(|due| *due <= now)?;
                let running = self.running(id).len() as u32;
                Some(ReadyLane { lane: id.clone(), organization: lane.organization.clone(), due, running })
            })
            .collect();
        ready.sort_by(|a, b| (a.due, &a.lane).cmp(&(b.due, &b.lane)));
        ready
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.lanes.iter().filter_map(|(id, lane)| self.lane_due(id, lane).map(|due| due.max(lane.hold))).min()
    }

    pub(super) fn claim(&mut self, owner: &str, now: u64, lease_until: u64, wants: &[(String, u32)]) -> Vec<Claim> {
        let mut claims = Vec::new();
        for (id, wanted) in wants {
            let Some(lane) = self.lanes.get(id) else { continue };
            if let Some(current) = lane.owner.clone() {
                if lane.lease_until <= now {
                    self.lost.entry(current).or_default().insert(id.clone());
                    self.take_over(id, now);
                } else if current != owner {
                    continue;
                }
            }
            for _ in 0..*wanted {
                if self.lanes.get(id).is_none_or(|lane| lane.parked) {
                    break;
                }
                let Some((_, job)) = self.due(id).into_iter().next().filter(|(due, _)| *due <= now) else { break };
                claims.extend(self.grant(id, owner, &job, now, lease_until));
            }
        }
        claims
    }

    fn grant(&mut self, lane_id: &str, owner: &str, job: &str, now: u64, lease_until: u64) -> Option<Claim> {
        let lane = self.lanes.get_mut(lane_id)?;
        if lane.owner.as_deref() != Some(owner) {
            lane.epoch += 1;
            lane.owner = Some(owner.to_owned());
        }
        lane.lease_until = lease_until;
        let epoch = lane.epoch;
        let kept = self.jobs.get_mut(job)?;
        kept.claimed = now;
        kept.job.state = JobState::Running;
        kept.job.updated = now.max(kept.job.updated + 1);
        let job = kept.job.clone();
        let (who, contacts) = (&job.new.who, job.new.contact_lane());
        let known = self.contact(&contacts, &who.email).or_else(|| self.contact(&contacts, who.previous_email.as_deref()?));
        let steps = self.steps_of(&job.new.id).into_iter().filter(|step| step.attempt > job.forget_before).collect();
        Some(Claim { lane: lane_id.to_owned(), epoch, steps, known: known.map(|c| c.known).unwrap_or_default(), job, lease_until })
    }

    pub(super) fn renew(&mut self, owner: &str, now: u64, lease_until: u64) -> Vec<String> {
        let mut lapsed = Vec::new();
        for (id, lane) in &mut self.lanes {
            match lane.owner.clone() {
                Some(current) if current == owner => lane.lease_until = lease_until,
                Some(current) if lane.lease_until <= now => lapsed.push((id.clone(), current)),
                _ => {}
            }
        }
        for (lane, from) in lapsed {
            self.lost.entry(from).or_default().insert(lane.clone());
            self.take_over(&lane, now);
        }
        self.lost.remove(owner).into_iter().flatten().collect()
    }

    fn take_over(&mut self, id: &str, now: u64) {
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.epoch += 1;
        }
        for job in self.running(id) {
            self.interrupt(&job, now);
        }
    }

    fn interrupt(&mut self, id: &str, now: u64) {
        let Some(kept) = self.jobs.get(id) else { return };
        let mut job = kept.job.clone();
        job.attempts += 1;
        job.faults += 1;
        job.trouble = Some(JobTrouble::Interrupted);
        job.state = JobState::Retrying;
        job.due = now;
        job.updated = job.updated.max(now);
        let attempt = Attempt {
            job: id.to_owned(),
            number: job.attempts,
            connector: String::new(),
            version: String::new(),
            digest: crm_contract::ports::Digest(String::new()),
            started: kept.claimed,
            ended: now.max(kept.claimed),
            outcome: Outcome::Interrupted,
            log: Vec::new(),
            asked: None,
        };
        self.attempts.insert((id.to_owned(), attempt.number), attempt);
        self.settle(job);
    }

    pub(super) fn restart(&mut self, now: u64) {
        self.closed = false;
        self.boot += 1;
        self.lost.clear();
        let running: Vec<String> =
            self.jobs.values().filter(|kept| kept.job.state == JobState::Running).map(|kept| kept.job.new.id.clone()).collect();
        self.interrupted = running.len() as u64;
        for job in running {
            self.interrupt(&job, now);
        }
        for lane in self.lanes.values_mut() {
            (lane.owner, lane.lease_until, lane.hold, lane.epoch) = (None, 0, 0, self.boot << 32);
        }
    }

    pub(super) fn fence(&self, lane: &str, epoch: u64, job: &str) -> Result<(), StoreError> {
        let holds = self.lanes.get(lane).is_some_and(|lane| lane.epoch == epoch) && self.running(lane).iter().any(|id| id == job);
        if holds { Ok(()) } else { Err(StoreError::Fenced) }
    }

    pub(super) fn finish(&mut self, lane: &str, epoch: u64, finish: Finish) -> Result<(), StoreError> {
        self.fence(lane, epoch, &finish.job.new.id)?;
        self.admit(&finish.jobs)?;
        let follow = self.jobs.get(&finish.job.new.id).and_then(|kept| kept.follow.as_ref());
        if follow.is_some_and(|follow| finish.jobs.iter().any(|job| job.id == follow.id)) {
            return Err(StoreError::Conflict);
        }
        if let Some(attempt) = finish.attempt {
            self.attempts.insert((finish.job.new.id.clone(), attempt.number), attempt);
        }
        if let Some(known) = finish.known {
            let (lane, email) = (finish.job.new.contact_lane(), fold_email(&finish.job.new.who.email));
            let contact = Contact { lane: lane.clone(), email: email.clone(), known, updated: finish.job.updated };
            self.contacts.insert((lane, email), contact);
        }
        if let Some(contact) = wish::left_behind(&finish.job) {
            self.contacts.remove(&contact);
        }
        self.settle(finish.job);
        for job in finish.jobs {
            self.enqueue(job);
        }
        Ok(())
    }

    /// Keeps a job that does not run (any more), with all that follows from the state it is in.
    pub(super) fn settle(&mut self, mut job: Job) {
        let Some(kept) = self.jobs.get_mut(&job.new.id) else { return };
        if !kept.job.state.is_final() {
            job.updated = job.updated.max(kept.job.updated + 1);
        }
        if kept.cancel && !job.state.is_final() {
            job.state = JobState::Cancelled;
        }
        if job.state == JobState::Parked && !self.lanes.get(&job.new.lane).is_some_and(|lane| lane.parked) {
            job.state = JobState::Retrying;
        }
        if job.state.is_final() != job.finished.is_some() {
            job.finished = job.state.is_final().then_some(job.updated);
        }
        let follow = if job.state == JobState::Waiting { None } else { kept.follow.take() };
        kept.cancel = false;
        let ended = job.state.is_final();
        kept.job = job;
        match follow {
            Some(newer) if !ended => {
                let Ok(()) = wish::take_wish(&mut kept.job, newer, knows(&self.contacts));
            }
            Some(mut newer) => {
                if kept.job.state == JobState::Succeeded {
                    wish::carry_on(&kept.job.new, &mut newer);
                } else {
                    let Ok(()) = wish::inherit(&kept.job.new, &mut newer, knows(&self.contacts));
                }
                if !self.jobs.contains_key(&newer.id) {
                    self.enqueue(newer);
                }
            }
            _ => {}
        }
        for id in self.lanes.keys().cloned().collect::<Vec<_>>() {
            if self.running(&id).is_empty()
                && let Some(lane) = self.lanes.get_mut(&id)
            {
                lane.owner = None;
            }
        }
    }
}
