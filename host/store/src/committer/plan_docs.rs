//! Documents and new jobs in one write: an approval and its syncs become durable together or not at all.

use std::collections::{HashMap, HashSet};

use super::Halt;
use super::op::Birth;
use super::planner::{Planned, Planner};
use crate::model::{Job, JobState, NewJob, Put};
use crate::port::{Ack, StoreError};
use crate::rows::tables::{DocRow, LiveRow};
use crate::rows::{keys, tables};
use crate::wish;

impl Planner {
    pub(super) fn commit(&mut self, puts: Vec<Put>, jobs: Vec<Birth>) -> Planned<Vec<Ack>> {
        let new_work = !jobs.is_empty() || puts.iter().any(|put| put.expect == Some(0) && put.json.is_some());
        if new_work {
            self.space.admit().map_err(Halt::Refuse)?;
        }
        self.check(&jobs)?;
        self.put_all(puts)?;
        // From here on nothing can be refused any more.
        jobs.into_iter().map(|job| self.enqueue_or_fold(job).map_err(Halt::into_fatal)).collect()
    }

    /// All puts in order, or none.
    pub(super) fn put_all(&mut self, puts: Vec<Put>) -> Planned<()> {
        self.stage.mark();
        for put in puts {
            if let Err(halt) = self.put(put) {
                self.stage.take_back();
                return Err(halt);
            }
        }
        self.stage.keep();
        Ok(())
    }

    fn put(&mut self, put: Put) -> Planned<()> {
        let Put { record, expect, json, unique } = put;
        let key = keys::doc(&record.organization, record.kind, &record.id);
        let old: Option<DocRow> = self.stage.read(&key)?;
        let version = old.as_ref().map_or(0, |doc| doc.version);
        if expect.is_some_and(|expect| expect != version) {
            return Err(Halt::Refuse(StoreError::Conflict));
        }
        let wanted = if json.is_some() { unique } else { Vec::new() };
        for (namespace, name) in old.iter().flat_map(|doc| &doc.unique) {
            if !wanted.iter().any(|(n, v)| n == namespace && v == name) {
                self.stage.delete(keys::unique(&record.organization, record.kind, namespace, name))?;
            }
        }
        for (namespace, name) in &wanted {
            let key = keys::unique(&record.organization, record.kind, namespace, name);
            match self.stage.read::<String>(&key)? {
                Some(by) if by != record.id => {
                    return Err(Halt::Refuse(StoreError::Taken { namespace: namespace.clone(), by }));
                }
                Some(_) => {}
                None => self.stage.put(key, &record.id)?,
            }
        }
        match json {
            Some(json) => self.stage.put(key, &DocRow { version: version + 1, json, unique: wanted }),
            None if old.is_some() => self.stage.delete(key),
            None => Ok(()),
        }
    }

    /// Everything that could keep one of the jobs from being taken in.
    pub(super) fn check(&self, jobs: &[Birth]) -> Planned<()> {
        let mut ids = HashSet::new();
        let mut lanes: HashMap<&str, &str> = HashMap::new();
        for Birth { new, dedupe, .. } in jobs {
            let known = self.queue.live.contains_key(new.id.as_str()) || self.stage.exists(&keys::job(&new.id))?;
            if known || !ids.insert(new.id.as_str()) {
                return Err(Halt::Refuse(StoreError::Conflict));
            }
            let foreign = self
                .queue
                .lanes
                .get(new.lane.as_str())
                .is_some_and(|lane| !lane.organization.is_empty() && *lane.organization != *new.organization);
            let first = *lanes.entry(&new.lane).or_insert(&new.organization);
            if foreign || first != new.organization {
                return Err(Halt::Refuse(StoreError::Unusable(format!("the lane {} belongs to another organization", new.lane))));
            }
            if let Some(into) = self.queue.dedupe(*dedupe) {
                // Read now what the fold will read, so that it cannot fail half-way.
                self.job(&into)?;
                self.follow_up(&into)?;
            }
        }
        Ok(())
    }

    /// The wish that waits for a job's end.
    pub(super) fn follow_up(&self, id: &str) -> Planned<Option<NewJob>> {
        let waits = self.queue.live.get(id).is_some_and(|live| live.row.follow);
        if waits { self.stage.read(&keys::follow(id)) } else { Ok(None) }
    }

    pub(super) fn enqueue_or_fold(&mut self, birth: Birth) -> Planned<Ack> {
        let Some(into) = self.queue.dedupe(birth.dedupe) else {
            return self.enqueue(birth.new, birth.rows, birth.dedupe, birth.exclusive);
        };
        let Some(live) = self.queue.live.get(&into).map(|live| live.row.clone()) else {
            return Err(Halt::Fatal(format!("the queue lost the job {into}")));
        };
        let mut newer = birth.new;
        if matches!(live.state, JobState::Running | JobState::Waiting) {
            if let Some(older) = self.follow_up(&into)? {
                wish::inherit(&older, &mut newer, |lane, email| self.knows(lane, email))?;
            }
            self.stage.put(keys::follow(&into), &newer)?;
            self.write_live(&into, |row| row.follow = true)?;
        } else {
            let Some(mut job): Option<Job> = self.job(&into)? else {
                return Err(Halt::Fatal(format!("the body of the queued job {into} is missing")));
            };
            let (created, due) = (newer.created, newer.due);
            wish::take_wish(&mut job, newer, |lane, email| self.knows(lane, email))?;
            self.stage.put(keys::job(&into), &job)?;
            self.write_live(&into, |row| {
                row.updated = created.max(row.updated + 1);
                row.exclusive = birth.exclusive;
                if row.state == JobState::Pending {
                    row.due = row.due.min(due);
                }
            })?;
        }
        Ok(Ack::Folded { into: into.to_string() })
    }

    /// Changes the moving part of an unfinished job, in memory and on disk.
    pub(super) fn write_live(&mut self, id: &str, change: impl FnOnce(&mut LiveRow)) -> Planned<()> {
        let row = self.queue.change(id, change);
        let lane = self.queue.live.get(id).map(|live| live.lane.clone());
        match (row, lane) {
            (Some(row), Some(lane)) => self.stage.put_bytes(keys::live(&lane, id), &row.encode()),
            _ => Err(Halt::Fatal(format!("the queue lost the job {id}"))),
        }
    }
}

/// What callers prepare for [`Planner::commit`].
pub(crate) fn birth(new: crate::model::NewJob) -> Result<Birth, StoreError> {
    let payload = tables::encode(&Job::newborn(new.clone()))?;
    if payload.len() > crate::limits::JOB_BYTES {
        return Err(StoreError::TooLarge { bytes: payload.len(), limit: crate::limits::JOB_BYTES });
    }
    let rows = crate::rows::envelope::wrap(keys::job(&new.id), &payload);
    let dedupe = tables::digest(&[&new.lane, &new.dedupe]);
    let exclusive = tables::exclusive_digest(&new.exclusive);
    Ok(Birth { new, rows, dedupe, exclusive })
}
